#include "lab/sources/host_stage.h"

#include <charconv>
#include <csignal>

#include "lab/sources/part_words.h"

namespace powercut::lab {
namespace {

// To end the load, to write out what a file system caches, and to unmount.
constexpr auto kStageGrace = std::chrono::seconds(60);
constexpr auto kStageReapLimit = std::chrono::seconds(5);

}  // namespace

Result<HostStage> HostStage::start(const HostStageOptions& options, const Clock& clock) {
  const auto limit =
      std::chrono::duration_cast<std::chrono::milliseconds>(options.load_limit).count();
  ProcessOptions stage;
  stage.program = options.program.string();
  stage.arguments = {"powercut",
                     kHostStageWord,
                     "folder=" + options.folder.string(),
                     "program=" + options.program.string(),
                     "root-fd=" + std::to_string(options.disk_root),
                     "block-bytes=" + std::to_string(options.block_bytes),
                     "device=" + std::to_string(options.hands_over_device ? 1 : 0),
                     "second=" + std::to_string(options.has_second ? 1 : 0),
                     "mount-options=" + options.mount_options,
                     "load-ms=" + std::to_string(limit),
                     "marks=" + options.marks.string(),
                     "--"};
  stage.arguments.insert(stage.arguments.end(), options.command.begin(), options.command.end());
  stage.inherited_fds = {options.disk_root};
  return HostStage(TRY(Process::start(stage)), clock);
}

// "7:3": what cannot be watched is not; a finding then has no witness.
void HostStage::watch_device(const std::string& number) {
  unsigned major = 0, minor = 0;
  const char* const end = number.data() + number.size();
  const auto [colon, error] = std::from_chars(number.data(), end, major);
  if (error != std::errc{} || colon == end || *colon != ':') return;
  if (std::from_chars(colon + 1, end, minor).ptr != end) return;
  auto trace = CommitTrace::open(major, minor);
  if (trace) trace_ = std::move(*trace);
}

std::string HostStage::witness_of(const Finding& finding) {
  if (!trace_) return {};
  trace_->catch_up();
  return trace_->memory().words_on(finding);
}

void HostStage::take_lines(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    if (line.starts_with(kStageDeviceWord) && !trace_) {
      watch_device(line.substr(kStageDeviceWord.size()));
    }
    GuestEvent event = protocol_.accept(parse_console_line(line));
    event.time = clock_->now() - started_;
    events_.push_back(std::move(event));
  }
}

Result<std::optional<GuestEvent>> HostStage::poll(Nanoseconds limit) {
  if (trace_) trace_->catch_up();
  if (events_.empty() && !has_ended_) {
    const std::string output = TRY(process_.read_output(limit));
    take_lines(text_.feed(output));
    if (output.empty() && process_.is_output_at_end()) {
      take_lines(text_.finish());
      const auto status = process_.wait(Nanoseconds(kStageReapLimit));
      has_ended_ = true;
      events_.push_back({.kind = GuestEventKind::kExited,
                         .text = "",
                         .code = status ? status->code : 128 + SIGKILL,
                         .time = clock_->now() - started_});
    }
  }
  if (events_.empty()) return std::optional<GuestEvent>();
  GuestEvent event = std::move(events_.front());
  events_.pop_front();
  return std::optional<GuestEvent>(std::move(event));
}

bool HostStage::stop() {
  process_.send_signal(SIGTERM);
  const Nanoseconds end = clock_->now() + kStageGrace;
  // What it says meanwhile must not fill its pipe.
  while (!process_.wait(Nanoseconds{0}) && clock_->now() < end) {
    const auto output = process_.read_output(std::chrono::milliseconds(50));
    if (!output) break;
    take_lines(text_.feed(*output));
    if (process_.is_output_at_end() && process_.wait(std::chrono::milliseconds(50))) break;
  }
  return process_.wait(Nanoseconds{0}).has_value();
}

// What the kernel has cached is the kernel's: it cannot be kept from writing it.
bool HostStage::cut_power() {
  return stop();
}

}  // namespace powercut::lab
