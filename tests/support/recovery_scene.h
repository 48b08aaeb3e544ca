// What the tests of a recovery share: a device of random home blocks with a built journal, and what
// a plan must make of it, as a view and applied.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <set>
#include <string>

#include "base/prng.h"
#include "base/stored_int.h"
#include "block/memory_device.h"
#include "block/overlay_device.h"
#include "recovery/recovery.h"
#include "tests/support/journal_builder.h"

namespace powercut::recovery_testing {

using Kind = BuiltWrite::Kind;
using Contents = std::vector<std::uint8_t>;

inline constexpr std::uint64_t kDeviceBlocks = 300;
inline constexpr BlockNo kJournalAt{100};
inline constexpr std::uint32_t kLogBlocks = 48;

// What a device holds before any journal is put there; made once for each block size.
inline const Contents& random_home(std::uint32_t block_bytes) {
  static std::map<std::uint32_t, Contents> all;
  Contents& home = all[block_bytes];
  if (!home.empty()) return home;
  home.resize(kDeviceBlocks * block_bytes);
  Prng(7).fill(home);
  return home;
}

// Sanitizers make a comparison byte by byte slow.
inline bool is_same(Bytes a, Bytes b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

// A device of random home blocks, with the journal that `builder` holds.
struct Scene {
  explicit Scene(const JournalBuilder& builder)
      : block_bytes(builder.spec().block_bytes),
        map(map_in_one_run(kJournalAt, builder.spec().log_block_count, block_bytes, kDeviceBlocks)),
        device(random_home(block_bytes)),
        before(random_home(block_bytes)) {
    EXPECT_TRUE(builder.write_to(device, map));
  }
  Bytes block(Bytes all, std::uint64_t number) const {
    return all.subspan(number * block_bytes, block_bytes);
  }

  std::uint32_t block_bytes;
  JournalMap map;
  MemoryDevice device;
  const Contents& before;  // the home blocks before any recovery
};

// Reads in pieces of odd sizes, so that pieces begin and end inside blocks.
inline Contents read_all(const BlockView& view) {
  Contents all(view.size_bytes());
  Prng prng(5);
  for (std::size_t done = 0; done < all.size();) {
    const std::size_t count = std::min<std::size_t>(1 + prng.below(9000), all.size() - done);
    EXPECT_TRUE(view.read(done, MutableBytes(all).subspan(done, count)));
    done += count;
  }
  return all;
}

// What the plan makes of the device: checked against the builder's model, as a view and applied.
inline void expect_home(const Scene& scene, const JournalBuilder& builder,
                        const RecoveryPlan& plan) {
  std::optional<Tid> up_to = builder.spec().sequence.previous();
  std::set<std::uint64_t> kept;
  for (const LoggedTransaction& transaction : plan.transactions) {
    up_to = transaction.tid;
    for (const LoggedBlock& block : transaction.blocks) {
      if (block.verdict == BlockVerdict::kSkippedDamaged) kept.insert(block.home.value());
      if (block.verdict == BlockVerdict::kNotReached) kept.insert(block.home.value());
    }
  }
  auto expected = builder.expected_home(up_to);
  // The model knows nothing of damage, and without checksums the recovery does not either.
  if (builder.spec().checksum == ChecksumKind::kNone) {
    for (const BuiltWrite& write : builder.writes()) {
      const auto news = expected.find(write.home.value());
      const bool is_replayed = news != expected.end() && !up_to->comes_before(write.tid);
      if (write.kind != Kind::kData || write.is_escaped || !is_replayed) continue;
      news->second = write.bytes;
    }
  }
  OverlayDevice target(scene.device);
  ASSERT_TRUE(apply_recovery(plan, scene.device, scene.map, target));
  const Contents applied = read_all(target);
  const Contents seen = read_all(RecoveredView(scene.device, scene.map, plan));
  for (std::uint64_t number = 0; number < kDeviceBlocks; ++number) {
    if (scene.map.log_block(BlockNo(number))) continue;
    const auto news = kept.contains(number) ? expected.end() : expected.find(number);
    const Bytes wanted =
        news != expected.end() ? Bytes(news->second) : scene.block(scene.before, number);
    EXPECT_TRUE(is_same(scene.block(applied, number), wanted)) << "applied " << number;
    EXPECT_TRUE(is_same(scene.block(seen, number), wanted)) << "view " << number;
  }
  const auto after = JournalSuperblock::parse(scene.block(applied, kJournalAt.value()));
  ASSERT_TRUE(after);
  const bool is_emptied = plan.empties_log;
  EXPECT_EQ(after->start, is_emptied ? LogBlock(0) : plan.superblock.start);
  EXPECT_EQ(after->sequence, is_emptied ? plan.next_tid.next() : plan.superblock.sequence);
}

// The journal that most cases share:
//   first   blocks 10, 11 (escaped), 12
//   second  revokes 10 and 20; blocks 13, 14, a descriptor for each
//   third   blocks 10 (once more), 15
inline void fill(JournalBuilder& builder) {
  const std::uint32_t size = builder.spec().block_bytes;
  builder.add_transaction({.blocks = {{BlockNo(10), patterned_block(size, 1)},
                                      {BlockNo(11), magic_block(size, 2)},
                                      {BlockNo(12), patterned_block(size, 3)}}});
  builder.add_transaction(
      {.blocks = {{BlockNo(13), patterned_block(size, 4)}, {BlockNo(14), patterned_block(size, 5)}},
       .revokes = {BlockNo(10), BlockNo(20)},
       .tags_per_descriptor = 1});
  builder.add_transaction({.blocks = {{BlockNo(10), patterned_block(size, 6)},
                                      {BlockNo(15), patterned_block(size, 7)}}});
}

inline Tid tid_at(const JournalBuilder& builder, std::uint32_t index) {
  return Tid(builder.spec().sequence.value() + index);
}

inline std::vector<JournalSpec> all_specs() {
  std::vector<JournalSpec> specs;
  for (const ChecksumKind checksum :
       {ChecksumKind::kNone, ChecksumKind::kV1, ChecksumKind::kV2, ChecksumKind::kV3}) {
    for (const bool is_64bit : {false, true}) {
      for (const std::uint32_t block_bytes : {1024u, 4096u}) {
        for (const bool wraps : {false, true}) {
          JournalSpec spec;
          spec.block_bytes = block_bytes;
          spec.checksum = checksum;
          spec.is_64bit = is_64bit;
          spec.log_block_count = kLogBlocks;
          spec.start = LogBlock(wraps ? kLogBlocks - 6 : 1);
          // Not tid 0 for a transaction that is damaged: Linux takes it for none.
          spec.sequence = Tid(wraps ? 0xFFFFFFFD : 1);
          specs.push_back(spec);
        }
      }
    }
  }
  return specs;
}

inline std::string text_of(const JournalSpec& spec) {
  return "checksum " + std::to_string(static_cast<int>(spec.checksum)) +
         (spec.is_64bit ? ", 64 bit, " : ", 32 bit, ") + std::to_string(spec.block_bytes) +
         " bytes, from tid " + std::to_string(spec.sequence.value()) +
         (spec.is_async ? ", async" : "");
}

// What a recovery must come to.
struct Outcome {
  RecoveryEnd end = RecoveryEnd::kClean;
  RecoveryRule rule = RecoveryRule::kLogEnds;
  std::size_t whole = 3;
  std::size_t replayed = 6;
  bool operator==(const Outcome&) const = default;
};
inline constexpr Outcome kAll = {};
inline constexpr Outcome kOne = {RecoveryEnd::kClean, RecoveryRule::kLogEnds, 1, 3};
inline constexpr Outcome kTwo = {RecoveryEnd::kClean, RecoveryRule::kLogEnds, 2, 4};
inline constexpr Outcome kStaleAtTwo = {RecoveryEnd::kClean, RecoveryRule::kStaleCommit, 1, 3};

constexpr Outcome refused(RecoveryRule rule, std::size_t whole, std::size_t replayed) {
  return {RecoveryEnd::kRefused, rule, whole, replayed};
}
inline constexpr Outcome kBadCommit = refused(RecoveryRule::kCommitChecksum, 1, 3);
inline constexpr Outcome kBadData = refused(RecoveryRule::kDataChecksum, 3, 5);
inline constexpr Outcome kBadTail = refused(RecoveryRule::kDescriptorChecksum, 1, 0);
inline constexpr Outcome kBadFormat = refused(RecoveryRule::kDescriptorFormat, 1, 0);
inline constexpr Outcome kNothingRevoked = {RecoveryEnd::kClean, RecoveryRule::kLogEnds, 3, 7};

inline Outcome outcome_of(const RecoveryPlan& plan) {
  return {plan.end, plan.end_rule, plan.transactions.size(), plan.replay_count};
}

inline std::string text_of(const Outcome& outcome) {
  const char* const ends[] = {"nothing to do", "clean", "refused"};
  return std::string(ends[static_cast<int>(outcome.end)]) + " by '" +
         std::string(recovery_rule_name(outcome.rule)) + "', " + std::to_string(outcome.whole) +
         " whole, " + std::to_string(outcome.replayed) + " replayed";
}
inline void PrintTo(const Outcome& outcome, std::ostream* out) {
  *out << text_of(outcome);
}

// Flips a bit of a write of the second transaction.
inline void flip_in_second(JournalBuilder& builder, Kind kind, std::size_t index,
                           std::size_t offset) {
  fill(builder);
  builder.damage(tid_at(builder, 1), kind, index, offset);
}

}  // namespace powercut::recovery_testing
