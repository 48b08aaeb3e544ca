// Locks with an order, and the words of clang's thread-safety analysis.
//
// A task takes a mutex only if its rank is greater than the rank of every mutex it holds; two of
// one rank are never held together.  The analysis sees who needs which lock, at compile time; the
// rank sees the order, at run time, in every build.  docs/locking.md has a line for each rank.
#pragma once

#include <condition_variable>
#include <mutex>

#include "base/clock.h"

#if defined(__clang__)
#define POWERCUT_TSA(x) __attribute__((x))
#else
#define POWERCUT_TSA(x)
#endif
#define CAPABILITY(name) POWERCUT_TSA(capability(name))
#define SCOPED_CAPABILITY POWERCUT_TSA(scoped_lockable)
#define GUARDED_BY(mutex) POWERCUT_TSA(guarded_by(mutex))
#define REQUIRES(...) POWERCUT_TSA(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) POWERCUT_TSA(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) POWERCUT_TSA(acquire_capability(__VA_ARGS__))
#define RELEASE(...) POWERCUT_TSA(release_capability(__VA_ARGS__))

namespace powercut {

enum class LockRank : int {
  kRecorder = 20,   // lab/record: one order over all requests of a disk, and its observers
  kRecording = 25,  // lab/record: frames of a recording that wait to be written
  kReport = 30,     // lab/sources: lines that wait to be reported
  kDevice = 60,     // block: what a device keeps
};

class CAPABILITY("mutex") Mutex {
 public:
  explicit Mutex(LockRank rank) noexcept : rank_(rank) {}
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  void lock() ACQUIRE();
  void unlock() RELEASE();

 private:
  friend class Condition;
  std::mutex mutex_;
  LockRank rank_;
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

// Waits are bounded: there is no wait without a time limit.
class Condition {
 public:
  // Gives the mutex up while waiting; false if `limit` passed first.  Wakes may be spurious.
  bool wait_for(Mutex& mutex, Nanoseconds limit) REQUIRES(mutex);
  void notify_all() noexcept { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace powercut
