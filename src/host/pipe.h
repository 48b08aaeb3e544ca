// A pipe of text lines between two of our processes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "host/file.h"

namespace powercut {

struct PipeEnds {
  Fd read, write;  // both closed on exec, unless a Process is told to inherit them
};
Result<PipeEnds> make_pipe();

// Writes all of `text`; waits while the pipe is full.  kAborted if nobody reads it any more (no
// SIGPIPE).
Result<void> write_pipe(const Fd& pipe, std::string_view text);

// Lines from a pipe.  A line longer than kLineMax is cut there and its rest skipped.
class LineReader {
 public:
  static constexpr std::size_t kLineMax = std::size_t{1} << 20;
  explicit LineReader(Fd pipe) : pipe_(std::move(pipe)) {}
  // The next line without its newline, waiting at most `limit` for it; nothing if none came, or at
  // the end (is_at_end()).  Errors: kIo.
  Result<std::optional<std::string>> next(Nanoseconds limit);
  bool is_at_end() const { return has_ended_ && buffer_.empty(); }

 private:
  std::optional<std::string> take_line();
  Fd pipe_;
  std::string buffer_;
  bool has_ended_ = false;
  bool is_skipping_ = false;
};

}  // namespace powercut
