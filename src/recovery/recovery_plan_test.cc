// Plans of recoveries that end early, read little, meet the edges of the ring or of the file
// system, or are refused.
#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "tests/support/counting_view.h"
#include "tests/support/recovery_scene.h"

namespace powercut::recovery_testing {
namespace {

TEST(Recovery, AsOfEachTransaction) {
  for (const JournalSpec& spec : all_specs()) {
    JournalBuilder builder(spec);
    fill(builder);
    const Scene scene(builder);
    for (std::uint32_t count = 0; count < 4; ++count) {
      SCOPED_TRACE(text_of(spec) + ", transactions " + std::to_string(count));
      const Tid up_to = tid_at(builder, count).previous();
      const auto plan = plan_recovery(scene.device, scene.map, {.up_to = up_to});
      ASSERT_TRUE(plan) << plan.error().what;
      EXPECT_EQ(plan->transactions.size(), count);
      EXPECT_EQ(plan->next_tid, up_to.next());
      EXPECT_TRUE(plan->is_cut_short);
      const auto expected = builder.expected_home(up_to);
      const Contents seen = read_all(RecoveredView(scene.device, scene.map, *plan));
      for (std::uint64_t number = 0; number < kJournalAt.value(); ++number) {
        const auto news = expected.find(number);
        const Bytes wanted =
            news != expected.end() ? Bytes(news->second) : scene.block(scene.before, number);
        EXPECT_TRUE(is_same(scene.block(seen, number), wanted)) << number;
      }
      // Emptied with a tid beyond those that are still in the ring.
      OverlayDevice target(scene.device);
      ASSERT_TRUE(apply_recovery(*plan, scene.device, scene.map, target));
      const auto after = plan_recovery(target, scene.map);
      ASSERT_TRUE(after);
      EXPECT_EQ(after->end, RecoveryEnd::kNothingToDo);
      EXPECT_TRUE(tid_at(builder, 3).comes_before(after->next_tid));
    }
  }
}

// Without `verify_data` only headers are read: a damaged data block is not seen, and replayed.
TEST(Recovery, DataIsReadOnlyOnDemand) {
  for (const JournalSpec& spec : all_specs()) {
    SCOPED_TRACE(text_of(spec));
    JournalBuilder builder(spec);
    flip_in_second(builder, Kind::kData, 1, 100);
    const Scene scene(builder);
    const testing::CountingView counting(scene.device);
    const auto plan = plan_recovery(counting, scene.map, {.verify_data = false});
    ASSERT_TRUE(plan);
    EXPECT_EQ(outcome_of(*plan), kAll);
    // Superblock, four descriptors, a revoke block, three commit blocks, and the end.
    EXPECT_EQ(counting.read_bytes, std::uint64_t{10} * spec.block_bytes);
  }
}

TEST(Recovery, AnEmptyLogIsLeftAlone) {
  const JournalSpec spec{.log_block_count = kLogBlocks, .sequence = Tid(9)};
  const Scene scene{JournalBuilder(spec)};
  const auto plan = plan_recovery(scene.device, scene.map);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->end, RecoveryEnd::kNothingToDo);
  EXPECT_EQ(plan->next_tid, Tid(9));
  OverlayDevice target(scene.device);
  ASSERT_TRUE(apply_recovery(*plan, scene.device, scene.map, target));
  EXPECT_EQ(target.page_count(), 0u);
}

TEST(Recovery, TheRingMayBeFullToTheLastBlock) {
  for (const std::uint32_t start : {1u, 2u, 20u, kLogBlocks - 1}) {
    JournalSpec spec{.block_bytes = 1024, .log_block_count = kLogBlocks, .start = LogBlock(start)};
    JournalBuilder builder(spec);
    TransactionSpec transaction;
    for (std::uint64_t i = 0; i + 3 < kLogBlocks; ++i) {
      transaction.blocks.push_back({BlockNo(i), patterned_block(1024, i)});
    }
    builder.add_transaction(transaction);
    EXPECT_EQ(builder.head(), spec.start);
    const Scene scene(builder);
    const auto plan = plan_recovery(scene.device, scene.map);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->transactions.size(), 1u);
    expect_home(scene, builder, *plan);
  }
}

