// Findings and counters as JSON, and back: what `--json` prints and what the processes of one hunt
// tell each other.  Times are in seconds.  Text that is not UTF-8 (a file name can be anything)
// gets replacement characters.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lab/verify/tag_judge.h"

namespace powercut::lab {

// One line, without a newline.
std::string finding_to_json(const Finding& finding);
// As it stands in a finding: kind, text, inode, path, offset and so on.
std::string owner_to_json(const Owner& owner, std::uint32_t block_bytes);
std::string counters_to_json(const JudgeCounters& counters);

// Errors: kCorrupt: not JSON, brackets nested too deep, or a field of another type or too large for
// what it stands for.  Absent fields keep their defaults.
Result<Finding> finding_from_json(std::string_view text);
Result<JudgeCounters> counters_from_json(std::string_view text);

// Whether brackets nest deeper in `json` than in any text of ours.  Asked before a text from
// outside is read: what walks the tree later calls itself once a level.
bool is_nested_too_deep(std::string_view json);
// A time from seconds, to the nearest nanosecond; none beyond 30 years either way.
std::optional<Nanoseconds> time_from_seconds(double seconds);

}  // namespace powercut::lab
