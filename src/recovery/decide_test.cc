#include "recovery/decide.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
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

// The page prints the table: the same rows in the same order with the same steps.
TEST(ScanTable, IsTheOneInTheDocs) {
  const auto page = std::filesystem::path(__FILE__).parent_path() / "../../docs/recovery.md";
  std::ifstream file(page);
  if (!file) GTEST_SKIP() << "no " << page;
  std::vector<std::string> printed;
  for (std::string line; std::getline(file, line) && line != "## Revoke and replay";) {
    const bool is_row = line.starts_with("| ") && !line.starts_with("| row |");
    if (!is_row) continue;
    const std::size_t name_end = line.find(" | ");
    const std::size_t step = line.rfind("| ", line.size() - 2) + 2;
    printed.push_back(line.substr(2, name_end - 2) + ": " +
                      line.substr(step, line.size() - 2 - step));
  }
  std::vector<std::string> expected;
  for (const ScanRow& row : scan_table()) {
    expected.push_back(std::string(row.name) + ": " + std::string(scan_step_name(row.step)));
  }
  EXPECT_EQ(printed, expected);
}

}  // namespace
}  // namespace powercut
