// The log of the running kernel.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace powercut {

// Its lines that hold `part` and came after the moment `after_seconds` (of kernel_log_end()),
// without level and time; at most the last `lines_max`.  Empty, too, where the log may not be read.
std::vector<std::string> kernel_log_lines(std::string_view part, double after_seconds,
                                          std::size_t lines_max);
// The time of its last line; 0 if there is none.  (The log's clock is not SteadyClock's: the two
// drift apart.)
double kernel_log_end();

}  // namespace powercut
