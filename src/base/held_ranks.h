// The order of all locks, and what a task holds of them.
//
// Ranks belong to a task, not to a thread: in a simulation many tasks share one thread.  That the
// ranks of what is held rise, in the order it was taken, holds by the check at each taking, and
// giving up any of them keeps it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/check.h"
#include "base/scheduled.h"

namespace powercut {

// Outermost first.
enum class LockRank : int {
  kMount = 2,          // fs: the volume as a whole: mounting, unmounting, freezing
  kRename = 3,         // fs: which directory is in which, while one is moved to another
  kInode = 4,          // fs: an inode and its content; several by rising number
  kHandle = 6,         // journal: not a mutex: an open handle in a transaction
  kOrphans = 7,        // fs: the list and the file of orphans
  kGroup = 8,          // fs: a group's blocks and inodes; several by rising number
  kBuffer = 9,         // buffer: the content of a block
  kJournalState = 10,  // journal: transactions, their states and lists
  kBufferTable = 12,   // buffer: which blocks are in memory
  kDamage = 13,        // fs: what damage was met
  kLogBuffer = 14,     // journal: blocks on their way to the log
  kPageTable = 16,     // cache: pages, their marks and mappings
  kRecorder = 20,      // lab/record: one order over all requests of a disk, and its observers
  kRecording = 25,     // lab/record: frames of a recording that wait to be written
  kReport = 30,        // lab/sources: lines that wait to be reported
  kDevice = 60,        // block: what a device keeps
};

// "kInode", for messages.
const char* lock_rank_name(LockRank rank) noexcept;

// Of a lock that is never held together with another of its rank.
inline constexpr std::uint64_t kNoLockOrder = ~std::uint64_t{0};

// What one task holds, outermost first.
class HeldRanks {
 public:
  static constexpr std::size_t kMost = 16;
  // Called before a lock is waited for: whoever breaks the order is told so also when it would not
  // have had to wait.  `lock` says which it is.
  void check(LockRank rank, std::uint64_t order) const {
    CHECK(count_ < kMost, "too many locks held by one task");
    if (count_ == 0) return;
    const Held& last = held_[count_ - 1];
    // kNoLockOrder is the greatest number, so a lock without an order comes after no other.
    CHECK(last.rank < rank || (last.rank == rank && order != kNoLockOrder && last.order < order),
          "lock order (docs/locking.md)");
  }
  void add(LockRank rank, std::uint64_t order, const void* lock) {
    held_[count_++] = {rank, order, lock};
  }
  void remove(const void* lock) {
    std::size_t at = count_;
    while (at > 0 && held_[at - 1].lock != lock) --at;  // nearly always the last
    CHECK(at > 0, "a lock is given up by the task that holds it");
    for (; at < count_; ++at) held_[at - 1] = held_[at];
    --count_;
  }
  // Stands for a lock where there is none (HeldRank): never the address of one.
  std::uintptr_t next_token() { return tokens_ += 2; }
  bool is_last(const void* lock) const { return count_ > 0 && held_[count_ - 1].lock == lock; }
  std::size_t count() const { return count_; }

 private:
  struct Held {
    LockRank rank{};
    std::uint64_t order = 0;
    const void* lock = nullptr;
  };
  std::array<Held, kMost> held_{};
  std::size_t count_ = 0;
  std::uintptr_t tokens_ = 1;
};

namespace detail {
__attribute__((tls_model("initial-exec"))) inline constinit thread_local HeldRanks live_held_ranks;
HeldRanks& simulated_held_ranks() noexcept;
}  // namespace detail

// Of the task that runs.
inline HeldRanks& held_ranks() noexcept {
  if (detail::scheduler != nullptr) [[unlikely]]
    return detail::simulated_held_ranks();
  return detail::live_held_ranks;
}

// A rank that is held without a lock, while this lives: being inside a transaction (kHandle).
// Taken and given up by the same task.
class HeldRank {
 public:
  explicit HeldRank(LockRank rank);
  ~HeldRank();
  HeldRank(HeldRank&& other) noexcept : token_(std::exchange(other.token_, 0)) {}
  HeldRank& operator=(HeldRank&&) = delete;

 private:
  std::uintptr_t token_;  // stands for the lock; 0: nothing is held here any more
};

}  // namespace powercut
