// The finds of a ring sorted into what they are for a recovery: the log, what lies behind its end,
// and what is old.
//
// Words
//   live         the recovery replays it
//   uncommitted  it lies where the log ends, and its commit block is not there (or, with
//                async_commit, is not right): an ordinary power cut leaves one
//   old          in the ring, and not in the log: checkpointed, or of an earlier life of the
//   journal
#pragma once

#include "lab/image/ring_walk.h"
#include "recovery/recovery.h"

namespace powercut::lab {

enum class Standing : std::uint8_t {
  kOld,
  kLive,
  kDamaged,     // the log ends in it, since a block of it does not match
  kNotReached,  // it goes on from a damaged one
  kUncommitted,
};
std::string_view standing_name(Standing standing);

struct SortedFind {
  FoundTransaction found;
  Standing standing = Standing::kOld;
};

// Old ones from behind the log's end on, then the log, in the order of the ring.  `plan` is of the
// same ring.  Errors: kIo.
Result<std::vector<SortedFind>> sort_ring(RingWalk& walk, const JournalRing& ring,
                                          const RecoveryPlan& plan);

}  // namespace powercut::lab
