#include "base/held_ranks.h"

#include "base/check.h"

namespace powercut {

const char* lock_rank_name(LockRank rank) noexcept {
  switch (rank) {
    case LockRank::kMount: return "kMount";
    case LockRank::kInode: return "kInode";
    case LockRank::kHandle: return "kHandle";
    case LockRank::kGroup: return "kGroup";
    case LockRank::kBuffer: return "kBuffer";
    case LockRank::kJournalState: return "kJournalState";
    case LockRank::kBufferTable: return "kBufferTable";
    case LockRank::kLogBuffer: return "kLogBuffer";
    case LockRank::kPageTable: return "kPageTable";
    case LockRank::kRecorder: return "kRecorder";
    case LockRank::kRecording: return "kRecording";
    case LockRank::kReport: return "kReport";
    case LockRank::kDevice: return "kDevice";
  }
  return "no rank";
}

void HeldRanks::check(LockRank rank, std::uint64_t order) const {
  CHECK(count_ < kMost, "too many locks held by one task");
  if (count_ == 0) return;
  const Held& last = held_[count_ - 1];
  // kNoLockOrder is the greatest number, so a lock without an order comes after no other.
  CHECK(last.rank < rank || (last.rank == rank && order != kNoLockOrder && last.order < order),
        "lock order (docs/locking.md)");
}

void HeldRanks::add(LockRank rank, std::uint64_t order, const void* lock) {
  held_[count_++] = {rank, order, lock};
}

void HeldRanks::remove(const void* lock) {
  std::size_t at = count_;
  while (at > 0 && held_[at - 1].lock != lock) --at;  // nearly always the last
  CHECK(at > 0, "a lock is given up by the task that holds it");
  for (; at < count_; ++at) held_[at - 1] = held_[at];
  --count_;
}

HeldRanks& held_ranks() noexcept {
  static constinit thread_local HeldRanks held;
  return held;
}

HeldRank::HeldRank(LockRank rank) : token_(held_ranks().next_token()) {
  HeldRanks& held = held_ranks();
  held.check(rank, kNoLockOrder);
  held.add(rank, kNoLockOrder, reinterpret_cast<const void*>(token_));
}

HeldRank::~HeldRank() {
  if (token_ != 0) held_ranks().remove(reinterpret_cast<const void*>(token_));
}

}  // namespace powercut
