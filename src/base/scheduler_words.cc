// What a run of a simulation says about itself.
#include <array>
#include <cstdio>

#include "base/scheduler.h"

namespace powercut::detail {

std::string Scheduler::task_name(std::uint32_t number) const {
  if (number == kNone) return "nobody";
  return std::string(tasks_[number]->name) + "#" + std::to_string(number);
}

std::string Scheduler::object_name(std::uint32_t number) const {
  return std::string(objects_[number].name) + "#" + std::to_string(number);
}

std::string Scheduler::step_words(const Step& step) const {
  std::string words = step_kind_name(step.kind);
  switch (step.kind) {
    case StepKind::kBegin:
    case StepKind::kEnd:
    case StepKind::kSleep:
    case StepKind::kTime: return words;
    case StepKind::kSpawn:
    case StepKind::kJoin: return words + " " + task_name(step.object);
    case StepKind::kLock:
    case StepKind::kQueue:
    case StepKind::kLockShared:
    case StepKind::kUnlock:
    case StepKind::kUnlockShared:
    case StepKind::kNotifyAll:
    case StepKind::kNotifyOne: return words + " " + object_name(step.object);
    case StepKind::kWait:
    case StepKind::kWake:
      return words + " " + object_name(step.object) + " with " + object_name(step.second);
    case StepKind::kPoint:
    case StepKind::kChoice: break;
  }
  words = words + " " + step.name;
  for (const std::uint64_t argument : step.arguments) words += " " + std::to_string(argument);
  return words;
}

std::string Scheduler::line_of(const StepTaken& taken) const {
  std::array<char, 64> front;
  std::snprintf(front.data(), front.size(), "%llu %.9f ",
                static_cast<unsigned long long>(taken.number), seconds_of(taken.when));
  return front.data() + task_name(taken.task) + " " + step_words(taken.step) + "\n";
}

// A task that has not ended: what it is about to do, and what it waits for.
std::string Scheduler::describe(const Task& task) const {
  const Step& step = task.announced;
  if (task.number == current_ && end_ != SimulationEnd::kDeadlock) {
    return task_name(task.number) + " runs, after: " + step_words(step);
  }
  std::string words = task_name(task.number);
  if (can_go(task)) return words + " can go on: " + step_words(step);
  words += " waits: " + step_words(step);
  const bool is_for_lock = step.kind == StepKind::kLock || step.kind == StepKind::kQueue ||
                           step.kind == StepKind::kLockShared;
  if (is_for_lock) {
    const Object& object = objects_[step.object];
    words += object.owner != kNone ? ", held by " + task_name(object.owner)
                                   : ", " + std::to_string(object.reader_count) + " read";
  }
  if (step.kind == StepKind::kWake && (task.is_woken || task.has_timed_out)) {
    words += ", which is held by " + task_name(objects_[step.second].owner);
  } else if (step.kind == StepKind::kWake) {
    words += task.timer == kNoTimer ? ", not woken and without a timer" : ", not woken";
  }
  return words;
}

void Scheduler::report(SimulationResult& result) const {
  result.end = end_;
  result.what = what_;
  result.seed = seed_;
  result.steps = steps_;
  result.switches = switches_;
  result.timeouts = timeouts_;
  result.time = now_;
  result.trace_hash = trace_.hash();
  result.trace.clear();
  trace_.for_each([&](const StepTaken& taken) { result.trace += line_of(taken); });
}

}  // namespace powercut::detail
