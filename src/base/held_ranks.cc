#include "base/held_ranks.h"

#include "base/check.h"
#include "base/scheduler.h"

namespace powercut {

const char* lock_rank_name(LockRank rank) noexcept {
  switch (rank) {
    case LockRank::kMount: return "kMount";
    case LockRank::kRename: return "kRename";
    case LockRank::kInode: return "kInode";
    case LockRank::kHandle: return "kHandle";
    case LockRank::kOrphans: return "kOrphans";
    case LockRank::kGroup: return "kGroup";
    case LockRank::kBuffer: return "kBuffer";
    case LockRank::kJournalState: return "kJournalState";
    case LockRank::kBufferTable: return "kBufferTable";
    case LockRank::kDamage: return "kDamage";
    case LockRank::kLogBuffer: return "kLogBuffer";
    case LockRank::kPageTable: return "kPageTable";
    case LockRank::kRecorder: return "kRecorder";
    case LockRank::kRecording: return "kRecording";
    case LockRank::kReport: return "kReport";
    case LockRank::kDevice: return "kDevice";
  }
  return "no rank";
}

namespace detail {
HeldRanks& simulated_held_ranks() noexcept {
  return scheduler->held();
}
}  // namespace detail

HeldRank::HeldRank(LockRank rank) : token_(held_ranks().next_token()) {
  HeldRanks& held = held_ranks();
  held.check(rank, kNoLockOrder);
  held.add(rank, kNoLockOrder, reinterpret_cast<const void*>(token_));
}

HeldRank::~HeldRank() {
  if (token_ != 0) held_ranks().remove(reinterpret_cast<const void*>(token_));
}

}  // namespace powercut
