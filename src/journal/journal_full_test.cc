// A log that is full: who waits for room goes on, or is refused when there will be none.
#include <gtest/gtest.h>

#include <atomic>

#include "base/prng.h"
#include "journal/section.h"
#include "journal/test_bench.h"
#include "tests/support/passing_device.h"

namespace powercut {
namespace {

// The smallest ring that is written to: 64 blocks behind the superblock.  A transaction takes 16 of
// them, a handle 8.
constexpr std::uint32_t kSmallestLog = 65, kTransactionMax = 16, kHandleMax = 8;

std::vector<std::uint8_t> full_bytes(std::uint64_t value) {
  std::vector<std::uint8_t> bytes(kBenchBlockBytes);
  Prng(value).fill(bytes);
  return bytes;
}

std::vector<std::uint8_t> disk_of(const JournalBench& bench) {
  return {bench.device.bytes().begin(), bench.device.bytes().end()};
}

class FullJournal : public ::testing::Test {
 protected:
  FullJournal() { bench_.log_blocks = kSmallestLog; }
  void open(BlockDevice& on) {
    cache_ = std::make_unique<BufferCache>(on, kBenchBlockBytes, 10000);
    journal_ = bench_.open(on);
  }
  // Blocks [first, first + count) become those of `value`; the error, if it is refused.
  Result<Tid> change(std::uint64_t first, std::uint32_t count, std::uint64_t value) {
    Handle handle = TRY(journal_->start(Credits(count)));
    for (std::uint64_t block = first; block < first + count; ++block) {
      const auto buffer = cache_->get_unread(BlockNo(block)).value();
      Content content = Content::copy_of(full_bytes(value + block));
      handle.replace(buffer, std::move(content));
    }
    return handle.tid();
  }
  void expect_home(std::uint64_t first, std::uint32_t count, std::uint64_t value) {
    const auto home = recovered_home(bench_, disk_of(bench_));
    for (std::uint64_t block = first; block < first + count; ++block) {
      EXPECT_EQ(home.at(block), full_bytes(value + block)) << block;
    }
  }
  // Until the next handle of this size would have to wait.
  void fill(std::uint32_t log_blocks) {
    for (std::uint32_t used = 0; used + kHandleMax + 2 <= log_blocks; used += kHandleMax + 2) {
      ASSERT_TRUE(change(400, kHandleMax, used));
      ASSERT_TRUE(journal_->commit());
    }
  }

