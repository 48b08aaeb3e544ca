// The log of the running kernel.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/file.h"

namespace powercut {

// The end of the log as it grows: what is new is read, not the whole of it each time.
class KernelLogTail {
 public:
  // Begins at the log's end.  Where the log may not be read there is never anything new.
  KernelLogTail();
  // What there is so far is not new any more.
  void skip();
  // The new lines that hold `part`, without level and time; at most the last `lines_max`.
  std::vector<std::string> take(std::string_view part, std::size_t lines_max);

 private:
  Fd log_;
};

// Its lines that hold `part` and came after the moment `after_seconds` (of kernel_log_end()),
// without level and time; at most the last `lines_max`.  Empty, too, where the log may not be read.
std::vector<std::string> kernel_log_lines(std::string_view part, double after_seconds,
                                          std::size_t lines_max);
// The time of its last line; 0 if there is none.  (The log's clock is not SteadyClock's: the two
// drift apart.)
double kernel_log_end();

}  // namespace powercut
