// Results as JSON documents, for `--json`; fields as in docs/json.md.
#pragma once

#include <span>
#include <string>

#include "lab/campaign/hunt.h"
#include "lab/campaign/prove.h"

namespace powercut::lab {

std::string runs_json(std::span<const RunOutcome> runs, const std::string& repeat_command);
std::string proof_json(const Proof& proof);
std::string verification_json(const DiskStatus& status, std::span<const Finding> findings);

}  // namespace powercut::lab
