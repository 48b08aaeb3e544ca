#include "base/sync.h"

#include "base/check.h"
#include "base/scheduler.h"

namespace powercut {

void Mutex::lock() {
  HeldRanks& held = held_ranks();
  held.check(rank_, order_);
  if (detail::scheduler != nullptr) [[unlikely]] {
    detail::scheduler->lock(simulated_, rank_);
  } else {
    mutex_.lock();
  }
  held.add(rank_, order_, this);
}

void Mutex::unlock() {
  held_ranks().remove(this);
  if (detail::scheduler != nullptr) [[unlikely]] {
    return detail::scheduler->unlock(simulated_, rank_);
  }
  mutex_.unlock();
}

// A std::shared_mutex lets readers in before a writer that waits, for ever if they go on coming.
SharedMutex::SharedMutex(LockRank rank, std::uint64_t order) noexcept : rank_(rank), order_(order) {
  pthread_rwlockattr_t attributes;
  CHECK(pthread_rwlockattr_init(&attributes) == 0 &&
            pthread_rwlockattr_setkind_np(&attributes,
                                          PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) == 0 &&
            pthread_rwlock_init(&lock_, &attributes) == 0,
        "a shared mutex can be made");
  pthread_rwlockattr_destroy(&attributes);
}

SharedMutex::~SharedMutex() {
  CHECK(pthread_rwlock_destroy(&lock_) == 0, "a shared mutex ends unlocked");
}

void SharedMutex::lock() {
  HeldRanks& held = held_ranks();
  held.check(rank_, order_);
  if (detail::scheduler != nullptr) [[unlikely]] {
    detail::scheduler->lock(simulated_, rank_);
  } else {
    CHECK(pthread_rwlock_wrlock(&lock_) == 0, "a shared mutex can be locked");
  }
  held.add(rank_, order_, this);
}

void SharedMutex::unlock() {
  held_ranks().remove(this);
  if (detail::scheduler != nullptr) [[unlikely]] {
    return detail::scheduler->unlock(simulated_, rank_);
  }
  pthread_rwlock_unlock(&lock_);
}

void SharedMutex::lock_shared() {
  HeldRanks& held = held_ranks();
  held.check(rank_, order_);
  if (detail::scheduler != nullptr) [[unlikely]] {
    detail::scheduler->lock_shared(simulated_, rank_);
  } else {
    CHECK(pthread_rwlock_rdlock(&lock_) == 0, "a shared mutex can be locked");
  }
  held.add(rank_, order_, this);
}

void SharedMutex::unlock_shared() {
  held_ranks().remove(this);
  if (detail::scheduler != nullptr) [[unlikely]] {
    return detail::scheduler->unlock_shared(simulated_, rank_);
  }
  pthread_rwlock_unlock(&lock_);
}

bool Condition::wait_for(Mutex& mutex, Nanoseconds limit) {
  CHECK(held_ranks().is_last(&mutex), "a task waits with the lock that it took last");
  if (detail::scheduler != nullptr) [[unlikely]] {
    return detail::scheduler->wait(simulated_, mutex.simulated_, limit);
  }
  std::unique_lock<std::mutex> borrowed(mutex.mutex_, std::adopt_lock);
  const bool woken = condition_.wait_for(borrowed, limit) == std::cv_status::no_timeout;
  borrowed.release();
  return woken;
}

void Condition::notify_all() noexcept {
  if (detail::scheduler != nullptr) [[unlikely]] {
    return detail::scheduler->notify_all(simulated_);
  }
  condition_.notify_all();
}

void Condition::notify_one() noexcept {
  if (detail::scheduler != nullptr) [[unlikely]] {
    return detail::scheduler->notify_one(simulated_);
  }
  condition_.notify_one();
}

}  // namespace powercut
