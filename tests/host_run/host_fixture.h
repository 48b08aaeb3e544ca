// `powercut run` on the running kernel, started with words, watched and killed from outside.
//
// Words
//   scratch   a folder of the test; the load may write to it, too
//   tmp       the folder in it that the program has as TMPDIR; a process whose command line names
//             scratch, a mount in any namespace that does, and a loop device with the name of a
//             run's folder in tmp, are the program's
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "host/machine.h"
#include "host/process.h"

namespace powercut::host_run_testing {

using Json = nlohmann::json;

// How long anything may take; a test that passes does not wait that long.
inline constexpr Nanoseconds kLong = std::chrono::seconds(100);

struct Ended {
  int code = 0;        // 128 + signal if it was killed
  std::string output;  // standard output
  std::string errors;  // standard error
  Json json;           // of the output; discarded if that is none
  // The only run; null, and the test failed, if there is not just one.
  Json run() const;
};

class HostRunTest : public ::testing::Test {
 protected:
  void SetUp() override;
  // Nothing may be left, whatever the test was.
  void TearDown() override;

  std::filesystem::path scratch() const { return scratch_->path(); }
  std::filesystem::path tmp() const { return scratch() / "tmp"; }

  // Starts `powercut run --json --no-explore OPTIONS -- sh -c SCRIPT SCRATCH`: $0 in the script is
  // the scratch folder.
  Process start(const std::vector<std::string>& options, const std::string& script);
  Process start_words(const std::vector<std::string>& words);
  std::optional<Ended> finish(Process& program);
  std::optional<Ended> run(const std::vector<std::string>& options, const std::string& script);
  std::optional<Ended> run_words(const std::vector<std::string>& words);

  // Waits until `look` is true; false, and the test failed, if it stays false.
  static bool comes_true(const char* what, const std::function<bool()>& look);
  bool is_there(const char* name) const;  // in scratch

  // The process of the program whose command line begins so.
  std::optional<pid_t> process_with(const std::string& begin) const;
  // What of the program is there now, in words; empty: nothing.
  std::string left_over();
  std::vector<std::string> left_in_tmp() const;

 private:
  struct Found {
    pid_t pid = 0;
    std::string command;
  };
  std::vector<Found> processes() const;

  std::optional<TempDirectory> scratch_;
  std::set<std::string> runs_;  // names of folders that were seen in tmp
};

}  // namespace powercut::host_run_testing
