// Where a load runs: a virtual machine, or a corner of this machine.
//
// It tells of its steps as events (vm_console.h): booted, mounted, load started, load ended, off,
// exited, in this order.  Threads: one uses it, the one that started it.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "lab/sources/vm_console.h"
#include "lab/verify/finding.h"

namespace powercut::lab {

class LoadMachine {
 public:
  virtual ~LoadMachine() = default;
  LoadMachine() = default;
  LoadMachine(LoadMachine&&) = default;
  LoadMachine& operator=(LoadMachine&&) = default;

  // The next event, waiting at most `limit` for it; none if nothing came.
  // Errors: it did not come up, or is gone.
  virtual Result<std::optional<GuestEvent>> poll(Nanoseconds limit) = 0;
  // Ends it in order, within a bound; false if it did not end: its disk must go first, then stop()
  // again.
  virtual bool stop() = 0;
  // Ends it so that what it has not sent to the disk yet is not sent, if that can be; as stop().
  virtual bool cut_power() = 0;
  // What was seen from beside of the writing that a finding speaks of; empty: nothing.
  virtual std::string witness_of(const Finding& finding) = 0;
  // The last lines that it has said.
  virtual std::string console_tail() const = 0;
  // Processor time that it has taken.
  virtual double cpu_seconds() const = 0;
};

}  // namespace powercut::lab
