// What the judges of the stream (`tag` and `order`) find in a recording, as one list.
#pragma once

#include <vector>

#include "lab/check/order_recording.h"
#include "lab/verify/verify_recording.h"

namespace powercut::lab {

// The short name of a kind of the `tag` judge: "data-checksum".
std::string_view tag_rule_name(FindingKind kind);

struct StreamFinding {
  CheckFinding check;  // kTag or kOrder; sequence is there
  Finding tag;         // kTag: all that is known of it
};

// In the order of their requests; where they are the same `order` before `tag`, since a request
// breaks an order when it is sent, and a checksum when it is done.
std::vector<StreamFinding> stream_findings(std::vector<Finding> tag,
                                           std::vector<CheckFinding> order);
std::vector<StreamFinding> judge_stream(const Recording& recording, const Clock& clock,
                                        const OrderOptions& order = {});

}  // namespace powercut::lab
