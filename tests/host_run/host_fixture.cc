#include "tests/host_run/host_fixture.h"

#include <algorithm>
#include <charconv>
#include <ctime>

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>

namespace powercut::host_run_testing {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kTextMax = std::uint64_t{64} << 20;

std::string text_of(const fs::path& path) {
  const auto text = read_text_file(path, kTextMax);
  return text ? *text : std::string();
}

void pause_a_moment() {
  const timespec pause{.tv_sec = 0, .tv_nsec = 2'000'000};
  ::nanosleep(&pause, nullptr);
}

bool is_process(const std::string& name) {
  return !name.empty() && name.find_first_not_of("0123456789") == std::string::npos;
}

// The name that a loop device's maker gave it.
std::string loop_name(const fs::path& device) {
  const Fd fd(::open(device.c_str(), O_RDONLY | O_CLOEXEC));
  loop_info64 info{};
  if (!fd.is_open() || ::ioctl(fd.get(), LOOP_GET_STATUS64, &info) != 0) return {};
  return reinterpret_cast<const char*>(info.lo_file_name);
}

}  // namespace

Json Ended::run() const {
  if (!json.is_object() || !json.contains("run_list") || json["run_list"].size() != 1) {
    ADD_FAILURE() << "not the JSON of one run; exit " << code << "\n" << output << errors;
    return {};
  }
  return json["run_list"][0];
}

void HostRunTest::SetUp() {
  if (!is_root()) GTEST_SKIP() << "mounting needs root";
  for (const char* const device : {"/dev/fuse", "/dev/loop-control"}) {
    if (!fs::exists(device)) GTEST_SKIP() << "no " << device << " here";
  }
  if (!find_program("mke2fs")) GTEST_SKIP() << "no mke2fs on this machine";
  if (text_of("/proc/filesystems").find("\text4\n") == std::string::npos) {
    GTEST_SKIP() << "this kernel has no ext4";
  }
  auto made = TempDirectory::make("host-run-test");
  ASSERT_TRUE(made);
  scratch_.emplace(std::move(made).value());
  ASSERT_TRUE(make_directories(tmp()));
}

void HostRunTest::TearDown() {
  if (!scratch_) return;
  comes_true("nothing is left", [this] { return left_over().empty(); });
  EXPECT_EQ(left_over(), "");
}

Process HostRunTest::start_words(const std::vector<std::string>& words) {
  ProcessOptions options;
  options.arguments = {"sh", "-c", "exec \"$@\" >\"$SCRATCH/output\" 2>\"$SCRATCH/errors\"", "sh",
                       POWERCUT_BUILT_PROGRAM};
  options.arguments.insert(options.arguments.end(), words.begin(), words.end());
  options.environment = {{"TMPDIR", tmp().native()}, {"SCRATCH", scratch().native()}};
  options.directory = scratch().native();
  return Process::start(options).value();
}

Process HostRunTest::start(const std::vector<std::string>& options, const std::string& script) {
  std::vector<std::string> words = {"run", "--json",         "--output", "results",     "--size",
                                    "64",  "--journal-size", "4",        "--no-explore"};
  words.insert(words.end(), options.begin(), options.end());
  words.insert(words.end(), {"--", "sh", "-c", script, scratch().native()});
  return start_words(words);
}

std::optional<Ended> HostRunTest::finish(Process& program) {
  const auto status = program.wait(kLong);
  if (!status) {
    ADD_FAILURE() << "the program does not end\n" << text_of(scratch() / "errors");
    return std::nullopt;
  }
  Ended ended{status->code, text_of(scratch() / "output"), text_of(scratch() / "errors"), {}};
  ended.json = Json::parse(ended.output, nullptr, /*allow_exceptions=*/false);
  return ended;
}

std::optional<Ended> HostRunTest::run(const std::vector<std::string>& options,
                                      const std::string& script) {
  Process program = start(options, script);
  return finish(program);
}

std::optional<Ended> HostRunTest::run_words(const std::vector<std::string>& words) {
  Process program = start_words(words);
  return finish(program);
}

bool HostRunTest::comes_true(const char* what, const std::function<bool()>& look) {
  const SteadyClock clock;
  const Nanoseconds end = clock.now() + kLong;
  while (!look()) {
    if (clock.now() >= end) {
      ADD_FAILURE() << "does not come true: " << what;
      return false;
    }
    pause_a_moment();
  }
  return true;
}

bool HostRunTest::is_there(const char* name) const {
  std::error_code error;
  return fs::exists(scratch() / name, error);
}

std::vector<HostRunTest::Found> HostRunTest::processes() const {
  std::vector<Found> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename().native();
    if (!is_process(name)) continue;
    std::string command = text_of(entry.path() / "cmdline");
    std::replace(command.begin(), command.end(), '\0', ' ');
    if (command.find(scratch().native()) == std::string::npos) continue;
    pid_t pid = 0;
    std::from_chars(name.data(), name.data() + name.size(), pid);
    found.push_back({pid, command});
  }
  return found;
}

std::optional<pid_t> HostRunTest::process_with(const std::string& begin) const {
  for (const Found& found : processes()) {
    if (found.command.starts_with(begin)) return found.pid;
  }
  return std::nullopt;
}

std::string HostRunTest::left_over() {
  std::error_code error;
  for (const std::string& name : left_in_tmp()) runs_.insert(name);
  std::string left;
  for (const Found& found : processes()) {
    left += "process " + std::to_string(found.pid) + " " + found.command + "\n";
  }
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    if (!is_process(entry.path().filename().native())) continue;
    const std::string mounts = text_of(entry.path() / "mountinfo");
    if (mounts.find(tmp().native()) == std::string::npos) continue;
    left += "a mount in the namespace of " + entry.path().native() + "\n";
  }
  for (const auto& entry : fs::directory_iterator("/sys/block", error)) {
    const std::string device = entry.path().filename().native();
    if (!device.starts_with("loop") || !fs::exists(entry.path() / "loop", error)) continue;
    if (runs_.contains(loop_name("/dev/" + device))) left += "/dev/" + device + "\n";
  }
  return left;
}

std::vector<std::string> HostRunTest::left_in_tmp() const {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(tmp(), error)) {
    names.push_back(entry.path().filename().native());
  }
  return names;
}

}  // namespace powercut::host_run_testing
