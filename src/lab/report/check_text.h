// Findings of the judges of lab/check as text; whole lines.
#pragma once

#include <string>

#include "lab/check/order_recording.h"

namespace powercut::lab {

// "order tail-before-home: request 1234: the tail passes ..."
std::string check_finding_text(const CheckFinding& finding);
std::string order_text(const OrderVerification& verification);

}  // namespace powercut::lab
