// The stage's process itself, and process 1 of its load (host_stage.h).
#include <algorithm>
#include <csignal>

#include "host/confined.h"
#include "host/disk_image.h"
#include "host/fuse_file.h"
#include "host/kernel_log.h"
#include "host/loop_device.h"
#include "host/mounts.h"
#include "host/stop_signal.h"
#include "lab/sources/guest/guest_job.h"
#include "lab/sources/guest/mount_options.h"
#include "lab/sources/host_stage.h"
#include "lab/sources/part_words.h"

namespace powercut::lab {
namespace {

constexpr auto kTurn = std::chrono::milliseconds(50);
// From SIGTERM to SIGKILL: a load that waits for its journal needs some seconds to hear it.
constexpr auto kGrace = std::chrono::seconds(10);
constexpr auto kImpatientGrace = std::chrono::seconds(2);  // the user wants the end
constexpr auto kBusyLimit = std::chrono::seconds(30);
constexpr std::size_t kLogLinesMost = 8;
constexpr const char* kAlways = "errors=remount-ro";  // behind the user's words, so it wins

std::string joined_options(const std::string& words) {
  return words.empty() ? kAlways : words + "," + kAlways;
}

// When a command that is to end gets which signal.
class Ending {
 public:
  explicit Ending(Nanoseconds deadline) : deadline_(deadline) {}
  void look(Nanoseconds now, bool is_impatient, const Process& first) {
    if (!has_told_ && (now >= deadline_ || is_impatient)) {
      has_told_ = true;
      told_at_ = now;
      first.send_signal(SIGTERM);
    }
    const Nanoseconds grace = is_impatient ? Nanoseconds(kImpatientGrace) : Nanoseconds(kGrace);
    if (has_told_ && now >= told_at_ + grace) first.send_signal(SIGKILL);
  }
  bool has_told() const { return has_told_; }

 private:
  Nanoseconds deadline_;
  Nanoseconds told_at_{0};
  bool has_told_ = false;
};

class Stage {
 public:
  Stage(const PartWords& words, const SayLine& say, const StopSignal& stop)
      : words_(words), say_(say), stop_(stop) {}

  Result<void> run() {
    folder_ = TRY(words_.text("folder"));
    place_ = folder_ / "disk";
    program_ = TRY(words_.text("program"));
    hands_over_device_ = TRY(words_.number("device")) != 0;
    load_limit_ = std::chrono::milliseconds(TRY(words_.number("load-ms")));
    root_ = Fd(static_cast<int>(TRY(words_.number("root-fd"))));
    say_step("booted");
    TRY(enter_own_mounts());
    TRY(make_directories(place_));
    began_ = kernel_log_end();
    LoopDevice device = TRY(attach(FuseFile::kName));
    if (TRY(words_.number("second")) != 0) journal_.emplace(TRY(attach(FuseFile::kSecondName)));
    root_.reset();
    say_(std::string(kStageDeviceWord) + device.number());
    if (mount(device)) {
      const auto ran = run_load(device);
      if (!ran) say_step("trouble: " + error_words(ran.error()));
      unmount_it(device);
    }
    device.release();
    journal_.reset();
    say_step("off");
    return {};
  }

 private:
  void say_step(const std::string& text) const { say_(std::string(kProtocolWord) + text); }

  Result<LoopDevice> attach(const char* name) const {
    const Fd file = TRY(open_direct(root_, name));
    LoopDevice::Options options;
    options.block_bytes = static_cast<std::uint32_t>(TRY(words_.number("block-bytes")));
    options.name = folder_.filename().string();
    return LoopDevice::attach(file, options);
  }

  // What the kernel's log says of a mount of the device since we have it.  A word that it does not
  // know it names without a device.
  std::vector<std::string> mount_words(const LoopDevice& device) const {
    std::vector<std::string> lines = kernel_log_lines("ext4: ", began_, kLogLinesMost);
    std::erase_if(lines, [](const std::string& line) { return !line.starts_with("ext4: "); });
    const auto named = kernel_log_lines("EXT4-fs (" + name_of(device), began_, kLogLinesMost);
    lines.insert(lines.end(), named.begin(), named.end());
    return lines;
  }

  static std::string name_of(const LoopDevice& device) {
    return device.path().substr(device.path().rfind('/') + 1);
  }

