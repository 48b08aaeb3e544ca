#include "lab/campaign/hunt.h"

#include <gtest/gtest.h>

namespace powercut::lab {
namespace {

RunOutcome run(Ending ending, std::uint64_t commits, std::uint64_t findings) {
  RunOutcome outcome;
  outcome.ending = ending;
  JudgeCounters& counters = outcome.disk.counters;
  counters.commit_count = commits;
  counters.tid_count = commits + 1;
  counters.block_count = 10 * commits;
  counters.verified_count = 9 * commits;
  counters.finding_count = findings;
  counters.bad_transaction_count = findings > 0 ? 1 : 0;
  outcome.load_started = 4.0;
  outcome.load_ended = 14.0;
  return outcome;
}

Finding finding(FindingKind kind, std::uint32_t index, std::uint32_t count) {
  Finding made;
  made.kind = kind;
  made.index = index;
  made.count = count;
  return made;
}

TEST(Hunt, NothingCountsAsNothing) {
  const HuntCounts counts = count({});
  EXPECT_EQ(counts.run_count, 0u);
  EXPECT_EQ(counts.bad_run_share.low, 0);
  EXPECT_EQ(counts.bad_run_share.high, 1);
  EXPECT_EQ(counts.clean_bound, 1);
}

TEST(Hunt, AnIncompleteRunCountsOnlyIfItFoundSomething) {
  const struct {
    Ending ending;
    std::uint64_t findings;
    std::uint64_t runs, bad, incomplete;
  } kCases[] = {{Ending::kLoadEnded, 0, 1, 0, 0},    {Ending::kLoadEnded, 2, 1, 1, 0},
                {Ending::kFirstFinding, 1, 1, 1, 0}, {Ending::kInterrupted, 0, 0, 0, 1},
                {Ending::kInterrupted, 1, 1, 1, 0},  {Ending::kLoadFailed, 0, 0, 0, 1},
                {Ending::kMountFailed, 0, 0, 0, 1},  {Ending::kPanic, 0, 0, 0, 1},
                {Ending::kPanic, 3, 1, 1, 0},        {Ending::kHung, 0, 0, 0, 1},
                {Ending::kGuestLost, 0, 0, 0, 1},    {Ending::kDiskLost, 0, 0, 0, 1}};
  for (const auto& one : kCases) {
    SCOPED_TRACE(std::string(ending_name(one.ending)) + std::to_string(one.findings));
    const RunOutcome outcome = run(one.ending, 5, one.findings);
    const HuntCounts counts = count(std::span(&outcome, 1));
    EXPECT_EQ(counts.run_count, one.runs);
    EXPECT_EQ(counts.bad_run_count, one.bad);
    EXPECT_EQ(counts.incomplete_count, one.incomplete);
    EXPECT_EQ(counts.commit_count, 5u);
  }
}

TEST(Hunt, ARunWhoseJournalWasNotCheckedIsNoCleanRun) {
  RunOutcome outcome = run(Ending::kLoadEnded, 5, 0);
  EXPECT_TRUE(outcome.is_whole());
  outcome.disk.trouble = "superblock: magic";
  EXPECT_FALSE(outcome.is_whole());
  EXPECT_EQ(count(std::span(&outcome, 1)).run_count, 0u);
  EXPECT_EQ(count(std::span(&outcome, 1)).incomplete_count, 1u);
  outcome.disk.counters.finding_count = 1;
  EXPECT_EQ(count(std::span(&outcome, 1)).bad_run_count, 1u);
}

TEST(Hunt, CountsRunsWhoseStatesWereExplored) {
  std::vector<RunOutcome> runs{run(Ending::kLoadEnded, 5, 0), run(Ending::kLoadEnded, 5, 0),
                               run(Ending::kLoadEnded, 5, 0)};
  for (std::size_t i = 0; i < 2; ++i) {
    runs[i].explored.emplace();
    runs[i].explored->counts.judged = 100;
  }
  EXPECT_FALSE(runs[0].has_findings());
  runs[0].explored->counts.bad = 3;
  runs[0].explored->findings.emplace_back();
  EXPECT_TRUE(runs[0].has_findings());
  const HuntCounts counts = count(runs);
  EXPECT_EQ(counts.bad_run_count, 0u);
  EXPECT_EQ(counts.explored_run_count, 2u);
  EXPECT_EQ(counts.explored_bad_run_count, 1u);
  EXPECT_EQ(counts.judged_count, 200u);
  EXPECT_EQ(counts.bad_state_count, 3u);
  EXPECT_GT(counts.explored_bad_share.low, 0);
  EXPECT_LT(counts.explored_bad_share.high, 1);
}

TEST(Hunt, AddsUp) {
  std::vector<RunOutcome> runs{run(Ending::kLoadEnded, 100, 0), run(Ending::kFirstFinding, 20, 3),
                               run(Ending::kHung, 7, 0)};
  runs[2].load_ended.reset();
  const HuntCounts counts = count(runs);
  EXPECT_EQ(counts.run_count, 2u);
  EXPECT_EQ(counts.commit_count, 127u);
  EXPECT_EQ(counts.tid_count, 130u);
  EXPECT_EQ(counts.block_count, 1270u);
  EXPECT_EQ(counts.verified_count, 1143u);
  EXPECT_EQ(counts.finding_count, 3u);
  EXPECT_EQ(counts.bad_transaction_count, 1u);
  EXPECT_EQ(counts.load_seconds, 20);
  EXPECT_LT(counts.bad_run_share.low, 0.5);
  EXPECT_GT(counts.bad_run_share.high, 0.5);
  EXPECT_FALSE(runs[2].has_all_commits());
}

TEST(Hunt, CountsPlacesInTheirTransactions) {
  RunOutcome outcome = run(Ending::kLoadEnded, 100, 5);
  outcome.findings = {
      finding(FindingKind::kDataChecksum, 9, 9), finding(FindingKind::kDataChecksum, 5, 9),
      finding(FindingKind::kDataChecksum, 4, 9), finding(FindingKind::kDataChecksum, 1, 1),
      finding(FindingKind::kTidGap, 0, 0)};
  const HuntCounts counts = count(std::span(&outcome, 1));
  EXPECT_EQ(counts.position_known_count, 4u);
  EXPECT_EQ(counts.last_block_count, 2u);
  EXPECT_EQ(counts.last_five_count, 3u);
}

TEST(Hunt, ReplayableTimesAreThoseThatAreKnown) {
  EXPECT_EQ(replayable_times({}).known_count, 0u);
  std::vector<RunOutcome> runs{run(Ending::kLoadEnded, 1, 2), run(Ending::kLoadEnded, 1, 2)};
  for (const int seconds : {9, 1}) {
    Finding known;
    known.replayable = std::chrono::seconds(seconds);
    runs[0].findings.push_back(known);
    runs[0].findings.emplace_back();
  }
  Finding last;
  last.replayable = std::chrono::seconds(4);
  runs[1].findings.push_back(last);
  const ReplayableTimes times = replayable_times(runs);
  EXPECT_EQ(times.known_count, 3u);
  EXPECT_EQ(times.shortest, 1);
  EXPECT_EQ(times.median, 4);
  EXPECT_EQ(times.longest, 9);
}

TEST(RunOutcome, TheCheckHasItsShare) {
  RunOutcome outcome;
  EXPECT_EQ(outcome.check_share(), 0);
  outcome.guest_cpu_seconds = 6;
  outcome.disk.cpu_seconds = 2;
  outcome.disk.counters.judge_time = std::chrono::seconds(1);
  EXPECT_EQ(outcome.check_share(), 0.125);
}

}  // namespace
}  // namespace powercut::lab
