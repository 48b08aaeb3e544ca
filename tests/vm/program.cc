#include "tests/vm/program.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <ctime>

namespace powercut::vm_testing {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kTextMax = std::uint64_t{64} << 20;
constexpr auto kLookEvery = std::chrono::milliseconds(50);

std::string text_of(const fs::path& path) {
  const auto text = read_text_file(path, kTextMax);
  return text ? *text : std::string();
}

std::string program_path() {
  const char* const chosen = std::getenv("POWERCUT_PROGRAM");
  return chosen != nullptr ? chosen : POWERCUT_RELEASE_PROGRAM;
}

// Calls `look` until it is true; false if it stays false for `limit`.
template <class Look>
bool comes_true(Nanoseconds limit, Look look) {
  const SteadyClock clock;
  const Nanoseconds end = clock.now() + limit;
  while (!look()) {
    if (clock.now() >= end) return false;
    pause_for(kLookEvery);
  }
  return true;
}

}  // namespace

void pause_for(Nanoseconds time) {
  const timespec pause{.tv_sec = static_cast<time_t>(time.count() / 1'000'000'000),
                       .tv_nsec = static_cast<long>(time.count() % 1'000'000'000)};
  ::nanosleep(&pause, nullptr);
}

Json Ended::run() const {
  if (!json.is_object() || !json.contains("run_list") || json["run_list"].size() != 1) {
    ADD_FAILURE() << "not the JSON of one run; exit " << code << "\n" << output << errors;
    return {};
  }
  return json["run_list"][0];
}

bool Program::comes_to(const std::function<bool()>& look) {
  return comes_true(kLong, [&] { return look() || process_.wait(Nanoseconds{0}).has_value(); }) &&
         look();
}

std::optional<Ended> Program::wait(Nanoseconds limit) {
  const auto status = process_.wait(limit);
  if (!status) {
    ADD_FAILURE() << "the program does not end\n" << text_of(errors_);
    return std::nullopt;
  }
  Ended ended{status->code, text_of(output_), text_of(errors_), {}};
  ended.json = Json::parse(ended.output, nullptr, /*allow_exceptions=*/false);
  return ended;
}

void VmTest::SetUp() {
  if (!find_program(program_path())) {
    GTEST_SKIP() << "not built: " << program_path() << " (the release preset)";
  }
  for (const char* const tool : {"qemu-system-x86_64", "nbdkit", "mke2fs", "debugfs", "e2fsck"}) {
    if (!find_program(tool)) GTEST_SKIP() << "no " << tool << " on this machine";
  }
  auto made = TempDirectory::make("vm-test");
  ASSERT_TRUE(made);
  scratch_.emplace(std::move(made).value());
  ASSERT_TRUE(make_directories(tmp()));
}

void VmTest::TearDown() {
  if (!scratch_) return;
  for (const Found& found : processes()) {
    ADD_FAILURE() << "left running: " << found.pid << " " << found.command;
  }
  for (const std::string& name : left_in_tmp()) ADD_FAILURE() << "left in TMPDIR: " << name;
}

std::optional<Program> VmTest::start(const std::vector<std::string>& words) {
  const std::string number = std::to_string(++started_count_);
  const fs::path output = scratch() / ("output-" + number);
  const fs::path errors = scratch() / ("errors-" + number);
  ProcessOptions options;
  options.arguments = {"sh", "-c", "exec \"$@\" >\"$OUTPUT\" 2>\"$ERRORS\"", "sh", program_path()};
  options.arguments.insert(options.arguments.end(), words.begin(), words.end());
  options.environment = {
      {"TMPDIR", tmp().native()}, {"OUTPUT", output.native()}, {"ERRORS", errors.native()}};
  options.directory = scratch().native();
  auto process = Process::start(options);
  if (!process) {
    ADD_FAILURE() << "the program does not start: " << process.error().what;
    return std::nullopt;
  }
  return Program(std::move(*process), output, errors);
}

// A load is known to run when what it writes first has reached the recording.
std::optional<Program> VmTest::start_load(const std::string& script) {
  const std::string first = "dd if=/dev/urandom of=first bs=1M count=4 2>/dev/null; sync; ";
  auto program =
      start(shell_load(first + script, {"--seconds", "100", "--record", kLoadRecording}));
  if (!program) return std::nullopt;
  const auto has_begun = [this] {
    std::error_code error;
    const auto size = fs::file_size(scratch() / kLoadRecording, error);
    return !error && size >= 3u << 20;
  };
  if (program->comes_to(has_begun)) return program;
  const auto ended = finish(*program);
  if (ended) ADD_FAILURE() << "the load did not start\n" << ended->output << ended->errors;
  return std::nullopt;
}

std::optional<Ended> VmTest::run(const std::vector<std::string>& words) {
  auto program = start(words);
  if (!program) return std::nullopt;
  return finish(*program);
}

std::optional<Ended> VmTest::finish(Program& program, Nanoseconds limit) {
  auto ended = program.wait(limit);
  const auto skip = [&ended] { GTEST_SKIP() << "no kernel package: " << ended->errors; };
  if (ended && ended->errors.find("unknown: ") != std::string::npos) {
    skip();
    return std::nullopt;
  }
  return ended;
}

std::vector<Found> VmTest::processes() const {
  std::vector<Found> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename().native();
    pid_t pid = 0;
    const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (bad != std::errc{} || end != name.data() + name.size()) continue;
    std::string command = text_of(entry.path() / "cmdline");
    if (command.find(tmp().native() + "/") == std::string::npos) continue;
    std::replace(command.begin(), command.end(), '\0', ' ');
    found.push_back({pid, command});
  }
  return found;
}

std::optional<pid_t> VmTest::process_named(const std::string& name) const {
  for (const Found& found : processes()) {
    const std::string program = found.command.substr(0, found.command.find(' '));
    if (fs::path(program).filename() == name) return found.pid;
  }
  ADD_FAILURE() << "no " << name << " of the program is running";
  return std::nullopt;
}

bool VmTest::are_gone() const {
  return comes_true(kSoon, [this] { return processes().empty(); });
}

std::vector<std::string> VmTest::left_in_tmp() const {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(tmp())) {
    names.push_back(entry.path().filename().native());
  }
  return names;
}

std::vector<std::string> shell_load(const std::string& script,
                                    const std::vector<std::string>& options) {
  std::vector<std::string> words = {"run", "--kernel", "debian:6.12", "--json",   "--cpus",
                                    "1",   "--memory", "512",         "--output", "results"};
  words.insert(words.end(), options.begin(), options.end());
  words.insert(words.end(), {"--", "sh", "-c", script});
  return words;
}

}  // namespace powercut::vm_testing
