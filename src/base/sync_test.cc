#include "base/sync.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace powercut
