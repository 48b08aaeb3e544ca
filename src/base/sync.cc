#include "base/sync.h"

#include <array>

#include "base/check.h"

namespace powercut {
namespace {

// The ranks that this thread holds, outermost first.
struct HeldRanks {
  static constexpr std::size_t kMost = 8;
  std::array<LockRank, kMost> ranks{};
  std::size_t count = 0;
};

HeldRanks& held_ranks() {
  thread_local HeldRanks held;
  return held;
}

}  // namespace

void Mutex::lock() {
  HeldRanks& held = held_ranks();
  CHECK(held.count < HeldRanks::kMost, "too many locks held by one task");
  CHECK(held.count == 0 || held.ranks[held.count - 1] < rank_, "lock order (docs/locking.md)");
  mutex_.lock();
  held.ranks[held.count++] = rank_;
}

void Mutex::unlock() {
  HeldRanks& held = held_ranks();
  CHECK(held.count > 0 && held.ranks[held.count - 1] == rank_, "locks are given up in order");
  --held.count;
  mutex_.unlock();
}

bool Condition::wait_for(Mutex& mutex, Nanoseconds limit) {
  std::unique_lock<std::mutex> borrowed(mutex.mutex_, std::adopt_lock);
  const bool woken = condition_.wait_for(borrowed, limit) == std::cv_status::no_timeout;
  borrowed.release();
  return woken;
}

}  // namespace powercut
