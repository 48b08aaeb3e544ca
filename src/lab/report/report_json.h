// Results as JSON documents, for `--json`; fields as in docs/json.md.
#pragma once

#include <span>
#include <string>

#include "lab/campaign/hunt.h"
#include "lab/campaign/prove.h"
#include "lab/check/order_recording.h"

namespace powercut::lab {

std::string runs_json(std::span<const RunOutcome> runs, const std::string& repeat_command);
std::string proof_json(const Proof& proof);
// What `verify` found; a judge that was not asked is null.
std::string verification_json(const DiskStatus* tag, std::span<const Finding> findings,
                              const OrderVerification* order);

}  // namespace powercut::lab
