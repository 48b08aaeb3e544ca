// Recovery over built journals: every kind of checksum, width and block size, the ring wrapped and
// the tids wrapped, undamaged and damaged in one chosen place.
#include "recovery/recovery.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "base/crc32c.h"
#include "base/prng.h"
#include "base/stored_int.h"
#include "block/memory_device.h"
#include "block/overlay_device.h"
#include "tests/support/journal_builder.h"

namespace powercut {
namespace {

using Kind = BuiltWrite::Kind;
using Contents = std::vector<std::uint8_t>;

constexpr std::uint64_t kDeviceBlocks = 300;
constexpr BlockNo kJournalAt{100};
constexpr std::uint32_t kLogBlocks = 48;

// What a device holds before any journal is put there; made once for each block size.
const Contents& random_home(std::uint32_t block_bytes) {
  static std::map<std::uint32_t, Contents> all;
  Contents& home = all[block_bytes];
  if (!home.empty()) return home;
  home.resize(kDeviceBlocks * block_bytes);
  Prng(7).fill(home);
  return home;
}

// Sanitizers make a comparison byte by byte slow.
bool is_same(Bytes a, Bytes b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

// A device of random home blocks, with the journal that `builder` holds.
struct Scene {
  explicit Scene(const JournalBuilder& builder)
      : block_bytes(builder.spec().block_bytes),
        map(map_in_one_run(kJournalAt, builder.spec().log_block_count, block_bytes, kDeviceBlocks)),
        device(kDeviceBlocks * block_bytes),
        before(random_home(block_bytes)) {
    std::ranges::copy(before, device.bytes().begin());
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
Contents read_all(const BlockView& view) {
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
void expect_home(const Scene& scene, const JournalBuilder& builder, const RecoveryPlan& plan) {
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
void fill(JournalBuilder& builder) {
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

Tid tid_at(const JournalBuilder& builder, std::uint32_t index) {
  return Tid(builder.spec().sequence.value() + index);
}

std::vector<JournalSpec> all_specs() {
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

std::string text_of(const JournalSpec& spec) {
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
constexpr Outcome kAll = {};
constexpr Outcome kOne = {RecoveryEnd::kClean, RecoveryRule::kLogEnds, 1, 3};
constexpr Outcome kTwo = {RecoveryEnd::kClean, RecoveryRule::kLogEnds, 2, 4};
constexpr Outcome kStaleAtTwo = {RecoveryEnd::kClean, RecoveryRule::kStaleCommit, 1, 3};

constexpr Outcome refused(RecoveryRule rule, std::size_t whole, std::size_t replayed) {
  return {RecoveryEnd::kRefused, rule, whole, replayed};
}
constexpr Outcome kBadCommit = refused(RecoveryRule::kCommitChecksum, 1, 3);
constexpr Outcome kBadData = refused(RecoveryRule::kDataChecksum, 3, 5);
constexpr Outcome kBadTail = refused(RecoveryRule::kDescriptorChecksum, 1, 0);
constexpr Outcome kBadFormat = refused(RecoveryRule::kDescriptorFormat, 1, 0);
constexpr Outcome kNothingRevoked = {RecoveryEnd::kClean, RecoveryRule::kLogEnds, 3, 7};

Outcome outcome_of(const RecoveryPlan& plan) {
  return {plan.end, plan.end_rule, plan.transactions.size(), plan.replay_count};
}

std::string text_of(const Outcome& outcome) {
  const char* const ends[] = {"nothing to do", "clean", "refused"};
  return std::string(ends[static_cast<int>(outcome.end)]) + " by '" +
         std::string(recovery_rule_name(outcome.rule)) + "', " + std::to_string(outcome.whole) +
         " whole, " + std::to_string(outcome.replayed) + " replayed";
}
void PrintTo(const Outcome& outcome, std::ostream* out) {
  *out << text_of(outcome);
}

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

// In the second transaction.
std::function<void(JournalBuilder&)> flip(Kind kind, std::size_t index, std::size_t offset) {
  return [=](JournalBuilder& builder) {
    fill(builder);
    builder.damage(tid_at(builder, 1), kind, index, offset);
  };
}

// The same, and its commit block comes so many seconds after the first transaction's.
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
  class CountingView final : public BlockView {
   public:
    explicit CountingView(const BlockView& base) : base_(base) {}
    std::uint64_t size_bytes() const override { return base_.size_bytes(); }
    mutable std::uint64_t read_bytes = 0;

   private:
    Result<void> do_read(std::uint64_t offset, MutableBytes into) const override {
      read_bytes += into.size();
      return base_.read(offset, into);
    }
    const BlockView& base_;
  };
  for (const JournalSpec& spec : all_specs()) {
    SCOPED_TRACE(text_of(spec));
    JournalBuilder builder(spec);
    flip(Kind::kData, 1, 100)(builder);
    const Scene scene(builder);
    const CountingView counting(scene.device);
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
        flip(Kind::kCommit, 0, offset)(builder);
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
}  // namespace powercut
