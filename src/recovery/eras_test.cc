// Every damaged log of tests/support/damaged_logs, planned and applied by the rules of each
// implementation, against what that implementation was seen to make of it (damaged_logs.txt).
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "block/memory_device.h"
#include "block/overlay_device.h"
#include "recovery/recovery.h"
#include "tests/support/damaged_logs.h"

namespace powercut {
namespace {

using Contents = std::vector<std::uint8_t>;

constexpr std::uint32_t kEraBlockBytes = 1024;
constexpr std::uint64_t kEraDeviceBlocks = 3072;
constexpr std::uint32_t kEraLogBlocks = 1024;
constexpr std::size_t kPoolBlocks = 16;

// A column of the table.
struct Column {
  ChecksumKind kind;
  bool is_async;
};
constexpr std::array<Column, 8> kColumns = {{{ChecksumKind::kNone, false},
                                             {ChecksumKind::kNone, true},
                                             {ChecksumKind::kV1, false},
                                             {ChecksumKind::kV1, true},
                                             {ChecksumKind::kV2, false},
                                             {ChecksumKind::kV2, true},
                                             {ChecksumKind::kV3, false},
                                             {ChecksumKind::kV3, true}}};

using Outcomes = std::array<std::string, kColumns.size()>;
// By name of the log, then by whose rules.
using Table = std::map<std::string, std::map<RecoverAs, Outcomes>>;

std::vector<std::string> split(const std::string& text, const std::string& by) {
  std::vector<std::string> parts;
  for (std::size_t at = 0;;) {
    const std::size_t end = text.find(by, at);
    parts.push_back(text.substr(at, end - at));
    if (end == std::string::npos) return parts;
    at = end + by.size();
  }
}

Table read_table() {
  Table table;
  std::ifstream file(std::string(POWERCUT_SOURCE_DIR) + "/tests/support/damaged_logs.txt");
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    const auto parts = split(line, " | ");
    EXPECT_EQ(parts.size(), 2 + kColumns.size()) << line;
    for (const std::string& name : split(parts[1], ", ")) {
      const auto rules = recover_as_of(name);
      EXPECT_TRUE(rules) << line;
      std::copy(parts.begin() + 2, parts.end(), table[parts[0]][*rules].begin());
    }
  }
  return table;
}

// Where we differ, and why (docs/recovery.md).
bool differs_on_purpose(const std::string& name, RecoverAs rules) {
  static const std::set<std::string> by_all = {
      // The log would be written to while it is read.
      "tag names the journal's superblock", "tag names a log block behind",
      "tag names a log block before"};
  // Linux wants 1024 blocks of a ring, and a superblock of version 2 for metadata_csum.
  static const std::set<std::string> by_linux = {"log shorter", "log of 10 blocks", "first is 5",
                                                 "version 1"};
  // e2fsck makes a new superblock where the old one is damaged, and counts on at an empty log.
  static const std::set<std::string> by_e2fsck = {"empty",
                                                  "superblock, error -5, empty",
                                                  "log too short",
                                                  "log longer",
                                                  "log much longer",
                                                  "start past the end",
                                                  "first is 0",
                                                  "first past the end",
                                                  "start before first",
                                                  "block size",
                                                  "v2 and v3",
                                                  "v1 and v3",
                                                  "magic",
                                                  "superblock, checksum",
                                                  "superblock, spare byte",
                                                  "checksum type 3"};
  const auto& own = rules == RecoverAs::kE2fsck ? by_e2fsck : by_linux;
  return by_all.contains(name) || own.contains(name);
}

const MemoryDevice& empty_device() {
  static const MemoryDevice empty(kEraDeviceBlocks * kEraBlockBytes);
  return empty;
}

struct EraScene {
  OverlayDevice device{empty_device()};
  JournalMap map = map_in_one_run(BlockNo(1000), kEraLogBlocks, kEraBlockBytes, kEraDeviceBlocks);
};

// The blocks of the pool that are no longer all zero, as the table writes them.
std::string pool_text(const BlockView& device) {
  std::string text;
  Contents block(kEraBlockBytes);
  for (std::size_t i = 0; i < kPoolBlocks; ++i) {
    EXPECT_TRUE(device.read((testing::kLogPool + i) * kEraBlockBytes, block));
    if (all_zero(block)) continue;
    if (i == 0) {
      text += block == patterned_block(kEraBlockBytes, 7)   ? 'z'
              : block == patterned_block(kEraBlockBytes, 1) ? '0'
                                                            : '?';
    } else {
      text += "0123456789abcdef"[i];
    }
  }
  return text.empty() ? "-" : text;
}

std::string outcome_of(const EraScene& scene, Tid sequence, RecoverAs rules) {
  const auto plan = plan_recovery(scene.device, scene.map, {.recover_as = rules});
  if (!plan) return "r:-";
  const BlockView& before = scene.device;
  OverlayDevice target(before);
  EXPECT_TRUE(apply_recovery(*plan, target, scene.map, target));
  const std::string text = (plan->end == RecoveryEnd::kRefused ? "r:" : "m:") + pool_text(target);
  if (!plan->empties_log && plan->end != RecoveryEnd::kNothingToDo) return text;
  Contents block(kEraBlockBytes);
  EXPECT_TRUE(target.read(std::uint64_t{1000} * kEraBlockBytes, block));
  const auto after = JournalSuperblock::parse(block);
  EXPECT_TRUE(after && after->start == LogBlock(0));
  return after ? text + "+" + std::to_string(after->sequence.since(sequence)) : text;
}

// What each of the rules makes of the log in each column; `tid` that of the first transaction.
std::map<RecoverAs, Outcomes> outcomes_of(const testing::DamagedLog& log, Tid tid) {
  std::map<RecoverAs, Outcomes> outcomes;
  for (std::size_t i = 0; i < kColumns.size(); ++i) {
    const Column& column = kColumns[i];
    EraScene scene;
    const bool is_64bit = (static_cast<int>(column.kind) % 2 == 1) != column.is_async;
    JournalSpec spec = testing::damaged_log_spec(scene.map, column.kind, is_64bit, column.is_async);
    spec.sequence = tid;
    testing::put_damaged_log(log, spec, scene.map, scene.device);
    for (const RecoverAs rules : kAllRecoverAs) {
      outcomes[rules][i] = outcome_of(scene, tid, rules);
    }
  }
  return outcomes;
}

TEST(Eras, DecideAsTheImplementationsWereSeenTo) {
  const Table table = read_table();
  ASSERT_GT(table.size(), 150u);
  std::size_t compared = 0;
  for (const testing::DamagedLog& log : testing::damaged_logs()) {
    for (const bool is_zero : {false, true}) {
      const std::string name = log.name + (is_zero ? ", tid 0" : "");
      const auto seen = table.find(name);
      if (seen == table.end()) continue;
      const auto ours = outcomes_of(log, Tid(is_zero ? 0xFFFFFFFE : 7));
      for (const auto& [rules, expected] : seen->second) {
        SCOPED_TRACE(name + " by the rules of " + std::string(recover_as_name(rules)));
        if (differs_on_purpose(log.name, rules)) {
          EXPECT_NE(ours.at(rules), expected) << "no difference any more";
        } else {
          EXPECT_EQ(ours.at(rules), expected);
        }
        ++compared;
      }
    }
  }
  std::size_t rows = 0;
  for (const auto& [name, seen] : table) rows += seen.size();
  EXPECT_EQ(compared, rows) << "a log of the table is not made any more";
}

// The comparison above sees an era that decides as another one does.
TEST(Eras, AreNotTheSame) {
  const Table table = read_table();
  for (const testing::DamagedLog& log : testing::damaged_logs()) {
    if (log.name != "commit torn") continue;
    const auto& seen = table.at(log.name);
    const auto ours = outcomes_of(log, Tid(7));
    EXPECT_NE(ours.at(RecoverAs::kLinux), seen.at(RecoverAs::kLinux61));
    EXPECT_NE(ours.at(RecoverAs::kLinux61), seen.at(RecoverAs::kE2fsck));
    EXPECT_NE(ours.at(RecoverAs::kE2fsck), seen.at(RecoverAs::kLinux));
  }
}

}  // namespace
}  // namespace powercut
