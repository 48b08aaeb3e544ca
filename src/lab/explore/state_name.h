// A state of a window as words that name it and make it again: which of the window's writes got
// there.
//
//   none          no write that may be lost got there
//   all           all of them
//   1-4,7,9.3     writes 1 to 4 and 7; of write 9 the first three pieces
//
// A block holds the last of its writes that is named.  Numbers are those of CrashWindow::steps().
#pragma once

#include <string>
#include <string_view>

#include "lab/explore/crash_window.h"

namespace powercut::lab {

// `digits`: one for each of the window's pending blocks.
std::string state_name(const CrashWindow& window, std::span<const std::uint32_t> digits);
// Errors: kInvalid: not of that form; a write that the window does not have.
Result<std::vector<std::uint32_t>> parse_state_name(const CrashWindow& window,
                                                    std::string_view name);

}  // namespace powercut::lab
