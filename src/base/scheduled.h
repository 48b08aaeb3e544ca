// The seam between what tasks do (locks, waits, trace points) and the simulation that may run them.
#pragma once

#include <cstdint>
#include <string_view>

namespace powercut::detail {

class Scheduler;

// The simulation that runs on this thread while one of its tasks does; else null.  One load and one
// branch decide between the live primitives and the simulated ones.
__attribute__((tls_model("initial-exec"))) inline constinit thread_local Scheduler* scheduler =
    nullptr;

// Ends the simulation with a finding.
[[noreturn]] void simulated_check_failed(std::string_view what) noexcept;

// What a simulation keeps in a lock or a condition: its number there.  A run gives numbers in the
// order of first use, so they are the same in each run of a seed, as addresses are not.
struct SimulatedId {
  std::uint32_t run = 0;  // the run that `object` is of; 0: none yet
  std::uint32_t object = 0;
};

}  // namespace powercut::detail
