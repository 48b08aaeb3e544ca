// The order judge over a recording instead of a disk in use.
#pragma once

#include "lab/check/order_judge.h"
#include "lab/record/recording_file.h"

namespace powercut::lab {

struct OrderVerification {
  OrderCounters counters;
  std::string trouble;                 // why there is no journal to follow; empty if there is one
  std::vector<CheckFinding> findings;  // at most kFindingsMax, in the order of their requests
  static constexpr std::size_t kFindingsMax = 100'000;
};

// Plays the recording to a judge.
OrderVerification verify_order(const Recording& recording, const OrderOptions& options = {});

}  // namespace powercut::lab
