// Findings and counters as JSON, and back: what `--json` prints and what the processes of one hunt
// tell each other.  Times are in seconds.  Text that is not UTF-8 (a file name can be anything)
// gets replacement characters.
#pragma once

#include <string>
#include <string_view>

#include "lab/verify/tag_judge.h"

namespace powercut::lab {

// One line, without a newline.
std::string finding_to_json(const Finding& finding);
std::string counters_to_json(const JudgeCounters& counters);

// Errors: kCorrupt: not JSON, or a field of another type.  Absent fields keep their defaults.
Result<Finding> finding_from_json(std::string_view text);
Result<JudgeCounters> counters_from_json(std::string_view text);

}  // namespace powercut::lab
