#include "recovery/decide.h"

#include <gtest/gtest.h>

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
  for (unsigned bits = 0; bits < 1024; ++bits) {
    const auto bit = [bits](unsigned index) { return (bits >> index & 1) != 0; };
    for (const TidRelation tid : kTids) {
      for (const ScannedKind kind : kKinds) {
        for (const RecoverAs rules : kAllRecoverAs) {
          all.push_back({bit(0), bit(1), tid, kind, bit(2), bit(3), bit(4), bit(5), bit(6), bit(7),
                         bit(8), bit(9), rules});
        }
      }
    }
  }
  return all;
}

std::vector<BlockFacts> all_block_facts() {
  std::vector<BlockFacts> all;
  for (unsigned bits = 0; bits < 16; ++bits) {
    const auto bit = [bits](unsigned index) { return (bits >> index & 1) != 0; };
    for (const RecoverAs rules : kAllRecoverAs)
      all.push_back({bit(0), bit(1), bit(2), bit(3), rules});
  }
  return all;
}

std::string text_of(const ScanFacts& facts) {
  std::string text = facts.is_inside ? "inside" : "past";
  text += facts.has_magic ? " magic" : "";
  text += " tid " + std::to_string(static_cast<int>(facts.tid));
  text += " kind " + std::to_string(static_cast<int>(facts.kind));
  text += facts.matches ? " matches" : "";
  text += facts.head_matches ? " head" : "";
  text += facts.is_too_long ? " too long" : "";
  text += facts.is_suspect ? " suspect" : "";
  text += facts.has_dropped ? " dropped" : "";
  text += facts.is_older ? " older" : "";
  text += facts.is_async ? " async" : "";
  text += facts.is_tid_zero ? " zero" : "";
  return text + " " + std::string(recover_as_name(facts.rules));
}

std::string text_of(const BlockFacts& facts) {
  std::string text(recover_as_name(facts.rules));
  text += facts.is_revoked ? " revoked" : "";
  text += facts.matches ? " matches" : "";
  text += facts.is_outside ? " outside" : "";
  return text + (facts.is_in_log ? " in the log" : "");
}

template <class Row, class Facts>
void expect_one_row_each(std::span<const Row> table, const std::vector<Facts>& all) {
  std::set<std::string_view> used;
  for (const Facts& facts : all) {
    std::string names;
    int matches = 0;
    for (const Row& row : table) {
      if (!row.accepts(facts)) continue;
      ++matches;
      names += " '" + std::string(row.name) + "'";
    }
    ASSERT_EQ(matches, 1) << text_of(facts) << " ->" << names;
    used.insert(decide(facts).name);
  }
  EXPECT_EQ(used.size(), table.size()) << "a row that nothing matches";
}

TEST(ScanTable, ExactlyOneRowMatchesEveryCombination) {
  expect_one_row_each(scan_table(), all_facts());
}

