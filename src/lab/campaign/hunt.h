// Several runs as one hunt, and how sure its count is.
#pragma once

#include <span>

#include "lab/campaign/vm_run.h"
#include "lab/stats/interval.h"

namespace powercut::lab {

struct HuntCounts {
  std::uint64_t run_count = 0;      // whole ones: the unit of the rate
  std::uint64_t bad_run_count = 0;  // of these, with a mismatch
  std::uint64_t incomplete_count = 0;
  std::uint64_t commit_count = 0, tid_count = 0;
  std::uint64_t block_count = 0, verified_count = 0;
  std::uint64_t finding_count = 0, bad_transaction_count = 0;
  // Data blocks of which it is known where in their transaction they were: a page that joined just
  // before the transaction was locked is among its last.
  std::uint64_t position_known_count = 0, last_block_count = 0, last_five_count = 0;
  // Of runs whose recordings were explored.
  std::uint64_t explored_run_count = 0, explored_bad_run_count = 0;
  std::uint64_t judged_count = 0, bad_state_count = 0;
  double load_seconds = 0;
  Interval bad_run_share;  // 95 %, two-sided
  double clean_bound = 1;  // 95 %, one-sided; meaningful for bad_run_count == 0
  Interval explored_bad_share;
  double explored_clean_bound = 1;  // as above
};

HuntCounts count(std::span<const RunOutcome> runs);

// The longest and the shortest that a bad transaction stayed replayable, in seconds; over the
// findings of which it is known.
struct ReplayableTimes {
  std::uint64_t known_count = 0;
  double shortest = 0, median = 0, longest = 0;
};
ReplayableTimes replayable_times(std::span<const RunOutcome> runs);

}  // namespace powercut::lab
