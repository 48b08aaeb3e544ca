// Runs one command in the guest: in its own process group, its output relayed line by line, its
// time bounded, and everything that it leaves behind reaped (our init is everybody's last parent).
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "lab/sources/guest/voice.h"

namespace powercut::lab {

struct CommandLimits {
  Nanoseconds deadline{0};  // on the clock: then SIGTERM to the group
  Nanoseconds grace{0};     // after it SIGKILL
};

struct CommandEnd {
  int code = 0;              // of exit(), or 128 + signal; 127 if it could not be started
  bool was_stopped = false;  // by the deadline
};

// Output beyond this many bytes a command is dropped, with a line that says so.
inline constexpr std::size_t kRelayBytesMax = std::size_t{256} << 10;

// Returns at the command's end, at the latest `grace` and ten seconds after the deadline.  What is
// left of the command's group is killed then.
CommandEnd run_guest_command(const std::vector<std::string>& command, const CommandLimits& limits,
                             const Clock& clock, const Voice& voice);

// Kills every process but ours, and reaps for at most two seconds.  For process 1 only.
void end_all_processes(const Clock& clock);

}  // namespace powercut::lab