  JournalBench bench_;
  std::unique_ptr<BufferCache> cache_;
  std::unique_ptr<Journal> journal_;
};

TEST_F(FullJournal, HandlesOfManyThreadsWaitAndGoOn) {
  constexpr std::uint64_t kThreads = 8, kTurns = 40;
  for (const bool verifies : {false, true}) {
    for (const bool has_service : {false, true}) {
      bench_.options.verify_before_write = verifies;
      bench_.options.has_service = has_service;
      open(bench_.device);
      ASSERT_EQ(journal_->credits_max().value(), kHandleMax);
      std::vector<Task> tasks;
      for (std::uint64_t t = 0; t < kThreads; ++t) {
        tasks.push_back(Task::start("filler", [&, t] {
          for (std::uint64_t i = 0; i < kTurns; ++i) {
            const auto tid = change(t * kHandleMax, kHandleMax, i * 1000);
            ASSERT_TRUE(tid) << error_words(tid.error());
            if (i % 5 != 0) continue;
            ASSERT_TRUE(journal_->wait_durable(*tid));
          }
        }));
      }
      for (Task& task : tasks) task.join();
      ASSERT_TRUE(journal_->commit());
      const JournalCounters counters = journal_->counters();
      EXPECT_GT(counters.waits_for_room, 0u);
      EXPECT_GT(counters.checkpoints, 1u);
      EXPECT_GT(counters.log_bytes, std::uint64_t{4} * kSmallestLog * kBenchBlockBytes);
      journal_.reset();  // as a power cut; its tasks write no more
      for (std::uint64_t t = 0; t < kThreads; ++t) {
        expect_home(t * kHandleMax, kHandleMax, (kTurns - 1) * 1000);
      }
      // Beyond all that lie in the ring, as for any mount.
      bench_.first_tid = Tid(bench_.first_tid.value() + 1'000'000);
    }
  }
}

// Writes to blocks at home fail from when it is told so.
struct FailsAtHome final : testing::PassingDevice {
  using PassingDevice::PassingDevice;
  std::atomic<bool> fails{false};
  Result<void> do_write(std::uint64_t at, Bytes from, Durability how) override {
    if (fails && at < std::uint64_t{kBenchHomeBlocks} * kBenchBlockBytes) {
      return fail(Errc::kIo, "a planted error", at);
    }
    return PassingDevice::do_write(at, from, how);
  }
};

TEST_F(FullJournal, AllThatWaitAreRefusedWhenACheckpointFails) {
  FailsAtHome device(bench_.device);
  open(device);
  fill(60);
  device.fails = true;
  constexpr std::uint64_t kThreads = 6;
  std::atomic<int> refused{0}, others{0};
  std::vector<Task> tasks;
  for (std::uint64_t t = 0; t < kThreads; ++t) {
    tasks.push_back(Task::start("waiter", [&, t] {
      // A hundred commits are more than the log holds.
      for (int i = 0; i < 100; ++i) {
        const auto tid = change(t * kHandleMax, kHandleMax, 7);
        const auto durable =
            tid ? journal_->wait_durable(*tid) : Result<void>{Failure{tid.error()}};
        if (durable) continue;
        ++(durable.error().code == Errc::kAborted ? refused : others);
        return;
      }
    }));
  }
  for (Task& task : tasks) task.join();  // none hangs
  EXPECT_EQ(refused, static_cast<int>(kThreads));
  EXPECT_EQ(others, 0);
  EXPECT_GT(journal_->counters().waits_for_room, 0u);
  ASSERT_TRUE(journal_->stopped());
  EXPECT_EQ(journal_->stopped()->code, Errc::kIo);
  EXPECT_FALSE(journal_->commit());
  expect_home(400, kHandleMax, 50);  // the last that was acknowledged
}

TEST_F(FullJournal, ASectionWaitsForItsReserve) {
  open(bench_.device);
  fill(60);
  const auto before = journal_->counters();
  const auto too_much = journal_->begin_section(journal_->credits_max() + 1);
  ASSERT_FALSE(too_much);
  EXPECT_EQ(too_much.error().code, Errc::kLimit);
  auto section = journal_->begin_section(journal_->credits_max());
  ASSERT_TRUE(section) << error_words(section.error());
  EXPECT_GT(journal_->counters().waits_for_room, before.waits_for_room);
  EXPECT_GT(journal_->counters().checkpoints, before.checkpoints);
  ASSERT_TRUE(change(0, kHandleMax, 1));
  EXPECT_EQ(change(20, 1, 1).error().code, Errc::kLimit) << "its reserve is used";
  ASSERT_TRUE(section->end());
  ASSERT_TRUE(journal_->commit());
  expect_home(0, kHandleMax, 1);
}

// Each block of a transaction is the last of the ring once, also the commit block.
TEST_F(FullJournal, TransactionsEndAtEveryPlaceOfTheRing) {
  bench_.options.verify_before_write = true;
  open(bench_.device);
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) {
    // Eight blocks of the log, eight times: the ring's end exactly.
    ASSERT_TRUE(change(0, 6, ++value));
    ASSERT_TRUE(journal_->commit());
    expect_home(0, 6, value);
    ASSERT_TRUE(journal_->checkpoint_all());
  }
  for (int i = 0; i < 300; ++i) {
    const auto count = 1 + static_cast<std::uint32_t>(i) % kHandleMax;
    ASSERT_TRUE(change(0, count, ++value));
    ASSERT_TRUE(journal_->commit());
    if (i % 9 == 0) expect_home(0, count, value);
  }
  EXPECT_GT(journal_->counters().waits_for_room, 0u);
}

TEST_F(FullJournal, ATransactionOfTheLargestSize) {
  open(bench_.device);
  for (std::uint64_t turn = 0; turn < 12; ++turn) {
    const auto before = journal_->counters();
    const auto first = change(0, kHandleMax, turn);
    const auto second = change(kHandleMax, kHandleMax, turn);
    ASSERT_TRUE(first && second);
    EXPECT_EQ(*first, *second) << "both fit into one";
    const auto third = change(100, 1, turn);
    ASSERT_TRUE(third);
    EXPECT_NE(*first, *third) << "it holds no more";
    EXPECT_TRUE(journal_->is_durable(*first));
    EXPECT_GT(journal_->counters().waits_for_room, before.waits_for_room);
    ASSERT_TRUE(journal_->commit());
    EXPECT_EQ(journal_->counters().logged_blocks - before.logged_blocks, kTransactionMax + 1);
    expect_home(0, kTransactionMax, turn);
  }
}

}  // namespace
}  // namespace powercut
