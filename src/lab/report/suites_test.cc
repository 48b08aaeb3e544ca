#include "lab/report/suites.h"

#include <gtest/gtest.h>

namespace powercut::lab {
namespace {

CheckFinding finding(JudgeName judge, const char* rule) {
  CheckFinding made;
  made.judge = judge;
  made.rule = rule;
  made.words = "words";
  return made;
}

ExploreResult some_result() {
  ExploreResult result;
  result.judges = {JudgeName::kOrder, JudgeName::kRecover, JudgeName::kContent};
  result.stream_findings = {finding(JudgeName::kOrder, "home-ahead")};
  result.findings = {{finding(JudgeName::kContent, "words-lost"), {7, "1-2"}, 3}};
  return result;
}

std::string words_of(const TestSuite& suite) {
  std::string text;
  for (const TestCase& one : suite.cases) {
    text += one.name + (one.skipped ? " skipped: " + *one.skipped : "") + "\n";
    for (const std::string& failure : one.failures) text += "  " + failure + "\n";
  }
  return text;
}

TEST(Suites, AnExplorationHasACaseForEachJudge) {
  const TestSuite suite = exploration_suite(some_result(), "powercut explore x");
  EXPECT_EQ(words_of(suite),
            "order\n  home-ahead: words\nrecover\ncontent\n"
            "  words-lost: words (3 states; powercut explore x --crash 7 --keep 1-2)\n");
}

TEST(Suites, ARunHasItsLoadAndItsCommitsAsWell) {
  RunOutcome good, lost;
  good.explored = some_result();
  good.explore_again = "again";
  lost.ending = Ending::kHung;
  lost.trouble = "no answer";
  lost.disk.trouble = "no journal";
  lost.not_explored = "no recording";
  EXPECT_EQ(words_of(runs_suite("powercut run", std::vector{good, lost}, "repeat")),
            "run 1: load\nrun 1: tag\nrun 1: order\n  home-ahead: words\nrun 1: recover\n"
            "run 1: content\n  words-lost: words (3 states; again --crash 7 --keep 1-2)\n"
            "run 2: load\n  " +
                std::string(ending_name(Ending::kHung)) +
                ": no answer\nrun 2: tag skipped: no journal\n"
                "run 2: explore skipped: no recording\n");
}

TEST(Suites, AVerificationHasItsTwoJudges) {
  Verification tag;
  tag.findings.emplace_back();
  OrderVerification order;
  order.trouble = "no file system";
  const TestSuite suite = verification_suite({&tag, &order, {}}, "repeat");
  ASSERT_EQ(suite.cases.size(), 2u);
  EXPECT_EQ(suite.cases[0].failures.size(), 1u);
  EXPECT_EQ(suite.cases[1].skipped, "no file system");
  EXPECT_EQ(verification_suite({}, "repeat").cases.size(), 0u);
}

}  // namespace
}  // namespace powercut::lab
