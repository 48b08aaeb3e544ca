// Recordings, and logs of dm-log-writes, as text for a terminal.
#pragma once

#include <string>

#include "lab/record/log_writes.h"
#include "lab/record/recording_summary.h"

namespace powercut::lab {

std::string recording_text(const std::string& name, const RecordingSummary& summary,
                           bool lists_marks);
// `verb`: "imported" or "exported".
std::string log_counts_text(std::string_view verb, const std::string& name,
                            const LogCounts& counts);

}  // namespace powercut::lab
