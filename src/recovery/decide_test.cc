#include "recovery/decide.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace powercut {
namespace {

constexpr std::array kTids = {TidRelation::kExpected, TidRelation::kOlder, TidRelation::kNewer};
constexpr std::array kKinds = {ScannedKind::kDescriptor, ScannedKind::kRevoke, ScannedKind::kCommit,
                               ScannedKind::kOther};

std::vector<ScanFacts> all_facts() {
  std::vector<ScanFacts> all;
  for (unsigned bits = 0; bits < 512; ++bits) {
    const auto bit = [bits](unsigned index) { return (bits >> index & 1) != 0; };
    for (const TidRelation tid : kTids) {
      for (const ScannedKind kind : kKinds) {
        all.push_back(
            {bit(0), bit(1), tid, kind, bit(2), bit(3), bit(4), bit(5), bit(6), bit(7), bit(8)});
      }
    }
  }
  return all;
}

std::string text_of(const ScanFacts& facts) {
  std::string text = facts.is_inside ? "inside" : "past";
  text += facts.has_magic ? " magic" : "";
  text += " tid " + std::to_string(static_cast<int>(facts.tid));
  text += " kind " + std::to_string(static_cast<int>(facts.kind));
  text += facts.matches ? " matches" : "";
  text += facts.is_readable ? " readable" : "";
  text += facts.is_suspect ? " suspect" : "";
  text += facts.has_dropped ? " dropped" : "";
  text += facts.is_older ? " older" : "";
  text += facts.is_async ? " async" : "";
  text += facts.is_v1 ? " v1" : "";
  return text;
}

TEST(ScanTable, ExactlyOneRowMatchesEveryCombination) {
  std::set<std::string_view> used;
  for (const ScanFacts& facts : all_facts()) {
    std::string names;
    int matches = 0;
    for (const ScanRow& row : scan_table()) {
      if (!row.accepts(facts)) continue;
      ++matches;
      names += " '" + std::string(row.name) + "'";
    }
    ASSERT_EQ(matches, 1) << text_of(facts) << " ->" << names;
    used.insert(decide(facts).name);
  }
  EXPECT_EQ(used.size(), scan_table().size()) << "a row that nothing matches";
}

// A few combinations in words, so that a row with the wrong step is seen.
TEST(ScanTable, Steps) {
  const ScanFacts commit = {
      .is_inside = true, .has_magic = true, .kind = ScannedKind::kCommit, .matches = true};
  const auto with = [](ScanFacts facts, auto change) {
    change(facts);
    return decide(facts).step;
  };
  using Facts = ScanFacts&;
  EXPECT_EQ(decide(commit).step, ScanStep::kCommitWhole);
  EXPECT_EQ(with(commit, [](Facts f) { f.is_inside = false; }), ScanStep::kLogEnds);
  EXPECT_EQ(with(commit, [](Facts f) { f.tid = TidRelation::kOlder; }), ScanStep::kLogEnds);
  EXPECT_EQ(with(commit, [](Facts f) { f.tid = TidRelation::kNewer; }), ScanStep::kLogEnds);
  EXPECT_EQ(with(commit, [](Facts f) { f.is_older = true; }), ScanStep::kCommitWhole);
  EXPECT_EQ(with(commit, [](Facts f) { f.matches = false; }), ScanStep::kRefuseRest);
  EXPECT_EQ(with(commit, [](Facts f) { f.matches = false, f.is_older = true; }), ScanStep::kStale);
  EXPECT_EQ(with(commit, [](Facts f) { f.matches = false, f.is_async = true; }),
            ScanStep::kDropWhole);
  EXPECT_EQ(with(commit, [](Facts f) { f.is_async = f.has_dropped = true; }), ScanStep::kDropLost);
  EXPECT_EQ(with(commit, [](Facts f) { f.is_async = f.has_dropped = f.is_v1 = true; }),
            ScanStep::kRefuseRest);
  EXPECT_EQ(with(commit, [](Facts f) { f.is_suspect = true; }), ScanStep::kRefuseAll);
  EXPECT_EQ(with(commit, [](Facts f) { f.is_suspect = f.is_older = true; }), ScanStep::kStale);
  EXPECT_EQ(with(commit, [](Facts f) { f.kind = ScannedKind::kOther; }), ScanStep::kLogEnds);
  EXPECT_EQ(with(commit, [](Facts f) { f.kind = ScannedKind::kRevoke; }), ScanStep::kSuspect);
}

}  // namespace
}  // namespace powercut
