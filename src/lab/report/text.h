// Results as text for a terminal.  Every function returns whole lines, newline-ended, at most about
// 100 columns wide but for findings; nothing is printed here.
#pragma once

#include <span>
#include <string>

#include "lab/campaign/host_run.h"
#include "lab/campaign/hunt.h"
#include "lab/campaign/prove.h"
#include "lab/verify/verify_recording.h"

namespace powercut::lab {

// 1234567 -> "1,234,567".
std::string grouped(std::uint64_t number);
// 1 -> "1 block", 2000 -> "2,000 blocks".
std::string plural(std::uint64_t count, std::string_view one, std::string_view many);
inline constexpr double kMib = 1 << 20;

// What is about to be run.
std::string run_header_text(const RunOptions& options, const std::string& title);
std::string host_run_header_text(const HostRunOptions& options, const std::string& title);
// One line without a newline, for a terminal that is overwritten.
std::string progress_text(const RunProgress& progress);
std::string finding_text(const Finding& finding);
// The lines below it: RunOutcome::witnesses; nothing for an empty one.
std::string witness_text(std::string_view witness);
// What one run gave.
std::string run_text(const RunOutcome& run);
// Counts over all runs, with their intervals.
std::string counts_text(std::span<const RunOutcome> runs);
std::string proof_text(const Proof& proof, const ImageNote* note);
std::string verification_text(const std::string& name, const Verification& verification);
// "kind: thing: rule (where)", or with the detail instead of the place.
std::string error_text(const Error& error);

}  // namespace powercut::lab
