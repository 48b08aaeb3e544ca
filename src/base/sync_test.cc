#include "base/sync.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace powercut {
namespace {

constexpr LockRank kOuter = LockRank::kRecorder;
constexpr LockRank kInner = LockRank::kDevice;
static_assert(kOuter < kInner);

TEST(Mutex, InOrderIsFine) {
  Mutex outer(kOuter);
  Mutex inner(kInner);
  for (int i = 0; i < 20; ++i) {  // more often than a task may hold locks: each is given up
    const Lock first(outer);
    const Lock second(inner);
  }
}

TEST(Mutex, RanksBelongToATask) {
  Mutex outer(kOuter);
  Mutex inner(kInner);
  const Lock held(inner);
  std::thread other([&] { const Lock lock(outer); });  // this one holds nothing
  other.join();
}

void lock_both(Mutex& first, Mutex& second) {
  const Lock a(first);
  const Lock b(second);
}

TEST(MutexDeathTest, WrongOrder) {
  Mutex outer(kOuter);
  Mutex inner(kInner);
  EXPECT_DEATH(lock_both(inner, outer), "CHECK failed: lock order");
}

TEST(MutexDeathTest, TwoOfOneRank) {
  Mutex one(kInner);
  Mutex other(kInner);
  EXPECT_DEATH(lock_both(one, other), "CHECK failed: lock order");
}

void unlock_unheld(Mutex& mutex) NO_THREAD_SAFETY_ANALYSIS {
  mutex.unlock();
}

TEST(MutexDeathTest, OnlyTheTaskThatHoldsALockGivesItUp) {
  Mutex mutex(kInner);
  EXPECT_DEATH(unlock_unheld(mutex), "CHECK failed: a lock is given up by the task that holds it");
}

TEST(Mutex, LocksAreGivenUpInAnyOrder) {
  Mutex first(kOuter), second(LockRank::kReport), third(kInner);
  first.lock();
  second.lock();
  third.lock();
  second.unlock();
  first.unlock();
  EXPECT_EQ(held_ranks().count(), 1u);
  third.unlock();
  EXPECT_EQ(held_ranks().count(), 0u);
}

TEST(Mutex, SeveralOfOneRankByRisingOrder) {
  Mutex one(LockRank::kGroup, 0), two(LockRank::kGroup, 1), three(LockRank::kGroup, 7);
  one.lock();
  two.lock();
  one.unlock();
  three.lock();
  two.unlock();
  three.unlock();
}

TEST(MutexDeathTest, SeveralOfOneRankByRisingOrderOnly) {
  Mutex one(LockRank::kGroup, 4), other(LockRank::kGroup, 5), same(LockRank::kGroup, 4);
  Mutex without(LockRank::kGroup);
  EXPECT_DEATH(lock_both(other, one), "CHECK failed: lock order");
  EXPECT_DEATH(lock_both(one, same), "CHECK failed: lock order");
  EXPECT_DEATH(lock_both(one, without), "CHECK failed: lock order");
  EXPECT_DEATH(lock_both(without, one), "CHECK failed: lock order");
}

void share_then_lock(SharedMutex& first, Mutex& second) {
  const SharedLock a(first);
  const Lock b(second);
}

void share_and_lock(SharedMutex& mutex) NO_THREAD_SAFETY_ANALYSIS {
  const SharedLock held(mutex);
  mutex.lock();
}

TEST(SharedMutex, HasItsPlaceInTheOrder) {
  SharedMutex inode(LockRank::kInode, 12);
  Mutex outer(LockRank::kMount), inner(LockRank::kGroup);
  share_then_lock(inode, inner);
  EXPECT_DEATH(share_then_lock(inode, outer), "CHECK failed: lock order");
  EXPECT_DEATH(share_and_lock(inode), "CHECK failed: lock order");
  EXPECT_EQ(inode.order(), 12u);
}

TEST(SharedMutex, ReadersTogetherWritersAlone) {
  SharedMutex mutex(LockRank::kInode);
  std::uint64_t value = 0;  // guarded by mutex
  std::atomic<int> readers = 0;
  const auto read = [&] {
    const SharedLock lock(mutex);
    ++readers;
    while (readers < 2) std::this_thread::yield();  // both are inside at once
  };
  std::thread one(read), other(read);
  one.join();
  other.join();
  const auto add = [&] {
    for (int i = 0; i < 2000; ++i) {
      const ExclusiveLock lock(mutex);
      ++value;
    }
  };
  std::thread third(add), fourth(add);
  third.join();
  fourth.join();
  EXPECT_EQ(value, 4000u);
}

void lock_inside_a_rank(LockRank rank, Mutex& mutex) {
  const HeldRank held(rank);
  const Lock lock(mutex);
}

TEST(HeldRank, IsCheckedLikeALock) {
  Mutex group(LockRank::kGroup), mount(LockRank::kMount);
  lock_inside_a_rank(LockRank::kHandle, group);
  EXPECT_DEATH(lock_inside_a_rank(LockRank::kHandle, mount), "CHECK failed: lock order");
  HeldRank first(LockRank::kHandle);
  EXPECT_DEATH(HeldRank{LockRank::kHandle}, "CHECK failed: lock order");
  {
    const HeldRank moved(std::move(first));
    EXPECT_EQ(held_ranks().count(), 1u);
  }
  EXPECT_EQ(held_ranks().count(), 0u);
}

TEST(Condition, AWaitEndsByItself) {
  Mutex mutex(kInner);
  Condition condition;
  const Lock lock(mutex);
  bool woken = true;
  for (int i = 0; i < 100 && woken; ++i) {  // a wake without a cause is allowed, not for ever
    woken = condition.wait_for(mutex, std::chrono::milliseconds(1));
  }
  EXPECT_FALSE(woken);
}

TEST(Condition, GivesTheMutexUpWhileItWaits) {
  Mutex mutex(kInner);
  Condition condition;
  bool is_set = false;  // guarded by mutex
  const Lock lock(mutex);
  std::thread setter([&] {
    const Lock inside(mutex);
    is_set = true;
    condition.notify_all();
  });
  while (!is_set) static_cast<void>(condition.wait_for(mutex, std::chrono::seconds(10)));
  setter.join();
}

TEST(Condition, WakesOneOfThoseThatWait) {
  Mutex mutex(kInner);
  Condition condition;
  int tokens = 0, taken = 0;  // guarded by mutex
  const auto take = [&] {
    const Lock lock(mutex);
    while (tokens == 0) static_cast<void>(condition.wait_for(mutex, Condition::kSafetyLimit));
    --tokens;
    ++taken;
  };
  std::thread one(take), other(take);
  for (int i = 0; i < 2; ++i) {
    const Lock lock(mutex);
    ++tokens;
    condition.notify_one();
  }
  one.join();
  other.join();
  EXPECT_EQ(taken, 2);
}

bool wait_with(Mutex& waited, Condition& condition, Mutex& inner) {
  const Lock outer_lock(waited);
  const Lock inner_lock(inner);
  return condition.wait_for(waited, std::chrono::milliseconds(1));
}

TEST(ConditionDeathTest, AWaitHasNoLockInside) {
  Mutex outer(kOuter), inner(kInner);
  Condition condition;
  EXPECT_DEATH(wait_with(outer, condition, inner), "CHECK failed: a task waits with the lock");
}

}  // namespace
}  // namespace powercut
