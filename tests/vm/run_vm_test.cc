// `run`: loads that end well, fail, do not exist; words that make no sense.
#include "tests/support/long_form.h"
#include "tests/vm/program.h"

namespace powercut::vm_testing {
namespace {

namespace fs = std::filesystem;

class Run : public VmTest {};

// The recording's bound is below what this load writes: that is said, and nothing else changes.
TEST_F(Run, AShellsLoadWithARecordingThatIsTooSmall) {
  const auto ended = run(shell_load(
      "dd if=/dev/urandom of=f bs=1M count=4 2>/dev/null; sync; echo wrote $(wc -c < f); sync",
      {"--seconds", "60", "--record", "run.pcrec", "--max-recording", "1"}));
  if (!ended) return;
  SCOPED_TRACE(ended->output + ended->errors);
  ASSERT_EQ(ended->code, 0);
  Json run = ended->run();
  EXPECT_EQ(run["ending"], "the load ended in order");
  EXPECT_EQ(run["load_output"], "wrote 4194304\n");
  EXPECT_EQ(run["all_commits_seen"], true);
  EXPECT_GE(run["counters"]["verified"], 1024);
  EXPECT_TRUE(has(run["record_trouble"], "size limit"));
  EXPECT_LE(fs::file_size(scratch() / "run.pcrec"), 1u << 20);
  // What was recorded until then can be read.
  const auto verified = this->run({"verify", "--json", "run.pcrec"});
  if (!verified) return;
  EXPECT_EQ(verified->code, 0) << verified->output << verified->errors;
  EXPECT_LT(verified->json["counters"]["writes"], run["counters"]["writes"]);
}

// It leaves the console in the middle of a line, which must not hide what is said of it.
TEST_F(Run, ALoadThatFailsIsSaidWithItsWords) {
  ONLY_IN_LONG_FORM();
  const auto ended =
      run(shell_load("echo a word of warning >&2; cat /dev/zero > /dev/console & sleep 1; exit 7",
                     {"--seconds", "60"}));
  if (!ended) return;
  SCOPED_TRACE(ended->output + ended->errors);
  ASSERT_EQ(ended->code, 3);
  Json run = ended->run();
  EXPECT_EQ(run["ending"], "the load failed");
  EXPECT_EQ(run["trouble"], "the load ended with status 7");
  EXPECT_EQ(run["load_output"], "a word of warning\n");
  EXPECT_EQ(ended->json["incomplete_runs"], 1);
}

TEST_F(Run, AProgramThatIsNotThereIsNamed) {
  for (const char* const output : {"", "results"}) {
    std::vector<std::string> words = {"run", "--kernel", "debian:6.12"};
    if (*output != '\0') words.insert(words.end(), {"--json", "--output", output});
    words.insert(words.end(), {"--", "no-such-program", "x"});
    const auto ended = run(words);
    if (!ended) return;
    EXPECT_EQ(ended->code, 3) << ended->errors;
    EXPECT_TRUE(has(ended->errors, "powercut: not found: ")) << ended->errors;
    EXPECT_TRUE(has(ended->errors, "no-such-program")) << ended->errors;
    EXPECT_EQ(ended->json.is_object(), *output != '\0') << ended->output;
  }
  // A folder of its own that stays empty does not stay.
  EXPECT_TRUE(!fs::exists(scratch() / "powercut-results") ||
              fs::is_empty(scratch() / "powercut-results"));
  EXPECT_TRUE(fs::exists(scratch() / "results"));
}

TEST_F(Run, ADiskThatCannotBeServedSaysWhy) {
  const auto ended = run(shell_load("true", {"--record", "no-such-folder/x"}));
  if (!ended) return;
  EXPECT_EQ(ended->code, 3);
  EXPECT_TRUE(has(ended->errors, "no-such-folder/x")) << ended->errors;
  EXPECT_TRUE(has(ended->errors, "No such file")) << ended->errors;
}

TEST_F(Run, WordsWithoutSenseAreUsage) {
  const std::vector<std::string> kCases[] = {{},
                                             {"nonsense"},
                                             {"hunt"},
                                             {"hunt", "debian:"},
                                             {"hunt", "debian:6.1", "--seconds", "0"},
                                             {"hunt", "debian:6.1", "--seconds", "x"},
                                             {"hunt", "debian:6.1", "--runs", "0"},
                                             {"hunt", "debian:6.1", "--cpus", "65"},
                                             {"hunt", "debian:6.1", "--accel", "xen"},
                                             {"hunt", "debian:6.1", "--nonsense"},
                                             {"hunt", "debian:6.1", "debian:6.12"},
                                             {"run"},
                                             {"run", "--kernel", "debian:6.1"},
                                             {"run", "--kernel", "debian:nonsense:x", "--", "true"},
                                             {"prove"},
                                             {"prove", "--kernel", "debian:", "image"},
                                             {"verify"},
                                             {"verify", "a", "b"},
                                             {"workload"},
                                             {"demo", "--nonsense"}};
  for (const auto& words : kCases) {
    const auto ended = run(words);
    if (!ended) return;
    EXPECT_EQ(ended->code, 2) << ::testing::PrintToString(words) << ended->errors;
    EXPECT_FALSE(ended->errors.empty());
    EXPECT_EQ(ended->output, "") << ::testing::PrintToString(words);
  }
  const auto help = run({"hunt", "--help"});
  ASSERT_TRUE(help);
  EXPECT_EQ(help->code, 0);
  EXPECT_TRUE(has(help->output, "--until-first"));
}

TEST_F(Run, WhatCannotBeReadIsTheEnvironments) {
  ASSERT_TRUE(File::create(scratch() / "zeroes", 1 << 20));
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"prove", "absent"}, {"prove", "zeroes"}, {"verify", "absent"}, {"verify", "zeroes"}}) {
    const auto ended = run(words);
    if (!ended) return;
    EXPECT_EQ(ended->code, 3) << ::testing::PrintToString(words) << ended->errors;
    EXPECT_TRUE(has(ended->errors, "powercut: ")) << ended->errors;
  }
}

}  // namespace
}  // namespace powercut::vm_testing
