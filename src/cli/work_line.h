// A line that shows how far a long piece of work is, on a terminal only and from the first second
// on; and the way by which Ctrl-C ends that work in order.
#pragma once

#include <functional>
#include <string>

#include "base/clock.h"

namespace powercut::cli {

class WorkLine {
 public:
  // Interrupts are caught from here on.
  explicit WorkLine(std::string name, bool is_quiet = false);
  WorkLine(const WorkLine&) = delete;
  WorkLine& operator=(const WorkLine&) = delete;
  ~WorkLine() { clear(); }
  // Returns false once the user has interrupted us.  Must not outlive the line.
  std::function<bool(std::uint64_t done, std::uint64_t total)> watcher();
  // The line says `text()` from now on; returns the same as the watcher.
  bool show(const std::function<std::string()>& text);
  // Wipes the line, so that other text can follow.
  void clear();

 private:
  const std::string name_;
  const SteadyClock clock_;
  const bool is_shown_at_all_;
  Nanoseconds next_;
  bool is_shown_ = false;
};

}  // namespace powercut::cli
