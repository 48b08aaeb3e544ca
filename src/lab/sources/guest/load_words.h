// Words into a load and out of it: the numbers of its options, errors of the system, lines for the
// person who started it.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace powercut::lab {

// Errors: kInvalid, with `rule`: no number, or outside [least, most].
Result<std::uint64_t> parse_count(const char* rule, const std::string& word, std::uint64_t least,
                                  std::uint64_t most);

// What a system call said of `path`.
Failure load_failure(const char* what, const std::string& path, int os_error);

// Nothing is done about an error: nobody is left to be told.
void say(int fd, const std::string& line);

}  // namespace powercut::lab
