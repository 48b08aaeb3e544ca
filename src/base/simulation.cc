#include "base/simulation.h"

#include <memory>

#include "base/check.h"
#include "base/scheduler.h"
#include "base/trace.h"

namespace powercut {
namespace {

detail::Scheduler& running() {
  CHECK(detail::scheduler != nullptr, "only inside a simulation");
  return *detail::scheduler;
}

// How to run it again; a schedule is said only where one was searched for.
std::string repeat_words(const SimulationOptions& options, std::uint64_t seed,
                         const std::string& schedule) {
  std::string words = options.command.empty() ? "" : options.command + " ";
  for (const std::string& name : options.mutants) words += "mutant " + name + " ";
  words += "seed " + std::to_string(seed);
  switch (options.strategy) {
    case SearchStrategy::kRandom: return words + " random";
    case SearchStrategy::kPct:
      return words + " pct " + std::to_string(options.pct_depth) + " of " +
             std::to_string(options.pct_steps) + " steps";
    case SearchStrategy::kExhaustive:
    case SearchStrategy::kSchedule: break;
  }
  return words + " schedule '" + schedule + "'";
}

SimulationResult run_once(const SimulationOptions& options, std::uint64_t seed,
                          const std::function<void()>& body) {
  const Prng prng = Prng(seed).child("schedule");
  std::unique_ptr<detail::Chooser> chooser;
  if (options.strategy == SearchStrategy::kPct) {
    chooser = std::make_unique<detail::PctChooser>(prng, options.pct_depth, options.pct_steps);
  } else if (options.strategy == SearchStrategy::kSchedule) {
    chooser = std::make_unique<detail::ScheduleChooser>(options.schedule);
  } else {
    chooser = std::make_unique<detail::RandomChooser>(prng);
  }
  detail::Scheduler scheduler(options, seed, *chooser);
  scheduler.run(body);
  SimulationResult result;
  scheduler.report(result);
  result.runs = 1;
  if (result.has_finding()) result.repeat = repeat_words(options, seed, options.schedule);
  return result;
}

SimulationResult run_all(const SimulationOptions& options, const std::function<void()>& body) {
  detail::ExhaustiveChooser chooser(
      {.preemptions_max = options.preemptions_max, .reduces = options.reduces});
  SimulationResult result;
  bool is_left = true;
  while (is_left) {
    detail::Scheduler scheduler(options, options.seed, chooser);
    scheduler.run(body);
    ++result.runs;
    const bool is_last = scheduler.has_finding() || result.runs >= options.schedules_max;
    if (scheduler.has_finding()) {
      result.repeat = repeat_words(options, options.seed, chooser.schedule());
    }
    is_left = chooser.next();
    if (is_last || !is_left) {
      scheduler.report(result);
      break;
    }
  }
  result.is_complete = !is_left && !result.has_finding();
  result.states = chooser.state_count();
  result.beyond_bound = chooser.beyond_bound();
  return result;
}

void check_mutants(const SimulationOptions& options) {
#ifdef POWERCUT_MUTANTS
  for (const std::string& name : options.mutants) {
    CHECK(is_mutant(name), "a mutant that a simulation asks for stands in a MutantNames");
  }
#else
  CHECK(options.mutants.empty(), "this build has no mutants (POWERCUT_MUTANTS)");
#endif
}

}  // namespace

const char* simulation_end_name(SimulationEnd end) noexcept {
  switch (end) {
    case SimulationEnd::kDone: return "done";
    case SimulationEnd::kDeadlock: return "deadlock";
    case SimulationEnd::kStepLimit: return "step limit";
    case SimulationEnd::kTimeLimit: return "time limit";
    case SimulationEnd::kCheckFailed: return "CHECK failed";
    case SimulationEnd::kFailed: return "failed";
    case SimulationEnd::kException: return "exception";
  }
  return "no end";
}

SimulationResult Simulation::run(const std::function<void()>& body) const {
  check_mutants(options_);
  if (options_.strategy == SearchStrategy::kExhaustive) return run_all(options_, body);
  return run_once(options_, options_.seed, body);
}

SimulationResult Simulation::run_seeds(std::uint64_t count,
                                       const std::function<void()>& body) const {
  CHECK(options_.strategy != SearchStrategy::kExhaustive, "an exhaustive search has one seed");
  check_mutants(options_);
  SimulationResult result;
  for (std::uint64_t i = 0; i < count && !result.has_finding(); ++i) {
    result = run_once(options_, options_.seed + i, body);
    result.runs = i + 1;
  }
  return result;
}

bool Simulation::is_running() noexcept {
  return detail::scheduler != nullptr;
}

Prng& Simulation::random() {
  return running().random();
}

std::uint64_t Simulation::choose(const char* name, std::uint64_t count) {
  return running().choose(name, count);
}

void Simulation::sleep_for(Nanoseconds time) {
  running().sleep_for(time);
}

void Simulation::fail(std::string_view what) {
  running().fail(SimulationEnd::kFailed, what);
}

Nanoseconds SimulatedClock::now() const {
  return detail::scheduler == nullptr ? Nanoseconds{0} : detail::scheduler->now();
}

}  // namespace powercut
