// Findings of the judges of lab/check as text; whole lines.
#pragma once

#include <string>

#include "lab/check/cause.h"

namespace powercut::lab {

// "order tail-before-home: request 1234: the tail passes ..."
std::string check_finding_text(const CheckFinding& finding);
// One line for each cause, and what would mend it; nothing if there is none.
std::string causes_text(const std::vector<Cause>& causes);
std::string order_text(const OrderVerification& verification);

}  // namespace powercut::lab
