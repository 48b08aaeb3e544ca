// Applying a plan: the same as replaying block by block in log order, in few writes, and safe to be
// interrupted anywhere.
#include <gtest/gtest.h>

#include <string>

#include "base/prng.h"
#include "base/stored_int.h"
#include "block/memory_device.h"
#include "recovery/recovery.h"
#include "tests/support/journal_builder.h"

namespace powercut {
namespace {

using Contents = std::vector<std::uint8_t>;

constexpr std::uint64_t kDeviceBlocks = 1500;
constexpr std::uint32_t kLogBlocks = 400;
constexpr BlockNo kJournalAt{1000};

// A journal in two pieces, the second one first.
JournalMap map_of(std::uint32_t block_bytes) {
  constexpr std::uint32_t kHalf = kLogBlocks / 2;
  auto map = JournalMap::make(
      {{LogBlock(0), kJournalAt + kHalf, kHalf}, {LogBlock(kHalf), kJournalAt, kLogBlocks - kHalf}},
      block_bytes, kDeviceBlocks);
  CHECK(map, "the map of the test");
  return *std::move(map);
}

// Passes on what it is asked for and keeps a list of it; from request `fails_at` on, counted from
// 0, it fails.
class ListingDevice final : public BlockDevice {
 public:
  struct Write {
    std::uint64_t offset;
    std::size_t length;
  };
  explicit ListingDevice(BlockDevice& below) : below_(below) {}
  std::uint64_t size_bytes() const override { return below_.size_bytes(); }
  void fail_at(std::uint64_t request) { fails_at_ = request; }
  std::uint64_t requests() const { return requests_; }
  const std::vector<Write>& writes() const { return writes_; }
  // 'w' and 'f', in order.
  const std::string& order() const { return order_; }

 private:
  Result<void> next() const {
    if (requests_++ >= fails_at_) return fail(Errc::kIo, "planted");
    return {};
  }
  Result<void> do_read(std::uint64_t offset, MutableBytes into) const override {
    TRY(next());
    return below_.read(offset, into);
  }
  Result<void> do_write(std::uint64_t offset, Bytes from, Durability durability) override {
    order_ += 'w';
    writes_.push_back({offset, from.size()});
    const auto outcome = next();
    if (!outcome) {  // its first half is written
      TRY(below_.write(offset, from.first(from.size() / 2), durability));
      return outcome;
    }
    return below_.write(offset, from, durability);
  }
  Result<void> do_write_zeroes(std::uint64_t, std::uint64_t, Durability) override {
    return fail(Errc::kUnsupported, "a recovery writes no zeroes");
  }
  Result<void> do_discard(std::uint64_t, std::uint64_t) override {
    return fail(Errc::kUnsupported, "a recovery discards nothing");
  }
  Result<void> do_flush() override {
    order_ += 'f';
    TRY(next());
    return below_.flush();
  }

