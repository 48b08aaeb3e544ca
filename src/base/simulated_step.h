// The steps that tasks of a simulation take, and the trace of them.
//
// A task announces a step when it comes to a switch point, and takes it when the scheduler chooses
// the task; what it does then, up to its next switch point, belongs to the step.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"

namespace powercut::detail {

enum class StepKind : std::uint8_t {
  kBegin,  // of a task
  kEnd,    // of a task
  kLock,   // exclusively
  kQueue,  // a writer waits for readers to go; later readers stay out
  kLockShared,
  kUnlock,
  kUnlockShared,
  kWait,  // on a condition: the mutex is given up
  kWake,  // from it: woken or at its limit, with the mutex again
  kNotifyAll,
  kNotifyOne,
  kSpawn,
  kJoin,
  kPoint,   // a trace point
  kChoice,  // one of several, drawn or enumerated
  kSleep,
  kTime,  // no task could run: the time moves to the next timer
};
const char* step_kind_name(StepKind kind) noexcept;

struct Step {
  StepKind kind = StepKind::kBegin;
  std::uint32_t object = 0;  // a lock, a condition; kSpawn, kJoin: the other task
  std::uint32_t second = 0;  // kWait, kWake: the mutex
  const char* name = "";     // kPoint, kChoice
  std::array<std::uint64_t, 3> arguments{};
};

struct StepTaken {
  std::uint64_t number = 0;  // 1 is the first of the run
  Nanoseconds when{0};
  std::uint32_t task = 0;
  Step step;
};

// Scrambles `value` into `hash`.
constexpr std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) noexcept {
  std::uint64_t z = (hash ^ value) + 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}
std::uint64_t mixed(std::uint64_t hash, const char* text) noexcept;
// What a step is, apart from which objects it is on.
std::uint64_t step_hash(const Step& step) noexcept;

// Keeps the last steps, at most `kept_max`, and a hash over all of them.
class StepTrace {
 public:
  explicit StepTrace(std::size_t kept_max) : kept_max_(kept_max) {}
  void add(const StepTaken& taken);
  std::uint64_t hash() const { return hash_; }
  std::uint64_t count() const { return count_; }
  // Calls visit(const StepTaken&) for each step kept, the oldest first.
  template <class Visit>
  void for_each(Visit visit) const {
    for (std::size_t i = 0; i < kept_.size(); ++i) visit(kept_[(oldest_ + i) % kept_.size()]);
  }

 private:
  const std::size_t kept_max_;
  std::vector<StepTaken> kept_;  // a ring once it is full
  std::size_t oldest_ = 0;
  std::uint64_t hash_ = 0;
  std::uint64_t count_ = 0;
};

}  // namespace powercut::detail
