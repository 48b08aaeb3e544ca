// Recovery over built journals: every kind of checksum, width and block size, the ring wrapped and
// the tids wrapped, undamaged and damaged in one chosen place.
#include "recovery/recovery.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/support/recovery_scene.h"

namespace powercut::recovery_testing {
namespace {

struct Planted {  // the one damage that the plan must report, if it refuses
  Kind kind = Kind::kData;
  std::size_t index = 0;
  std::uint32_t transaction = 1;  // counted from 0
};

struct Case {
  const char* name;
  std::function<void(JournalBuilder&)> build;
  Planted planted;
  Outcome none, v1, v2_v3;
};

Outcome expected_of(const Case& each, ChecksumKind kind) {
  switch (kind) {
    case ChecksumKind::kNone: return each.none;
    case ChecksumKind::kV1: return each.v1;
    case ChecksumKind::kV2:
    case ChecksumKind::kV3: return each.v2_v3;
  }
  return {};
}

void expect_damage(const JournalBuilder& filled, const Case& each, const RecoveryPlan& plan) {
  const bool is_named =
      plan.end == RecoveryEnd::kRefused || plan.end_rule == RecoveryRule::kCommitChecksum;
  ASSERT_EQ(plan.damages.size(), is_named ? 1u : 0u);
  if (plan.damages.empty()) return;
  JournalBuilder copy = filled;
  const Tid tid = tid_at(copy, each.planted.transaction);
  const BuiltWrite& write = copy.write_of(tid, each.planted.kind, each.planted.index);
  const Damage& damage = plan.damages.front();
  EXPECT_EQ(damage.rule, plan.end_rule);
  EXPECT_EQ(damage.tid, tid);
  EXPECT_EQ(damage.log_block, write.log);
  if (write.kind == Kind::kData) {
    EXPECT_EQ(damage.home, write.home);
  }
  const bool is_checksum = damage.rule != RecoveryRule::kDescriptorFormat;
  EXPECT_EQ(damage.stored != damage.computed, is_checksum);
}

void expect_outcomes(const JournalSpec& spec, std::span<const Case> cases) {
  for (const Case& each : cases) {
    SCOPED_TRACE(std::string(each.name) + ": " + text_of(spec));
    JournalBuilder builder(spec);
    each.build(builder);
    const Scene scene(builder);
    const auto plan = plan_recovery(scene.device, scene.map);
    ASSERT_TRUE(plan) << plan.error().what;
    EXPECT_EQ(outcome_of(*plan), expected_of(each, spec.checksum));
    EXPECT_EQ(plan->next_tid,
              tid_at(builder, static_cast<std::uint32_t>(plan->transactions.size())));
    expect_home(scene, builder, *plan);
    // With v1 the commit block answers for data and descriptors.
    Case planted = each;
    if (plan->end_rule == RecoveryRule::kCommitChecksum) {
      planted.planted = {Kind::kCommit, 0, each.planted.transaction};
    }
    expect_damage(builder, planted, *plan);
  }
}

// flip(), and the commit block comes so many seconds after the first transaction's.
std::function<void(JournalBuilder&)> flip_at(std::int64_t seconds, Kind kind, std::size_t index,
                                             std::size_t offset) {
  return [=](JournalBuilder& builder) {
    fill(builder);
    const auto time = static_cast<std::int64_t>(builder.spec().commit_seconds) + seconds;
    BuiltWrite& commit = builder.write_of(tid_at(builder, 1), Kind::kCommit);
    store(commit.bytes, 0x30, Be64(static_cast<std::uint64_t>(time)));
    builder.reseal(commit);
    builder.damage(tid_at(builder, 1), kind, index, offset);
  };
}

std::function<void(JournalBuilder&)> flip_older(Kind kind, std::size_t index, std::size_t offset) {
  return flip_at(-1, kind, index, offset);
}

std::function<void(JournalBuilder&)> poke(Kind kind, std::size_t offset, std::uint32_t value) {
  return [=](JournalBuilder& builder) {
    fill(builder);
    BuiltWrite& write = builder.write_of(tid_at(builder, 1), kind);
    store(write.bytes, offset, Be32(value));
    builder.reseal(write);
  };
}

std::function<void(JournalBuilder&)> with_third(TransactionSpec third) {
  return [=](JournalBuilder& builder) {
    fill(builder);
    TransactionSpec last = third;
    last.blocks = {{BlockNo(30), patterned_block(builder.spec().block_bytes, 8)}};
    builder.add_transaction(last);
  };
}

std::function<void(JournalBuilder&)> flip(Kind kind, std::size_t index, std::size_t offset) {
  return [=](JournalBuilder& builder) { flip_in_second(builder, kind, index, offset); };
}

constexpr std::size_t kInUuid = 28;        // of a descriptor: after the first tag of any layout
constexpr std::size_t kInChecksum = 0x13;  // of a commit block
constexpr Outcome kNoCommit = {RecoveryEnd::kClean, RecoveryRule::kNoCommitAfterDamage, 2, 4};

void tear_last(JournalBuilder& builder) {
  fill(builder);
  const Tid last = tid_at(builder, 2);
  builder.damage(last, Kind::kDescriptor, 0, kInUuid);
  store(builder.write_of(last, Kind::kCommit).bytes, 0, Be32(0));
}

const Case kSyncCases[] = {
    // name, build, planted                                   no checksum, v1, v2 and v3
    {"undamaged", fill, {}, kAll, kAll, kAll},
    {"no commit block", with_third({.has_commit = false}), {}, kAll, kAll, kAll},
    {"newer tid", with_third({.tid = Tid(77)}), {}, kAll, kAll, kAll},
    {"older tid", with_third({.tid = Tid(0xFFFFFF00)}), {}, kAll, kAll, kAll},
    {"data", flip(Kind::kData, 1, 100), {Kind::kData, 1}, kAll, kBadCommit, kBadData},
    {"data, first byte", flip(Kind::kData, 0, 0), {Kind::kData, 0}, kAll, kBadCommit, kBadData},
    {"descriptor",
     flip(Kind::kDescriptor, 1, kInUuid),
     {Kind::kDescriptor, 1},
     kAll,
     kBadCommit,
     kBadTail},
    {"revoke block", flip(Kind::kRevoke, 0, 300), {Kind::kRevoke, 0}, kAll, kAll, kBadTail},
    {"commit, checksum",
     flip(Kind::kCommit, 0, kInChecksum),
     {Kind::kCommit},
     kAll,
     kBadCommit,
     kBadCommit},
    {"commit, time", flip(Kind::kCommit, 0, 0x3B), {Kind::kCommit}, kAll, kAll, kBadCommit},
    {"commit, rest", flip(Kind::kCommit, 0, 900), {}, kAll, kAll, kAll},
    {"data, older", flip_older(Kind::kData, 1, 100), {Kind::kData, 1}, kAll, kStaleAtTwo, kBadData},
    {"descriptor, older",
     flip_older(Kind::kDescriptor, 1, kInUuid),
     {},
     kAll,
     kStaleAtTwo,
     kStaleAtTwo},
    {"revoke block, older", flip_older(Kind::kRevoke, 0, 300), {}, kAll, kAll, kStaleAtTwo},
    {"commit, older",
     flip_older(Kind::kCommit, 0, kInChecksum),
     {},
     kAll,
     kStaleAtTwo,
     kStaleAtTwo},
    {"descriptor, same second",
     flip_at(0, Kind::kDescriptor, 1, kInUuid),
     {Kind::kDescriptor, 1},
     kAll,
     kBadCommit,
     kBadTail},
    {"commit, same second",
     flip_at(0, Kind::kCommit, 0, kInChecksum),
     {Kind::kCommit},
     kAll,
     kBadCommit,
     kBadCommit},
    {"torn at the end", tear_last, {}, kTwo, kTwo, kNoCommit},
    {"descriptor, magic", flip(Kind::kDescriptor, 0, 3), {}, kOne, kOne, kOne},
    {"descriptor, type", poke(Kind::kDescriptor, 4, 7), {}, kOne, kOne, kOne},
    {"superblock in the log", poke(Kind::kDescriptor, 4, 4), {}, kOne, kOne, kOne},
    // No whole record.
    {"revoke block, count",
     poke(Kind::kRevoke, 12, 17),
     {},
     kNothingRevoked,
     kNothingRevoked,
     kNothingRevoked},
    {"revoke block, long",
     poke(Kind::kRevoke, 12, 1u << 30),
     {Kind::kRevoke},
     kBadFormat,
     kBadFormat,
     kBadFormat},
};

TEST(Recovery, SyncJournals) {
  for (const JournalSpec& spec : all_specs()) expect_outcomes(spec, kSyncCases);
}

TEST(Recovery, AsyncJournals) {
  const auto flip_last = [](Kind kind, std::size_t index, std::size_t offset) {
    return [=](JournalBuilder& builder) {
      fill(builder);
      builder.damage(tid_at(builder, 2), kind, index, offset);
    };
  };
  const auto flip_two = [](JournalBuilder& builder) {
    flip(Kind::kCommit, 0, kInChecksum)(builder);
    builder.damage(tid_at(builder, 2), Kind::kCommit, 0, kInChecksum);
  };
  constexpr Outcome kLost = {RecoveryEnd::kClean, RecoveryRule::kCommitChecksum, 1, 3};
  constexpr Outcome kLostAtThree = {RecoveryEnd::kClean, RecoveryRule::kCommitChecksum, 2, 4};
  constexpr Outcome kBadTailAtTwo = refused(RecoveryRule::kDescriptorChecksum, 1, 0);
  constexpr Outcome kBadDataAtEnd = refused(RecoveryRule::kDataChecksum, 3, 5);
  const Case cases[] = {
      {"undamaged", fill, {}, kAll, kAll, kAll},
      // Dropped, and nothing came after it: a power cut in an async commit.
      {"last commit", flip_last(Kind::kCommit, 0, kInChecksum), {}, kAll, kTwo, kTwo},
      {"last data", flip_last(Kind::kData, 1, 100), {Kind::kData, 1, 2}, kAll, kTwo, kBadDataAtEnd},
      // Dropped, but the file system had gone on.
      {"commit", flip(Kind::kCommit, 0, kInChecksum), {Kind::kCommit}, kAll, kBadCommit, kLost},
      // With crc32c the last damaged commit block is the end, and the first one's transaction is
      // replayed.
      {"two commits", flip_two, {Kind::kCommit}, kAll, kBadCommit, kLostAtThree},
      {"data", flip(Kind::kData, 1, 100), {Kind::kData, 1}, kAll, kBadCommit, kBadData},
      {"descriptor",
       flip(Kind::kDescriptor, 1, kInUuid),
       {Kind::kDescriptor, 1},
       kAll,
       kBadCommit,
       kBadTailAtTwo},
      {"commit, older",
       flip_older(Kind::kCommit, 0, kInChecksum),
       {},
       kAll,
       kStaleAtTwo,
       kStaleAtTwo},
  };
  for (JournalSpec spec : all_specs()) {
    spec.is_async = true;
    expect_outcomes(spec, cases);
  }
}

}  // namespace
}  // namespace powercut::recovery_testing
