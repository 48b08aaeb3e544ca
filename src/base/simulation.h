// Simulations: tasks that run one at a time, in an order that a seed decides, on a time of their
// own.
//
// Words
//   task          what Task::start() began, and the main body; a fibre (base/fiber.h)
//   switch point  an operation on a lock, a condition or a task, or a trace point: before it, any
//                 other task that can run may run first
//   step          such an operation, and what its task does up to its next switch point
//   strategy      how the next task is chosen (SearchStrategy)
//   schedule      the choices of one run, as text
//   trace         all steps of a run, in order
//   timer         the limit of a wait, the end of a sleep
//   finding       a run that did not end well: see SimulationEnd
//
// Invariants
//   1. One seed, one strategy and one body give one trace, byte for byte: a body asks neither the
//      real time, nor addresses, nor threads for anything.
//   2. The simulated time stands still while a task can run, then moves to the next timer.
//   3. A run with a finding is left as it is: its tasks are not unwound, so what their stacks held
//      is never destroyed.  After a run without one every task has ended.
//
// Tasks see each other's stores in the order of the steps (they are sequentially consistent); what
// weaker memory does, only live tests under ThreadSanitizer show.  docs/simulation.md has more.
//
// Threads: a simulation runs on the thread that calls run(), and uses no other.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/prng.h"

namespace powercut {

enum class SearchStrategy : std::uint8_t {
  kRandom,      // each task that can run is as likely as the others
  kPct,         // priorities, changed at a few random steps: finds what needs few, rare switches
  kExhaustive,  // every schedule within a bound of preemptions
  kSchedule,    // one schedule again
};

enum class SimulationEnd : std::uint8_t {
  kDone,         // all tasks returned
  kDeadlock,     // all tasks wait, and no timer will wake one
  kStepLimit,    // it went on for more steps than allowed
  kTimeLimit,    // it went on for longer: only timers keep it going
  kCheckFailed,  // a CHECK in a task
  kFailed,       // Simulation::fail()
  kException,    // a task's body threw
};
const char* simulation_end_name(SimulationEnd end) noexcept;

struct SimulationOptions {
  static constexpr std::uint32_t kUnbounded = ~std::uint32_t{0};

  std::uint64_t seed = 1;
  SearchStrategy strategy = SearchStrategy::kRandom;
  std::uint32_t pct_depth = 3;                 // kPct: ordered steps that a mistake needs
  std::uint64_t pct_steps = 1000;              // kPct: steps that a run is expected to have
  std::uint32_t preemptions_max = kUnbounded;  // kExhaustive
  bool reduces = true;                         // kExhaustive: equal states are gone on from once
  // kExhaustive: what no lock guards is touched behind trace points, and only there.  False: all is
  // guarded by locks, and far fewer schedules differ.
  bool points_touch_memory = true;
  std::uint64_t schedules_max = 1'000'000;       // kExhaustive
  std::string schedule = {};                     // kSchedule
  Nanoseconds time_max = std::chrono::hours(1);  // of a run, simulated
  // Of a thousand waits, so many end at once, not woken by anybody, as a wait may.
  std::uint32_t spurious_wakes_per_thousand = 0;
  std::uint64_t steps_max = 10'000'000;   // of a run
  std::size_t trace_steps_max = 10'000;   // kept of a run's trace, its last
  std::vector<std::string> mutants = {};  // that are on (base/trace.h)
  // Called at each trace point by the task that passes it, before its step.  It may sleep: then the
  // task is stopped there, with the locks that it has.
  std::function<void(std::string_view name)> at_point = {};
  std::string command = {};  // how to run this again, without the seed; for messages
};

struct SimulationResult {
  SimulationEnd end = SimulationEnd::kDone;
  std::string what;    // of a finding: the tasks, and what each waits for
  std::string repeat;  // of a finding: the command and the seed or schedule
  std::uint64_t seed = 0;
  std::uint64_t steps = 0;       // of the last run
  std::uint64_t switches = 0;    // from one task to another, in the last run
  std::uint64_t timeouts = 0;    // waits that ended at their limit, in the last run
  Nanoseconds time{0};           // that had passed at its end
  std::uint64_t trace_hash = 0;  // over all steps of the last run
  std::string trace;             // a line for each step kept, of the last run
  std::uint64_t runs = 0;
  // kExhaustive:
  bool is_complete = false;        // every schedule within the bound was run, or one equal to it
  std::uint64_t states = 0;        // that were told apart
  std::uint64_t beyond_bound = 0;  // choices left out for their preemptions

  bool has_finding() const { return end != SimulationEnd::kDone; }
};

class Simulation {
 public:
  explicit Simulation(SimulationOptions options) : options_(std::move(options)) {}

  // Runs `body` as the first task, once with the seed; kExhaustive: as often as there are
  // schedules, up to the first finding.
  SimulationResult run(const std::function<void()>& body) const;
  // Runs it with `count` seeds, from the one of the options on, up to the first finding.
  SimulationResult run_seeds(std::uint64_t count, const std::function<void()>& body) const;

  // In a task of a simulation; called elsewhere, all but the first are mistakes.
  static bool is_running() noexcept;
  // A generator of the task's own, so that the order of tasks does not change what they draw.
  static Prng& random();
  // A number below `count`: drawn, or every one of them in turn (kExhaustive).  `name`: static
  // text, for the trace.
  static std::uint64_t choose(const char* name, std::uint64_t count);
  static void sleep_for(Nanoseconds time);
  // A finding.
  [[noreturn]] static void fail(std::string_view what);

 private:
  SimulationOptions options_;
};

// The time of the simulation that runs; 0 outside of one.
class SimulatedClock final : public Clock {
 public:
  Nanoseconds now() const override;
};

}  // namespace powercut
