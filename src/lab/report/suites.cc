#include "lab/report/suites.h"

#include <fmt/format.h>

#include "lab/report/explore_text.h"

namespace powercut::lab {
namespace {

// Each failure is a line in a report that people read.
constexpr std::size_t kFailuresMax = 100;

std::string described(const CheckFinding& finding) {
  return finding.rule + ": " + finding.words;
}

TestCase tag_case(std::span<const Finding> findings, const std::string& trouble) {
  TestCase made{.name = std::string(judge_name(JudgeName::kTag))};
  for (std::size_t i = 0; i < findings.size() && i < kFailuresMax; ++i) {
    made.failures.push_back(findings[i].describe());
  }
  if (made.failures.empty() && !trouble.empty()) made.skipped = trouble;
  return made;
}

TestCase stream_case(JudgeName judge, std::span<const CheckFinding> findings) {
  TestCase made{.name = std::string(judge_name(judge))};
  for (const CheckFinding& finding : findings) {
    if (finding.judge == judge && made.failures.size() < kFailuresMax) {
      made.failures.push_back(described(finding));
    }
  }
  return made;
}

void add_exploration(const ExploreResult& result, const std::string& repeat,
                     std::vector<TestCase>& cases) {
  for (const JudgeName judge : result.judges) {
    if (judge == JudgeName::kTag) {
      if (result.tag) cases.push_back(tag_case(result.tag->findings, result.tag->trouble));
      continue;
    }
    TestCase made = stream_case(judge, result.stream_findings);
    for (const GroupedFinding& group : result.findings) {
      if (group.finding.judge != judge || made.failures.size() >= kFailuresMax) continue;
      made.failures.push_back(fmt::format("{} ({} states; {} {})", described(group.finding),
                                          group.state_count, repeat, state_words(group.first)));
    }
    cases.push_back(std::move(made));
  }
}

TestCase online_case(const OnlineResult& result, const std::string& repeat) {
  TestCase made{.name = "explore while it runs"};
  for (const GroupedFinding& group : result.findings) {
    if (made.failures.size() >= kFailuresMax) break;
    made.failures.push_back(fmt::format("{}: {} ({} states; {} {})",
                                        judge_name(group.finding.judge), described(group.finding),
                                        group.state_count, repeat, state_words(group.first)));
  }
  if (made.failures.empty()) made.skipped = result.trouble;
  return made;
}

TestCase load_case(const RunOutcome& run) {
  TestCase made{.name = "load", .seconds = run.seconds};
  if (!is_complete(run.ending)) {
    made.failures.push_back(std::string(ending_name(run.ending)) +
                            (run.trouble.empty() ? "" : ": " + run.trouble));
  }
  return made;
}

}  // namespace

TestSuite runs_suite(const std::string& name, std::span<const RunOutcome> runs,
                     const std::string& repeat) {
  TestSuite suite{.name = name, .repeat = repeat, .cases = {}};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RunOutcome& run = runs[i];
    std::vector<TestCase> cases{load_case(run), tag_case(run.findings, run.disk.trouble)};
    if (run.online) cases.push_back(online_case(*run.online, run.explore_again));
    if (run.explored) add_exploration(*run.explored, run.explore_again, cases);
    if (!run.not_explored.empty()) {
      cases.push_back({.name = "explore", .skipped = run.not_explored});
    }
    for (TestCase& one : cases) {
      if (runs.size() > 1) one.name = fmt::format("run {}: {}", i + 1, one.name);
      suite.cases.push_back(std::move(one));
    }
  }
  return suite;
}

TestSuite exploration_suite(const ExploreResult& result, const std::string& repeat) {
  TestSuite suite{.name = "powercut explore", .repeat = repeat, .cases = {}};
  add_exploration(result, repeat, suite.cases);
  return suite;
}

TestSuite verification_suite(const VerifiedStream& verified, const std::string& repeat) {
  TestSuite suite{.name = "powercut verify", .repeat = repeat, .cases = {}};
  if (verified.tag != nullptr) {
    suite.cases.push_back(tag_case(verified.tag->findings, verified.tag->trouble));
  }
  if (verified.order != nullptr) {
    suite.cases.push_back(stream_case(JudgeName::kOrder, verified.order->findings));
    TestCase& order = suite.cases.back();
    if (order.failures.empty() && !verified.order->trouble.empty()) {
      order.skipped = verified.order->trouble;
    }
  }
  return suite;
}

}  // namespace powercut::lab
