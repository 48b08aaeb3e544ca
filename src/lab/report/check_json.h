// Findings of the judges of lab/check as JSON; fields as in docs/json.md.
#pragma once

#include <string>

#include "lab/check/cause.h"

namespace powercut::lab {

// One line, without a newline.
std::string check_finding_to_json(const CheckFinding& finding);
// One array.
std::string causes_to_json(const std::vector<Cause>& causes);
// One object: counters, trouble, findings.
std::string order_to_json(const OrderVerification& verification);

}  // namespace powercut::lab
