// Locks with an order, and the words of clang's thread-safety analysis.
//
// Words
//   task   who takes locks: a thread of the program, or a fibre of a simulation (base/task.h)
//   rank   the place of a lock in the order of the whole program, outermost first
//   order  the place of a lock among those of its rank, where a task may hold several (an inode's
//          number, a group's)
//
// Invariants, held at run time in every build; breaking one is a CHECK:
//   1. A task takes a lock only if its rank is greater than that of every lock it holds, or equal
//      to the greatest and its order is greater than that one's.  A lock without an order is never
//      held together with another of its rank.
//   2. A lock is given up by the task that holds it; locks may be given up in any order.
//   3. A task waits on a condition only with the lock that it took last.
// The analysis sees, at compile time, who needs which lock.  docs/locking.md has a line for each
// rank.
//
// Threads: in a simulation (base/simulation.h) each operation here is a switch point; the simulated
// state of a lock and the live one are apart, and one lock is not used in both ways at a time.
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <mutex>

#include "base/clock.h"
#include "base/held_ranks.h"
#include "base/scheduled.h"

#if defined(__clang__)
#define POWERCUT_TSA(x) __attribute__((x))
#else
#define POWERCUT_TSA(x)
#endif
#define CAPABILITY(name) POWERCUT_TSA(capability(name))
#define SCOPED_CAPABILITY POWERCUT_TSA(scoped_lockable)
#define GUARDED_BY(mutex) POWERCUT_TSA(guarded_by(mutex))
#define PT_GUARDED_BY(mutex) POWERCUT_TSA(pt_guarded_by(mutex))
#define REQUIRES(...) POWERCUT_TSA(requires_capability(__VA_ARGS__))
#define REQUIRES_SHARED(...) POWERCUT_TSA(requires_shared_capability(__VA_ARGS__))
#define EXCLUDES(...) POWERCUT_TSA(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) POWERCUT_TSA(acquire_capability(__VA_ARGS__))
#define ACQUIRE_SHARED(...) POWERCUT_TSA(acquire_shared_capability(__VA_ARGS__))
#define RELEASE(...) POWERCUT_TSA(release_capability(__VA_ARGS__))
#define RELEASE_SHARED(...) POWERCUT_TSA(release_shared_capability(__VA_ARGS__))
#define RELEASE_GENERIC(...) POWERCUT_TSA(release_generic_capability(__VA_ARGS__))
// Where the analysis cannot follow (a lock in a loop, a holder that moves): say why beside it.
#define NO_THREAD_SAFETY_ANALYSIS POWERCUT_TSA(no_thread_safety_analysis)

namespace powercut {

class CAPABILITY("mutex") Mutex {
 public:
  explicit Mutex(LockRank rank, std::uint64_t order = kNoLockOrder) noexcept
      : rank_(rank), order_(order) {}
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  void lock() ACQUIRE();
  void unlock() RELEASE();

 private:
  friend class Condition;
  std::mutex mutex_;
  const LockRank rank_;
  const std::uint64_t order_;
  detail::SimulatedId simulated_;
};

// Many readers or one writer.  A writer that waits is let in before readers that come later.
class CAPABILITY("shared mutex") SharedMutex {
 public:
  explicit SharedMutex(LockRank rank, std::uint64_t order = kNoLockOrder) noexcept;
  ~SharedMutex();
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;
  void lock() ACQUIRE();
  void unlock() RELEASE();
  void lock_shared() ACQUIRE_SHARED();
  void unlock_shared() RELEASE_SHARED();
  std::uint64_t order() const { return order_; }

 private:
  pthread_rwlock_t lock_;
  const LockRank rank_;
  const std::uint64_t order_;
  detail::SimulatedId simulated_;
};

class SCOPED_CAPABILITY Lock {
 public:
  explicit Lock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~Lock() RELEASE() { mutex_.unlock(); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  Mutex& mutex_;
};

class SCOPED_CAPABILITY ExclusiveLock {
 public:
  explicit ExclusiveLock(SharedMutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~ExclusiveLock() RELEASE() { mutex_.unlock(); }
  ExclusiveLock(const ExclusiveLock&) = delete;
  ExclusiveLock& operator=(const ExclusiveLock&) = delete;

 private:
  SharedMutex& mutex_;
};

class SCOPED_CAPABILITY SharedLock {
 public:
  explicit SharedLock(SharedMutex& mutex) ACQUIRE_SHARED(mutex) : mutex_(mutex) {
    mutex_.lock_shared();
  }
  ~SharedLock() RELEASE_GENERIC() { mutex_.unlock_shared(); }
  SharedLock(const SharedLock&) = delete;
  SharedLock& operator=(const SharedLock&) = delete;

 private:
  SharedMutex& mutex_;
};

// Waits are bounded: there is no wait without a time limit.
class Condition {
 public:
  // The limit of a wait that nothing but a wake is to end.  In a simulation, a wait of this length
  // counts as one without a timer: if no task can run, it is a deadlock.
  static constexpr Nanoseconds kSafetyLimit = std::chrono::seconds(60);

  Condition() = default;
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;
  // Gives the mutex up while waiting; false if `limit` passed first.  Wakes may be spurious.
  bool wait_for(Mutex& mutex, Nanoseconds limit) REQUIRES(mutex);
  void notify_all() noexcept;
  // Wakes one of those that wait, any of them.
  void notify_one() noexcept;

 private:
  std::condition_variable condition_;
  detail::SimulatedId simulated_;
};

}  // namespace powercut
