// What runs, explorations and verifications gave, as suites of test cases: one case for each judge
// that looked, and one for the load.
#pragma once

#include <span>
#include <string>

#include "lab/campaign/run_outcome.h"
#include "lab/report/report_json.h"
#include "lab/report/test_report.h"

namespace powercut::lab {

TestSuite runs_suite(const std::string& name, std::span<const RunOutcome> runs,
                     const std::string& repeat);
TestSuite exploration_suite(const ExploreResult& result, const std::string& repeat);
TestSuite verification_suite(const VerifiedStream& verified, const std::string& repeat);

}  // namespace powercut::lab
