// The program as a user has it: started with words, watched and killed from outside.
//
// Words
//   scratch   a folder of the test; all that the program writes lies there, but for its cache
//   tmp       the folder in it that the program has as TMPDIR: what it leaves there, and any
//   process
//             whose command line names it, is left over
//
// A test that cannot be had here (no program, no tools, no kernel package) is skipped with the
// reason.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "host/machine.h"
#include "host/process.h"

namespace powercut::vm_testing {

using Json = nlohmann::json;

// How long anything may take; a test that passes does not wait that long.
inline constexpr Nanoseconds kLong = std::chrono::seconds(200);
inline constexpr Nanoseconds kSoon = std::chrono::seconds(30);

inline bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

inline constexpr const char* kLoadRecording = "load.pcrec";

struct Ended {
  int code = 0;        // 128 + signal if it was killed
  std::string output;  // standard output
  std::string errors;  // standard error
  Json json;           // of the output; discarded if that is none
  // The only run of a `hunt` or `run`; null (and the test failed) if there is not just one.  To be
  // kept in what is not const: a const null has no members to look at.
  Json run() const;
};

class Program {
 public:
  Program(Process process, std::filesystem::path output, std::filesystem::path errors)
      : process_(std::move(process)), output_(std::move(output)), errors_(std::move(errors)) {}
  pid_t pid() const { return process_.pid(); }
  // Waits until `look` is true; false if the program ends before.
  bool comes_to(const std::function<bool()>& look);
  // Waits for its end.  None, and the test failed, if that does not come.
  std::optional<Ended> wait(Nanoseconds limit = kLong);

 private:
  Process process_;
  std::filesystem::path output_, errors_;
};

struct Found {
  pid_t pid = 0;
  std::string command;
};

class VmTest : public ::testing::Test {
 protected:
  void SetUp() override;
  // Nothing may be left, whatever the test was.
  void TearDown() override;

  std::filesystem::path scratch() const { return scratch_->path(); }
  std::filesystem::path tmp() const { return scratch() / "tmp"; }

  // The functions below give nothing after they have skipped or failed the test: return then.
  // Starts the program in the scratch folder.
  std::optional<Program> start(const std::vector<std::string>& words);
  // Starts `run` on the clean kernel with a shell's script as its load, recorded to kLoadRecording;
  // comes back while it runs.
  std::optional<Program> start_load(const std::string& script);
  // From the start to the end.
  std::optional<Ended> run(const std::vector<std::string>& words);
  // To the end of a program that was started.
  std::optional<Ended> finish(Program& program, Nanoseconds limit = kLong);
  // Processes of the program: those that name its tmp.
  std::vector<Found> processes() const;
  // The one of them whose command begins with `name`.
  std::optional<pid_t> process_named(const std::string& name) const;
  // Waits until there is none; false if they stay.
  bool are_gone() const;
  std::vector<std::string> left_in_tmp() const;

 private:
  std::optional<TempDirectory> scratch_;
  int started_count_ = 0;
};

// The words of `run --json` on the clean kernel, one processor, with a shell's script as its load.
std::vector<std::string> shell_load(const std::string& script,
                                    const std::vector<std::string>& options);

// Waits a moment.
void pause_for(Nanoseconds time);

}  // namespace powercut::vm_testing
