// Recordings as JSON documents, for `--json`; fields as in docs/json.md.
#pragma once

#include <string>

#include "lab/record/log_writes.h"
#include "lab/record/recording_summary.h"

namespace powercut::lab {

std::string recording_json(const RecordingSummary& summary);
std::string log_counts_json(const LogCounts& counts);

}  // namespace powercut::lab
