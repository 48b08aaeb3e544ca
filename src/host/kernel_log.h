// The log of the running kernel.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace powercut {

// Its lines that hold `part`, from the moment `since_seconds` (of seconds_since_boot()) on, without
// level and time; at most the last `lines_max`.  Empty, too, where the log may not be read.
std::vector<std::string> kernel_log_lines(std::string_view part, double since_seconds,
                                          std::size_t lines_max);
// On the clock of those lines.
double seconds_since_boot();

}  // namespace powercut