  BlockDevice& below_;
  std::uint64_t fails_at_ = ~std::uint64_t{0};
  mutable std::uint64_t requests_ = 0;
  std::vector<Write> writes_;
  std::string order_;
};

// Runs of neighbours, blocks that come again, escapes and revokes.
JournalBuilder random_log(Prng& prng, std::uint32_t block_bytes) {
  JournalBuilder builder({.block_bytes = block_bytes,
                          .log_block_count = kLogBlocks,
                          .start = LogBlock(1 + static_cast<std::uint32_t>(prng.below(300))),
                          .sequence = Tid(0xFFFFFFF0)});
  for (std::uint64_t i = 3 + prng.below(5); i != 0; --i) {
    TransactionSpec transaction;
    std::uint64_t home = prng.below(60);
    for (std::uint64_t count = 1 + prng.below(30); count != 0; --count) {
      transaction.blocks.push_back(
          {BlockNo(home), prng.chance(1, 4) ? magic_block(block_bytes, prng.next())
                                            : patterned_block(block_bytes, prng.next())});
      home = prng.chance(3, 4) ? home + 1 : prng.below(60);
    }
    if (prng.chance(1, 3)) transaction.revokes = {BlockNo(prng.below(60)), BlockNo(prng.below(60))};
    builder.add_transaction(transaction);
  }
  return builder;
}

// The replay as the log has it, one block after another.
void replay_in_log_order(const RecoveryPlan& plan, const JournalMap& map, MemoryDevice& device) {
  Contents block(map.block_bytes());
  for (const LoggedTransaction& transaction : plan.transactions) {
    for (const LoggedBlock& each : transaction.blocks) {
      if (each.verdict != BlockVerdict::kReplay) continue;
      const std::uint64_t from = map.device_block(each.log).value() * map.block_bytes();
      ASSERT_TRUE(device.read(from, block));
      if (each.is_escaped) store(MutableBytes(block), 0, Be32(kJournalMagic));
      ASSERT_TRUE(device.write(each.home.value() * map.block_bytes(), block));
    }
  }
}

struct Scene {
  Scene(const JournalBuilder& builder, std::uint64_t seed)
      : map(map_of(builder.spec().block_bytes)),
        device(kDeviceBlocks * builder.spec().block_bytes) {
    Prng(seed).fill(device.bytes());
    EXPECT_TRUE(builder.write_to(device, map));
  }
  RecoveryPlan plan(const BlockView& view) const {
    auto made = plan_recovery(view, map);
    CHECK(made, "a sound log can be planned");
    return *std::move(made);
  }
  JournalMap map;
  MemoryDevice device;
};

bool is_home(const Scene& scene, std::uint64_t block) {
  return !scene.map.log_block(BlockNo(block)).has_value();
}

// All but the journal.
void expect_same_home(const Scene& scene, Bytes a, Bytes b) {
  const std::size_t size = scene.map.block_bytes();
  for (std::uint64_t block = 0; block < kDeviceBlocks; ++block) {
    if (!is_home(scene, block)) continue;
    EXPECT_TRUE(std::ranges::equal(a.subspan(block * size, size), b.subspan(block * size, size)))
        << block;
  }
}

TEST(Apply, IsTheSameAsReplayInLogOrder) {
  Prng prng(11);
  std::uint64_t replayed = 0, written = 0, writes = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    const std::uint32_t block_bytes = seed % 2 == 0 ? 1024 : 4096;
    JournalBuilder builder = random_log(prng, block_bytes);
    if (seed % 5 == 0) builder.damage(builder.spec().sequence, BuiltWrite::Kind::kData, 0, 9);
    Scene scene(builder, seed);
    const RecoveryPlan plan = scene.plan(scene.device);
    MemoryDevice slow = scene.device;
    replay_in_log_order(plan, scene.map, slow);
    MemoryDevice fast = scene.device;
    ListingDevice listing(fast);
    ASSERT_TRUE(apply_recovery(plan, listing, scene.map, listing));
    expect_same_home(scene, fast.bytes(), slow.bytes());

    const bool is_emptied = plan.end == RecoveryEnd::kClean;
    const std::size_t home_writes = listing.writes().size() - (is_emptied ? 1 : 0);
    EXPECT_EQ(listing.order(), std::string(home_writes, 'w') + (is_emptied ? "fwf" : "f"));
    std::uint64_t end = 0;
    for (std::size_t i = 0; i < home_writes; ++i) {
      const ListingDevice::Write& write = listing.writes()[i];
      EXPECT_TRUE(i == 0 || write.offset > end) << "ascending, and neighbours are one write";
      EXPECT_LE(write.length, std::size_t{1} << 20);
      end = write.offset + write.length;
      written += write.length / block_bytes;
    }
    replayed += plan.replay_count;
    writes += home_writes;
  }
  EXPECT_LT(written, replayed) << "blocks that come again are written once";
  EXPECT_LT(writes, written / 2) << "neighbours are written together";
}

// Up to 1 MiB in one write, not more.
TEST(Apply, LargeRunsAreWrittenInPieces) {
  JournalBuilder builder({.log_block_count = kLogBlocks});
  TransactionSpec transaction;
  for (std::uint64_t home = 0; home < 300; ++home) {
    transaction.blocks.push_back({BlockNo(home), patterned_block(4096, home)});
  }
  builder.add_transaction(transaction);
  Scene scene(builder, 1);
  const RecoveryPlan plan = scene.plan(scene.device);
  ListingDevice listing(scene.device);
  ASSERT_TRUE(apply_recovery(plan, listing, scene.map, listing));
  ASSERT_EQ(listing.writes().size(), 3u);
  EXPECT_EQ(listing.writes()[0].length, std::size_t{1} << 20);
  EXPECT_EQ(listing.writes()[1].length, std::size_t{44} * 4096);
}

// An error at each request in turn: it is told, and what was done so far does no harm.
TEST(Apply, CanBeMadeAgainAfterAnyError) {
  Prng prng(5);
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    const JournalBuilder builder = random_log(prng, 1024);
    Scene scene(builder, seed);
    const RecoveryPlan plan = scene.plan(scene.device);
    MemoryDevice whole = scene.device;
    ListingDevice counting(whole);
    ASSERT_TRUE(apply_recovery(plan, counting, scene.map, counting));
    // A superblock of the journal that is written by half is whole: all that changes is in front.
    for (std::uint64_t request = 0; request < counting.requests(); ++request) {
      SCOPED_TRACE(std::to_string(seed) + ", request " + std::to_string(request));
      MemoryDevice half = scene.device;
      ListingDevice failing(half);
      failing.fail_at(request);
      const auto outcome = apply_recovery(plan, failing, scene.map, failing);
      ASSERT_FALSE(outcome);
      EXPECT_EQ(outcome.error().code, Errc::kIo);
      const RecoveryPlan again = scene.plan(half);
      const bool is_emptied = again.end == RecoveryEnd::kNothingToDo;
      EXPECT_TRUE(!is_emptied || request + 2 >= counting.requests()) << "emptied too early";
      ASSERT_TRUE(apply_recovery(again, half, scene.map, half));
      EXPECT_TRUE(std::ranges::equal(half.bytes(), whole.bytes()));
    }
  }
}

// Nothing is written where not all can be.
TEST(Apply, ATargetThatIsTooShortIsLeftAlone) {
  JournalBuilder builder({.log_block_count = kLogBlocks});
  builder.add_transaction({.blocks = {{BlockNo(1), patterned_block(4096, 1)},
                                      {BlockNo(1490), patterned_block(4096, 2)}}});
  Scene scene(builder, 1);
  const RecoveryPlan plan = scene.plan(scene.device);
  MemoryDevice small(std::uint64_t{1490} * 4096);
  ListingDevice listing(small);
  const auto outcome = apply_recovery(plan, scene.device, scene.map, listing);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::kInvalid);
  EXPECT_TRUE(listing.writes().empty());
}

}  // namespace
}  // namespace powercut