// v1: a commit block with type, size and checksum zero says that no checksum was made.
TEST(Recovery, AnUnusedFirstChecksumIsAccepted) {
  JournalBuilder builder({.checksum = ChecksumKind::kV1, .log_block_count = kLogBlocks});
  fill(builder);
  BuiltWrite& commit = builder.write_of(Tid(2), Kind::kCommit);
  store(commit.bytes, 0xC, Be64(0));
  const Scene scene(builder);
  const auto plan = plan_recovery(scene.device, scene.map);
  ASSERT_TRUE(plan);
  EXPECT_EQ(outcome_of(*plan), kAll);
}

// A record counts for its own transaction too, and not for later ones.
TEST(Recovery, RevokesInTheSameTransaction) {
  JournalBuilder builder({.log_block_count = kLogBlocks, .sequence = Tid(0xFFFFFFFF)});
  builder.add_transaction(
      {.blocks = {{BlockNo(1), patterned_block(4096, 1)}, {BlockNo(2), patterned_block(4096, 2)}},
       .revokes = {BlockNo(1)}});
  builder.add_transaction(
      {.blocks = {{BlockNo(2), patterned_block(4096, 3)}}, .revokes = {BlockNo(3)}});
  builder.add_transaction({.blocks = {{BlockNo(3), patterned_block(4096, 4)}}});
  const Scene scene(builder);
  const auto plan = plan_recovery(scene.device, scene.map);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->revoked_count, 1u);
  EXPECT_EQ(plan->replay_count, 3u);
  expect_home(scene, builder, *plan);
}

TEST(Recovery, TheViewRestoresAnEscapedStartByteByByte) {
  JournalBuilder builder({.log_block_count = kLogBlocks});
  const Contents content = magic_block(4096, 1);
  builder.add_transaction({.blocks = {{BlockNo(5), content}}});
  const Scene scene(builder);
  const auto plan = plan_recovery(scene.device, scene.map);
  ASSERT_TRUE(plan);
  const RecoveredView view(scene.device, scene.map, *plan);
  for (std::size_t offset = 0; offset < 6; ++offset) {
    for (const std::size_t count : {1u, 2u, 3u, 4u, 5u, 100u}) {
      Contents piece(count);
      ASSERT_TRUE(view.read(5 * 4096 + offset, piece));
      EXPECT_TRUE(std::ranges::equal(piece, Bytes(content).subspan(offset, count)))
          << offset << " " << count;
    }
  }
}

TEST(Recovery, TagsOutsideTheFileSystem) {
  struct Outside {
    std::uint64_t home;
    RecoverAs rules;
    Outcome outcome;
    std::size_t damages = 1;
  };
  constexpr std::uint64_t kSuperblock = kJournalAt.value();
  constexpr Outcome kStopped = refused(RecoveryRule::kBlockOutside, 4, 6);
  constexpr Outcome kFour = {RecoveryEnd::kClean, RecoveryRule::kLogEnds, 4, 7};
  constexpr Outcome kUnused = {RecoveryEnd::kClean, RecoveryRule::kLogEnds, 4, 8};
  const Outside cases[] = {
      // Linux ends the replay there; the other block of the transaction is not reached.
      {kDeviceBlocks, RecoverAs::kLinux, kStopped},
      {~std::uint64_t{0}, RecoverAs::kLinux61, kStopped},
      {kDeviceBlocks, RecoverAs::kE2fsck, kFour},
      // The journal's superblock, and the log's first and last block: never.
      {kSuperblock, RecoverAs::kLinux, kStopped},
      {kSuperblock + 1, RecoverAs::kLinux, kStopped},
      {kSuperblock + 19, RecoverAs::kE2fsck, kStopped},
      // Blocks of the ring that this log does not use.
      {kSuperblock + 20, RecoverAs::kLinux, kUnused, 0},
      {kSuperblock + kLogBlocks - 1, RecoverAs::kE2fsck, kUnused, 0},
  };
  for (const Outside& each : cases) {
    SCOPED_TRACE(std::to_string(each.home) + " " + std::string(recover_as_name(each.rules)));
    JournalBuilder builder({.log_block_count = kLogBlocks});
    fill(builder);
    builder.add_transaction({.blocks = {{BlockNo(each.home), patterned_block(4096, 1)},
                                        {BlockNo(40), patterned_block(4096, 2)}}});
    ASSERT_EQ(builder.head(), LogBlock(20));
    const Scene scene(builder);
    const auto plan = plan_recovery(scene.device, scene.map, {.recover_as = each.rules});
    ASSERT_TRUE(plan);
    EXPECT_EQ(outcome_of(*plan), each.outcome);
    ASSERT_EQ(plan->damages.size(), each.damages);
    if (each.damages != 0) {
      EXPECT_EQ(plan->damages[0].rule, RecoveryRule::kBlockOutside);
      EXPECT_EQ(plan->damages[0].home, BlockNo(each.home));
    }
    expect_home(scene, builder, *plan);
  }
}

