// The writer of the journal against recovery/: what was made durable is what a recovery finds.
#include "journal/journal.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/prng.h"
#include "base/stored_int.h"
#include "journal/test_bench.h"
#include "tests/support/passing_device.h"

namespace powercut {
namespace {

using Home = std::map<std::uint64_t, std::vector<std::uint8_t>>;

std::vector<std::uint8_t> bytes_with(std::uint64_t value, bool with_magic = false) {
  std::vector<std::uint8_t> bytes(kBenchBlockBytes);
  Prng(value).fill(bytes);
  if (with_magic) store(MutableBytes(bytes), 0, Be32(kJournalMagic));
  return bytes;
}

void put(Handle& handle, BufferCache& cache, std::uint64_t block,
         const std::vector<std::uint8_t>& bytes) {
  auto buffer = cache.get(BlockNo(block));
  ASSERT_TRUE(buffer);
  handle.change(*buffer, [&](MutableBytes into) { copy_bytes(bytes, into); });
}

std::vector<std::uint8_t> image_of(const JournalBench& bench) {
  return {bench.device.bytes().begin(), bench.device.bytes().end()};
}

TEST(Journal, WhatIsCommittedIsRecoveredAndWhatIsNotIsNot) {
  JournalBench bench;
  BufferCache cache(bench.device, kBenchBlockBytes, 10000);
  auto journal = bench.open(bench.device);
  const auto first = bytes_with(1), second = bytes_with(2, true), third = bytes_with(3);
  Tid tid;
  {
    Handle handle = journal->start(Credits(2)).value();
    put(handle, cache, 7, first);
    put(handle, cache, 8, second);
    tid = handle.tid();
  }
  EXPECT_FALSE(journal->is_durable(tid));
  ASSERT_TRUE(journal->wait_durable(tid));
  EXPECT_TRUE(journal->is_durable(tid));
  {
    Handle handle = journal->start(Credits(1)).value();
    put(handle, cache, 7, third);
  }
  const Home home = recovered_home(bench, image_of(bench));
  EXPECT_EQ(home.at(7), first);
  EXPECT_EQ(home.at(8), second);
  EXPECT_EQ(home.at(9), std::vector<std::uint8_t>(kBenchBlockBytes));
}

TEST(Journal, NothingIsWrittenHomeBeforeACheckpoint) {
  JournalBench bench;
  BufferCache cache(bench.device, kBenchBlockBytes, 10000);
  auto journal = bench.open(bench.device);
  {
    Handle handle = journal->start(Credits(1)).value();
    put(handle, cache, 7, bytes_with(1));
  }
  ASSERT_TRUE(journal->commit());
  const auto at_home = [&] {
    const Bytes bytes = bench.device.bytes().subspan(7 * kBenchBlockBytes, kBenchBlockBytes);
    return std::vector<std::uint8_t>(bytes.begin(), bytes.end());
  };
  EXPECT_EQ(at_home(), std::vector<std::uint8_t>(kBenchBlockBytes));
  ASSERT_TRUE(journal->checkpoint_all());
  EXPECT_EQ(at_home(), bytes_with(1));
}

TEST(Journal, AfterCloseThereIsNothingToRecoverAndEverythingIsRefused) {
  JournalBench bench;
  BufferCache cache(bench.device, kBenchBlockBytes, 10000);
  auto journal = bench.open(bench.device);
  {
    Handle handle = journal->start(Credits(1)).value();
    put(handle, cache, 7, bytes_with(1));
  }
  ASSERT_TRUE(journal->close());
  RecoveryEnd end = RecoveryEnd::kRefused;
  const Home home = recovered_home(bench, image_of(bench), &end);
  EXPECT_EQ(end, RecoveryEnd::kNothingToDo);
  EXPECT_EQ(home.at(7), bytes_with(1));
  const auto refused = journal->start(Credits(1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kAborted);
}

TEST(Journal, AHandleIsNotGivenMoreThanATransactionHolds) {
  JournalBench bench;
  auto journal = bench.open(bench.device);
  const auto refused = journal->start(journal->credits_max() + 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kLimit);
}

TEST(JournalDeathTest, MoreBlocksThanCredits) {
  JournalBench bench;
  BufferCache cache(bench.device, kBenchBlockBytes, 10000);
  auto journal = bench.open(bench.device);
  EXPECT_DEATH(
      {
        Handle handle = journal->start(Credits(1)).value();
        put(handle, cache, 7, bytes_with(1));
        put(handle, cache, 8, bytes_with(1));
      },
      "asked for");
}

// A block that was changed in the transaction that commits goes on changing in the next one, and
// what is logged is what it was at the cut.
TEST(Journal, TheNextTransactionDoesNotReachTheOneThatCommits) {
  struct ChangesAtFlush final : testing::PassingDevice {
    using PassingDevice::PassingDevice;
    std::function<void()> hook;
    Result<void> do_write(std::uint64_t at, Bytes from, Durability how) override {
      if (hook) std::exchange(hook, nullptr)();
      return PassingDevice::do_write(at, from, how);
    }
  };
  JournalBench bench;
  ChangesAtFlush device(bench.device);
  BufferCache cache(device, kBenchBlockBytes, 10000);
  auto journal = bench.open(device);
  const auto change = [&](std::uint64_t value) {
    Handle handle = journal->start(Credits(1)).value();
    put(handle, cache, 7, bytes_with(value));
  };
  change(1);
  device.hook = [&] { change(2); };
  ASSERT_TRUE(journal->commit());
  EXPECT_EQ(recovered_home(bench, image_of(bench)).at(7), bytes_with(1));
  ASSERT_TRUE(journal->commit());
  EXPECT_EQ(recovered_home(bench, image_of(bench)).at(7), bytes_with(2));
}

// Random transactions, some blocks given up and used again, through many turns of the ring: after
// each commit a recovery finds exactly what was there, but for blocks that are free.
struct RandomRun {
  JournalBench bench;
  Prng random{1};
  Home model;
  std::vector<bool> is_free = std::vector<bool>(kBenchHomeBlocks, false);

  void one_handle(Journal& journal, BufferCache& cache) {
    const std::uint64_t count = 1 + random.below(12);
    Handle handle = journal.start(Credits(static_cast<std::uint32_t>(count))).value();
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t block = random.below(60);
      if (random.chance(1, 5)) {
        handle.forget(cache.get(BlockNo(block)).value());
        is_free[block] = true;
        continue;
      }
      auto bytes = bytes_with(random.next(), random.chance(1, 6));
      const auto buffer = cache.get_unread(BlockNo(block)).value();
      handle.replace(buffer, Content::copy_of(bytes));
      model[block] = std::move(bytes);
      is_free[block] = false;
    }
  }

  void expect_recovered() const {
    RecoveryEnd end = RecoveryEnd::kRefused;
    const Home home = recovered_home(bench, image_of(bench), &end);
    ASSERT_EQ(end, RecoveryEnd::kClean);
    for (const auto& [block, bytes] : model) {
      if (is_free[block]) continue;
      ASSERT_EQ(home.at(block), bytes) << "block " << block;
    }
  }
};

void random_run(std::uint64_t seed, Tid first_tid) {
  RandomRun run;
  run.random = Prng(seed);
  run.bench.first_tid = first_tid;
  run.bench.log_blocks = 128;
  run.bench.options.verify_before_write = true;
  BufferCache cache(run.bench.device, kBenchBlockBytes, 64);
  auto journal = run.bench.open(run.bench.device);
  for (int commit = 0; commit < 150; ++commit) {
    for (std::uint64_t i = 1 + run.random.below(3); i > 0; --i) run.one_handle(*journal, cache);
    if (run.random.chance(1, 9)) {
      ASSERT_TRUE(journal->checkpoint_all());
    }
    ASSERT_TRUE(journal->commit());
    run.expect_recovered();
    if (::testing::Test::HasFatalFailure()) return;
  }
  const JournalCounters counters = journal->counters();
  EXPECT_GT(counters.commits, 100u);
  EXPECT_GT(counters.revokes, 10u);
  EXPECT_GT(counters.checkpoints, 5u);
  EXPECT_GT(counters.log_bytes, 5 * 128 * std::uint64_t{kBenchBlockBytes});
}

TEST(Journal, RandomTransactionsThroughManyTurnsOfTheRing) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) random_run(seed, Tid(1));
}

