// The stream of our own file system's writer, for faults to be planted into; and what our own mount
// makes of the states that a fault leaves.
#pragma once

#include <string>
#include <vector>

#include "lab/check/explorer.h"
#include "lab/record/recording_file.h"

namespace powercut::planted {

// Files made, written over, cut, renamed over each other and deleted, with many commits and some
// checkpoints.  Requests complete in their order.  Without events if mke2fs is not here.
const lab::Recording& own_stream();

// Its first commit block behind the first third that goes without being forced.
struct Unforced {
  lab::Recording recording;  // its data lies in own_stream()
  std::uint64_t sequence = 0;
};
Unforced own_stream_with_unforced_commit();

struct OwnStates {
  std::string rules;  // "recover recovery-refused; ..."; empty: no state is bad
  std::uint64_t judged = 0, bad = 0;
  std::string mount;  // what our mount says of the first bad state, or of the last one
  bool is_mounted = false;
};
// `stream` may have a fault; own_stream() says where the journal is.
OwnStates look_at_own_states(const lab::Recording& stream);

}  // namespace powercut::planted