// A full descriptor whose last tag does not say so: its tags are those that fit.
TEST(Recovery, ADescriptorWithoutLastTag) {
  for (const JournalSpec& each : all_specs()) {
    if (each.block_bytes != 1024) continue;
    JournalSpec spec = each;
    spec.log_block_count = 190;
    spec.start = LogBlock(1);
    SCOPED_TRACE(text_of(spec));
    JournalBuilder builder(spec);
    builder.add_transaction({.blocks = {{BlockNo(60), patterned_block(1024, 1)}}});
    TransactionSpec full;
    const std::uint32_t count = builder.format().tags_per_descriptor();
    for (std::uint32_t i = 0; i < count; ++i) {
      full.blocks.push_back({BlockNo(i % 50), patterned_block(1024, i)});
    }
    builder.add_transaction(full);
    BuiltWrite& descriptor = builder.write_of(tid_at(builder, 1), Kind::kDescriptor);
    const std::size_t last = 12 + 16 + (count - 1) * builder.format().tag_bytes();
    descriptor.bytes[last + 7] &= 0xF7;
    builder.reseal(descriptor);
    const Scene scene(builder);
    const auto plan = plan_recovery(scene.device, scene.map);
    ASSERT_TRUE(plan);
    const Outcome whole = {RecoveryEnd::kClean, RecoveryRule::kLogEnds, 2, 1 + count};
    // The flag counts for v1's sum.
    const bool is_v1 = spec.checksum == ChecksumKind::kV1;
    EXPECT_EQ(outcome_of(*plan), is_v1 ? refused(RecoveryRule::kCommitChecksum, 1, 1) : whole);
    expect_home(scene, builder, *plan);
  }
}

// What was torn behind the header is accepted since Linux 6.11, and said.
TEST(Recovery, ATornCommitBlock) {
  for (const JournalSpec& spec : all_specs()) {
    if (spec.checksum != ChecksumKind::kV2 && spec.checksum != ChecksumKind::kV3) continue;
    for (const RecoverAs rules : kAllRecoverAs) {
      SCOPED_TRACE(text_of(spec) + ", " + std::string(recover_as_name(rules)));
      for (const std::size_t offset : {std::size_t{63}, std::size_t{64}, std::size_t{1023}}) {
        JournalBuilder builder(spec);
        flip_in_second(builder, Kind::kCommit, 0, offset);
        const Scene scene(builder);
        const auto plan = plan_recovery(scene.device, scene.map, {.recover_as = rules});
        ASSERT_TRUE(plan);
        const bool knows_torn = rules == RecoverAs::kLinux || rules == RecoverAs::kLinux612;
        const bool is_accepted = knows_torn && offset >= 64;
        EXPECT_EQ(outcome_of(*plan), is_accepted ? kAll : kBadCommit) << offset;
        EXPECT_EQ(plan->notices.size(), is_accepted ? 1u : 0u);
        EXPECT_EQ(plan->damages.size(), is_accepted ? 0u : 1u);
        if (!is_accepted) continue;
        EXPECT_EQ(plan->notices[0].rule, RecoveryRule::kCommitTorn);
        EXPECT_EQ(plan->notices[0].log_block,
                  builder.write_of(tid_at(builder, 1), Kind::kCommit).log);
        expect_home(scene, builder, *plan);
      }
    }
  }
}

