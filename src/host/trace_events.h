// Events of the running kernel, each with its time and who caused it.
//
// They come through perf's rings, which are bound to descriptors: nothing stays in the kernel after
// a kill -9, as an instance of tracefs would.  tracefs itself is mounted nowhere (a detached
// mount). Threads: one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/clock.h"
#include "host/file.h"
#include "host/trace_format.h"

namespace powercut {

struct TraceWanted {
  std::string name;    // "jbd2/jbd2_start_commit"
  std::string filter;  // in the kernel's words: "dev == 7340032"; empty: all
};

struct TraceSample {
  std::size_t event = 0;  // index of what was wanted
  Nanoseconds when{0};    // on SteadyClock
  pid_t process = 0, thread = 0;
  Bytes raw;  // lives during the call only
};

// What one ring holds: whole records as perf writes them, in order.  Calls `take` for each sample
// with its raw bytes; returns how many events the kernel says it has lost.  Stops at the first
// record that breaks the form.  Pure.
using TakeSample = std::function<void(Nanoseconds when, pid_t process, pid_t thread, Bytes raw)>;
std::uint64_t for_each_sample(Bytes records, const TakeSample& take);

class TraceEvents {
 public:
  // Events that this kernel does not have are left out (format() is null then).
  // Errors: kUnsupported: no tracefs, no perf; kReadOnly: not permitted; kIo.
  static Result<TraceEvents> open(const std::vector<TraceWanted>& wanted);
  TraceEvents(TraceEvents&&) noexcept;
  TraceEvents& operator=(TraceEvents&&) = delete;
  ~TraceEvents();

  const TraceFormat* format(std::size_t event) const;
  // Gives what has come since the last time, processor by processor.
  void drain(const std::function<void(const TraceSample&)>& take);
  std::uint64_t lost_count() const { return lost_count_; }

 private:
  struct Ring {
    std::uint8_t* memory = nullptr;
    std::vector<Fd> events;  // the first one owns the memory
  };
  TraceEvents() = default;
  Result<void> open_ring(int processor, const std::vector<TraceWanted>& wanted);
  std::vector<std::uint8_t> take_records(Ring& ring);

  std::vector<std::optional<TraceFormat>> formats_;
  std::vector<Ring> rings_;
  std::uint64_t lost_count_ = 0;
};

}  // namespace powercut
