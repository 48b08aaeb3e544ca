// Workloads on a folder of any file system; the marks go to a server that writes them down.
#include "lab/sources/guest/workload.h"

#include <gtest/gtest.h>

#include <map>

#include "host/line_server.h"
#include "host/machine.h"
#include "lab/promise/promise.h"

namespace powercut::lab {
namespace {

class Workload : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto folder = TempDirectory::make("workload-test");
    ASSERT_TRUE(folder);
    folder_.emplace(std::move(*folder));
  }
  // Few operations, so that the test does not wait for a clock.
  WorkloadOptions options() const {
    WorkloadOptions options;
    options.kind = GetParam();
    options.directory = folder_->path().string();
    options.thread_count = 3;
    options.file_count = 2;
    options.file_kib = 32;
    options.operation_max = 60;
    options.duration = std::chrono::hours(1);
    return options;
  }
  SteadyClock clock_;
  std::optional<TempDirectory> folder_;
};

TEST_P(Workload, ReadsBackWhatItWrote) {
  const auto tally = run_workload(options(), clock_);
  ASSERT_TRUE(tally) << error_words(tally.error());
  EXPECT_EQ(tally->first_wrong, "");
  EXPECT_EQ(tally->operations, 180u);
  EXPECT_GT(tally->syncs, 0u);
  EXPECT_EQ(tally->marks, 0u);
  EXPECT_GT(tally->words_checked, 0u);
  // Again in the same folder: another run.
  EXPECT_TRUE(run_workload(options(), clock_));
}

TEST_P(Workload, SaysOnlyWhatCanBeUnderstood) {
  std::map<std::string, int> counts;
  std::vector<std::string> wrong;
  const auto answer = [&](std::string_view line) {
    const auto promise = parse_promise(line);
    if (!promise) wrong.push_back(std::string(line) + ": " + error_words(promise.error()));
    if (promise) {
      for (const Clause& clause : promise->clauses) {
        const std::string text = clause_text(clause);
        ++counts[text.substr(0, text.find(' '))];
      }
    }
    return std::string("ok");
  };
  WorkloadOptions options = this->options();
  options.marks = (folder_->path() / "marks").string();
  {
    const auto server = LineServer::open(options.marks, kPromiseBytesMax, answer);
    ASSERT_TRUE(server);
    const auto tally = run_workload(options, clock_);
    ASSERT_TRUE(tally) << error_words(tally.error());
    EXPECT_GT(tally->marks, 0u);
  }
  EXPECT_EQ(wrong, std::vector<std::string>{});
  EXPECT_EQ(counts["begin"], 1);
  EXPECT_EQ(counts["end"], 1);
  for (const char* const verb : {"file", "size", "words", "name", "held"}) {
    EXPECT_GT(counts[verb], 0) << verb;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Workload,
                         ::testing::Values("write", "mmap", "append", "rename", "mixed"),
                         [](const auto& one) { return std::string(one.param); });

TEST(WorkloadWords, AreReadOrRefused) {
  const auto options = parse_workload({"mmap", "--threads", "2", "--files", "5", "--kib", "64",
                                       "--sync", "0", "--seconds", "3", "--seed", "9", "/x"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->kind, "mmap");
  EXPECT_EQ(options->directory, "/x");
  EXPECT_EQ(options->thread_count, 2u);
  EXPECT_EQ(options->file_count, 5u);
  EXPECT_EQ(options->file_kib, 64u);
  EXPECT_EQ(options->sync_percent, 0u);
  EXPECT_EQ(options->duration, Nanoseconds(std::chrono::seconds(3)));
  EXPECT_EQ(options->seed, 9u);
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{},
                                             {"mmap"},
                                             {"mmap", "/x", "/y"},
                                             {"fly", "/x"},
                                             {"mmap", "/x", "--threads"},
                                             {"mmap", "/x", "--threads", "0"},
                                             {"mmap", "/x", "--threads", "65"},
                                             {"mmap", "/x", "--kib", "10"},
                                             {"mmap", "/x", "--kib", "8196"},
                                             {"mmap", "/x", "--sync", "101"},
                                             {"mmap", "/x", "--seconds", "x"},
                                             {"mmap", "/x", "--nonsense", "1"}}) {
    EXPECT_EQ(workload_main(words, ""), 2) << ::testing::PrintToString(words);
  }
  EXPECT_EQ(workload_main({"mmap", "/no/such/folder"}, ""), 3);
  EXPECT_EQ(workload_main({"mmap", "/tmp"}, "/no/such/socket"), 3);
}

}  // namespace
}  // namespace powercut::lab