  bool mount(const LoopDevice& device) {
    if (hands_over_device_) {
      say_step("mounted");
      return true;
    }
    std::string words = joined_options(words_.text_or("mount-options", ""));
    if (journal_) words += ",journal_path=" + journal_->path();
    const MountOptions options = split_mount_options(words);
    const auto mounted = mount_file_system({.source = device.path(),
                                            .place = place_.string(),
                                            .type = "ext4",
                                            .flags = options.flags,
                                            .options = options.data});
    if (mounted) {
      say_step("mounted");
      return true;
    }
    std::string why = error_words(mounted.error());
    for (const std::string& line : mount_words(device)) why += "; " + line;
    say_step("mount failed: " + std::to_string(mounted.error().where) + " " + why);
    return false;
  }

  Result<Process> start_load(const LoopDevice& device) {
    ProcessOptions first;
    first.program = program_;
    first.arguments = {"powercut", kHostFirstWord, "folder=" + place_.string(), "--"};
    first.arguments.insert(first.arguments.end(), words_.command().begin(), words_.command().end());
    first.environment = {{kLoadFolderVariable, place_.string()}};
    if (hands_over_device_) first.environment.emplace(kLoadDeviceVariable, device.path());
    const std::string marks = words_.text_or("marks", "");
    std::error_code error;
    if (!marks.empty() && std::filesystem::exists(marks, error)) {
      first.environment.emplace(kLoadMarksVariable, marks);
    }
    TRY(enter_new_processes());
    return Process::start(first);
  }

  Result<void> run_load(const LoopDevice& device) {
    say_step("load started");
    Process first = TRY(start_load(device));
    Ending ending(clock_.now() + load_limit_);
    ConsoleText text;
    while (!first.wait(Nanoseconds{0})) {
      TRY(relay(first, text, kTurn));
      ending.look(clock_.now(), stop_.has_come(), first);
    }
    while (!first.is_output_at_end()) {
      const bool has_more = TRY(relay(first, text, Nanoseconds{0}));
      if (!has_more) break;
    }
    say_lines(text.finish());
    const ExitStatus status = first.stop(Nanoseconds{0});
    const std::string error = "EXT4-fs error (device " + name_of(device);
    for (const std::string& line : kernel_log_lines(error, began_, kLogLinesMost)) {
      say_step("trouble: " + line);
    }
    say_step("load ended " + std::to_string(status.code) +
             (ending.has_told() ? " time limit" : ""));
    return {};
  }

  // Whether there was something.
  Result<bool> relay(Process& first, ConsoleText& text, Nanoseconds limit) {
    const std::string output = TRY(first.read_output(limit));
    say_lines(text.feed(output));
    if (output.empty() && first.is_output_at_end()) static_cast<void>(first.wait(limit));
    return !output.empty();
  }

  void say_lines(const std::vector<std::string>& lines) const {
    for (const std::string& line : lines) say_(std::string(kRelayWord) + line);
  }

  // The file system is gone when nobody claims the device: the load's own copy of the mount ends
  // with its processes, not with ours.
  void unmount_it(const LoopDevice& device) {
    if (!hands_over_device_) {
      const auto unmounted = unmount(place_.string(), clock_, kBusyLimit);
      if (!unmounted) say_step("trouble: " + error_words(unmounted.error()));
    }
    if (!device.comes_free(clock_, kBusyLimit)) {
      say_step("trouble: " + device.path() + " is still in use");
    }
    if (journal_ && !journal_->comes_free(clock_, kBusyLimit)) {
      say_step("trouble: " + journal_->path() + " is still in use");
    }
  }

  const PartWords& words_;
  const SayLine& say_;
  const StopSignal& stop_;
  const SteadyClock clock_;
  std::filesystem::path folder_, place_;
  std::string program_;
  bool hands_over_device_ = false;
  Nanoseconds load_limit_{0};
  Fd root_;
  std::optional<LoopDevice> journal_;
  double began_ = 0;
};

}  // namespace

Result<void> run_host_stage(const std::vector<std::string>& words, const SayLine& say) {
  const PartWords parsed = TRY(PartWords::parse(words));
  const StopSignal stop = TRY(StopSignal::take());
  return Stage(parsed, say, stop).run();
}

Result<int> run_host_first(const std::vector<std::string>& words) {
  const PartWords parsed = TRY(PartWords::parse(words));
  if (parsed.command().empty()) return fail(Errc::kInvalid, "a part's command is missing");
  return run_as_first(parsed.command(), TRY(parsed.text("folder")));
}

}  // namespace powercut::lab