TEST(Journal, TransactionNumbersAroundTheirEnd) {
  random_run(5, Tid(0xFFFF'FFC0));
  random_run(6, Tid(0x7FFF'FFC0));
}

TEST(Journal, ManyDescriptorsInOneTransaction) {
  JournalBench bench;
  bench.log_blocks = 1000;
  BufferCache cache(bench.device, kBenchBlockBytes, 10000);
  auto journal = bench.open(bench.device);
  const std::uint32_t count = 110;
  ASSERT_GT(count, journal->format().tags_per_descriptor());
  {
    Handle handle = journal->start(Credits(count)).value();
    for (std::uint32_t i = 0; i < count; ++i) put(handle, cache, i, bytes_with(i, i % 3 == 0));
    EXPECT_EQ(handle.left().value(), 0u);
  }
  ASSERT_TRUE(journal->commit());
  const Home home = recovered_home(bench, image_of(bench));
  for (std::uint32_t i = 0; i < count; ++i) EXPECT_EQ(home.at(i), bytes_with(i, i % 3 == 0)) << i;
}

// A device that fails from its n-th write on.
struct FailsLater final : testing::PassingDevice {
  FailsLater(BlockDevice& on, int after) : PassingDevice(on), left(after) {}
  int left;
  Result<void> count() {
    return left-- > 0 ? Result<void>{} : Result<void>{fail(Errc::kIo, "a planted error")};
  }
  Result<void> do_write(std::uint64_t at, Bytes from, Durability how) override {
    TRY(count());
    return PassingDevice::do_write(at, from, how);
  }
  Result<void> do_write_zeroes(std::uint64_t at, std::uint64_t n, Durability how) override {
    TRY(count());
    return PassingDevice::do_write_zeroes(at, n, how);
  }
  Result<void> do_flush() override { return count(); }
};

// Whatever fails, what was acknowledged before is there, and nothing is acknowledged after.
TEST(Journal, AFailedWriteAnywhereStopsItAndLosesNothingAcknowledged) {
  for (int after = 1; after < 120; ++after) {
    RandomRun run;
    run.random = Prng(static_cast<std::uint64_t>(after));
    run.bench.log_blocks = 128;
    FailsLater device(run.bench.device, after);
    BufferCache cache(device, kBenchBlockBytes, 64);
    auto journal = run.bench.open(device);
    ASSERT_NE(journal, nullptr);
    Home acknowledged;
    std::vector<bool> was_free = run.is_free;
    for (int commit = 0; commit < 40; ++commit) {
      if (journal->stopped()) break;
      run.one_handle(*journal, cache);
      const auto done = commit % 7 == 6 ? journal->checkpoint_all() : journal->commit();
      if (!done) break;
      acknowledged = run.model;
      was_free = run.is_free;
    }
    ASSERT_TRUE(journal->stopped()) << after;
    EXPECT_FALSE(journal->commit());
    const auto refused = journal->start(Credits(1));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::kAborted);
    const Home home = recovered_home(run.bench, image_of(run.bench));
    for (const auto& [block, bytes] : acknowledged) {
      // What was changed by the commit that failed may be there or not.
      if (was_free[block] || run.is_free[block] || run.model.at(block) != bytes) continue;
      ASSERT_EQ(home.at(block), bytes) << "block " << block << ", failed after " << after;
    }
  }
}

TEST(Journal, ThreadsThatWaitForTheSameCommitShareIt) {
  JournalBench bench;
  bench.log_blocks = 1000;
  BufferCache cache(bench.device, kBenchBlockBytes, 10000);
  auto journal = bench.open(bench.device);
  std::vector<Task> tasks;
  for (std::uint64_t t = 0; t < 4; ++t) {
    tasks.push_back(Task::start("storer", [&, t] {
      for (std::uint64_t i = 0; i < 200; ++i) {
        Tid tid;
        {
          Handle handle = journal->start(Credits(2)).value();
          put(handle, cache, t, bytes_with(i));
          put(handle, cache, 10, bytes_with(t * 1000 + i));
          tid = handle.tid();
        }
        ASSERT_TRUE(journal->wait_durable(tid));
      }
    }));
  }
  for (Task& task : tasks) task.join();
  const Home home = recovered_home(bench, image_of(bench));
  for (std::uint64_t t = 0; t < 4; ++t) EXPECT_EQ(home.at(t), bytes_with(199));
  EXPECT_LE(journal->counters().commits, 800u);
}

TEST(Journal, ItsServiceCommitsByAge) {
  JournalBench bench;
  bench.options = {.commit_interval = std::chrono::milliseconds(5)};
  BufferCache cache(bench.device, kBenchBlockBytes, 10000);
  auto journal = bench.open(bench.device);
  Tid tid;
  {
    Handle handle = journal->start(Credits(1)).value();
    put(handle, cache, 3, bytes_with(3));
    tid = handle.tid();
  }
  Mutex mutex{LockRank::kMount};
  Condition never;
  Lock lock(mutex);
  for (int i = 0; i < 2000 && !journal->is_durable(tid); ++i) {
    never.wait_for(mutex, std::chrono::milliseconds(5));
  }
  EXPECT_TRUE(journal->is_durable(tid));
}

}  // namespace
}  // namespace powercut