TEST(BlockTable, ExactlyOneRowMatchesEveryCombination) {
  expect_one_row_each(block_table(), all_block_facts());
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
  EXPECT_EQ(with(commit, [](Facts f) { f.matches = false, f.is_tid_zero = true; }),
            ScanStep::kForget);
  EXPECT_EQ(with(commit, [](Facts f) { f.matches = false, f.is_async = true; }), ScanStep::kDrop);
  EXPECT_EQ(with(commit, [](Facts f) { f.matches = false, f.is_async = f.is_tid_zero = true; }),
            ScanStep::kKeep);
  EXPECT_EQ(with(commit, [](Facts f) { f.is_async = f.has_dropped = true; }),
            ScanStep::kRefuseRest);
  const auto torn = [](Facts f) { f.matches = false, f.head_matches = true; };
  EXPECT_EQ(with(commit, torn), ScanStep::kCommitTorn);
  EXPECT_EQ(with(commit, [&](Facts f) { torn(f), f.is_older = true; }), ScanStep::kCommitTorn);
  EXPECT_EQ(with(commit, [&](Facts f) { torn(f), f.rules = RecoverAs::kLinux61; }),
            ScanStep::kAsDamaged);
  EXPECT_EQ(with(commit, [](Facts f) { f.is_suspect = true; }), ScanStep::kRefuseAll);
  EXPECT_EQ(with(commit, [](Facts f) { f.is_suspect = f.is_older = true; }), ScanStep::kStale);
  EXPECT_EQ(with(commit, [](Facts f) { f.kind = ScannedKind::kOther; }), ScanStep::kLogEnds);
  EXPECT_EQ(with(commit, [](Facts f) { f.kind = ScannedKind::kRevoke; }),
            ScanStep::kCollectRevokes);
  EXPECT_EQ(with(commit, [](Facts f) { f.kind = ScannedKind::kRevoke, f.matches = false; }),
            ScanStep::kSuspect);
  const auto long_revoke = [](Facts f) { f.kind = ScannedKind::kRevoke, f.is_too_long = true; };
  EXPECT_EQ(with(commit, long_revoke), ScanStep::kRefuseLength);
  EXPECT_EQ(with(commit, [&](Facts f) { long_revoke(f), f.rules = RecoverAs::kLinux612; }),
            ScanStep::kCollectRevokes);
}

TEST(BlockTable, Steps) {
  EXPECT_EQ(decide(BlockFacts{.matches = true}).step, BlockStep::kReplay);
  EXPECT_EQ(decide(BlockFacts{}).step, BlockStep::kSkip);
  EXPECT_EQ(decide(BlockFacts{.is_revoked = true}).step, BlockStep::kRevoke);
  const BlockFacts outside = {.matches = true, .is_outside = true};
  EXPECT_EQ(decide(outside).step, BlockStep::kStop);
  EXPECT_EQ(
      decide(BlockFacts{.matches = true, .is_outside = true, .rules = RecoverAs::kE2fsck}).step,
      BlockStep::kPassBy);
}

// A page's table whose last column is the step and whose first two are the name and the rules.
std::vector<std::string> printed_rows(const std::string& heading) {
  std::ifstream file(std::string(POWERCUT_SOURCE_DIR) + "/docs/recovery.md");
  std::vector<std::string> rows;
  std::string line;
  while (std::getline(file, line) && line != heading) {
  }
  while (std::getline(file, line) && !line.starts_with("## ")) {
    const bool is_row = line.starts_with("| ") && !line.starts_with("| row |");
    if (!is_row) continue;
    const std::size_t name_end = line.find(" | ");
    const std::size_t rules_end = line.find(" | ", name_end + 3);
    const std::size_t step = line.rfind("| ", line.size() - 2) + 2;
    rows.push_back(line.substr(2, name_end - 2) + ": " +
                   line.substr(name_end + 3, rules_end - name_end - 3) + ": " +
                   line.substr(step, line.size() - 2 - step));
  }
  return rows;
}

template <class Row, class Name>
std::vector<std::string> table_rows(std::span<const Row> table, Name step_name) {
  std::vector<std::string> rows;
  for (const Row& row : table) {
    rows.push_back(std::string(row.name) + ": " + row_rules_text(row.rules) + ": " +
                   std::string(step_name(row.step)));
  }
  return rows;
}

// The page prints the tables: the same rows in the same order with the same rules and steps.
TEST(ScanTable, IsTheOneInTheDocs) {
  const auto printed = printed_rows("## Scan");
  if (printed.empty()) GTEST_SKIP() << "no docs/recovery.md";
  EXPECT_EQ(printed, table_rows(scan_table(), scan_step_name));
}

TEST(BlockTable, IsTheOneInTheDocs) {
  const auto printed = printed_rows("## Revoke and replay");
  if (printed.empty()) GTEST_SKIP() << "no docs/recovery.md";
  EXPECT_EQ(printed, table_rows(block_table(), block_step_name));
}

}  // namespace
}  // namespace powercut