// Two damages of different kinds: both are named, and the one that stops the scan decides.
TEST(Recovery, EveryDamageIsNamed) {
  JournalBuilder builder({.log_block_count = kLogBlocks});
  fill(builder);
  builder.damage(Tid(1), Kind::kData, 0);  // block 10, revoked later: not looked at
  builder.damage(Tid(1), Kind::kData, 2);
  builder.damage(Tid(3), Kind::kDescriptor, 0);
  const Scene scene(builder);
  const auto plan = plan_recovery(scene.device, scene.map);
  ASSERT_TRUE(plan);
  EXPECT_EQ(outcome_of(*plan), refused(RecoveryRule::kDescriptorChecksum, 2, 0));
  ASSERT_EQ(plan->damages.size(), 2u);
  EXPECT_EQ(plan->damages[0].rule, RecoveryRule::kDataChecksum);
  EXPECT_EQ(plan->damages[0].home, BlockNo(12));
  EXPECT_EQ(plan->damages[1].rule, RecoveryRule::kDescriptorChecksum);
  EXPECT_EQ(plan->damages[1].tid, Tid(3));
}

TEST(Recovery, RefusesWhatItDoesNotKnow) {
  JournalSpec spec{.log_block_count = kLogBlocks, .fast_commit_block_count = 4};
  JournalBuilder builder(spec);
  fill(builder);
  Scene scene(builder);
  // The first block behind the ring belongs to neither.
  const std::uint64_t area = (kJournalAt.value() + kLogBlocks - 4 + 1) * 4096;
  EXPECT_TRUE(plan_recovery(scene.device, scene.map)) << "what lies in the area is left over";
  const auto put_commit = [&](std::uint32_t tid) {
    const MutableBytes block = scene.device.bytes().subspan(area, 4096);
    store(block, 0, Le16(9));  // head
    store(block, 2, Le16(8));
    store(block, 4, Le32(0));
    store(block, 8, Le32(tid));
    store(block, 12, Le16(8));  // tail
    store(block, 14, Le16(4096 - 16));
    store(block, 16, Le32(tid));
    store(block, 20, Le32(crc32c(0, block.first(20))));
  };
  // Left over: Linux takes no notice, e2fsck gives up.
  put_commit(3);
  for (const RecoverAs rules : kAllRecoverAs) {
    const auto stale = plan_recovery(scene.device, scene.map, {.recover_as = rules});
    ASSERT_TRUE(stale);
    const bool is_ignored = rules != RecoverAs::kE2fsck;
    EXPECT_EQ(outcome_of(*stale), is_ignored ? kAll : refused(RecoveryRule::kFastCommits, 3, 0));
  }
  // The first commit is not whole: all refuse, before they replay anything.
  put_commit(4);
  scene.device.bytes()[area + 20] ^= 1;
  for (const RecoverAs rules : kAllRecoverAs) {
    const auto torn = plan_recovery(scene.device, scene.map, {.recover_as = rules});
    ASSERT_TRUE(torn);
    EXPECT_EQ(outcome_of(*torn), refused(RecoveryRule::kFastCommits, 3, 0));
    ASSERT_EQ(torn->damages.size(), 1u);
    EXPECT_EQ(torn->damages[0].log_block, LogBlock(kLogBlocks - 4 + 1));
  }
  put_commit(4);
  const auto plan = plan_recovery(scene.device, scene.map);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, Errc::kUnsupported);
  EXPECT_TRUE(plan_recovery(scene.device, scene.map, {.up_to = Tid(3)}));
  const auto listed = plan_recovery(scene.device, scene.map, {.lists_fast_commits = true});
  ASSERT_TRUE(listed && listed->fast_commits);
  EXPECT_EQ(listed->fast_commits->tid, Tid(4));
  EXPECT_EQ(listed->fast_commits->commit_count, 1u);
  OverlayDevice target(scene.device);
  const auto applied = apply_recovery(*listed, scene.device, scene.map, target);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, Errc::kUnsupported);

  const JournalMap short_map = map_in_one_run(kJournalAt, kLogBlocks - 1, 4096, kDeviceBlocks);
  const auto too_short = plan_recovery(scene.device, short_map);
  ASSERT_FALSE(too_short);
  EXPECT_EQ(too_short.error().code, Errc::kCorrupt);
  const JournalMap small_blocks = map_in_one_run(BlockNo(400), kLogBlocks, 1024, 1200);
  EXPECT_FALSE(plan_recovery(scene.device, small_blocks));
}

}  // namespace
}  // namespace powercut::recovery_testing
