// Results as JSON documents, for `--json`; fields as in docs/json.md.
#pragma once

#include <span>
#include <string>

#include "lab/campaign/hunt.h"
#include "lab/campaign/prove.h"
#include "lab/check/cause.h"

namespace powercut::lab {

std::string runs_json(std::span<const RunOutcome> runs, const std::string& repeat_command);
std::string proof_json(const Proof& proof);
// What `verify` found.
struct VerifiedStream {
  const Verification* tag = nullptr;         // null: not asked
  const OrderVerification* order = nullptr;  // null: not asked
  std::vector<Cause> causes;
};
std::string verification_json(const VerifiedStream& verified);

}  // namespace powercut::lab
