#include "base/scheduler.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <exception>

#include "base/check.h"
#include "base/sync.h"

namespace powercut::detail {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kStackBytes = std::size_t{1} << 20;  // their frames are larger
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr std::size_t kStackBytes = std::size_t{1} << 20;
#else
constexpr std::size_t kStackBytes = std::size_t{256} << 10;
#endif
#else
constexpr std::size_t kStackBytes = std::size_t{256} << 10;
#endif

std::uint32_t next_run_number() {
  static std::atomic<std::uint32_t> last = 0;
  std::uint32_t number = ++last;
  if (number == 0) number = ++last;
  return number;
}

bool is_on_object(StepKind kind) {
  switch (kind) {
    case StepKind::kLock:
    case StepKind::kQueue:
    case StepKind::kLockShared:
    case StepKind::kUnlock:
    case StepKind::kUnlockShared:
    case StepKind::kWait:
    case StepKind::kWake:
    case StepKind::kNotifyAll:
    case StepKind::kNotifyOne: return true;
    case StepKind::kBegin:
    case StepKind::kEnd:
    case StepKind::kSpawn:
    case StepKind::kJoin:
    case StepKind::kPoint:
    case StepKind::kChoice:
    case StepKind::kSleep:
    case StepKind::kTime: break;
  }
  return false;
}

bool has_second(StepKind kind) {
  return kind == StepKind::kWait || kind == StepKind::kWake;
}

}  // namespace

void simulated_check_failed(std::string_view what) noexcept {
  scheduler->fail(SimulationEnd::kCheckFailed, what);
}

Scheduler::Scheduler(const SimulationOptions& options, std::uint64_t seed, Chooser& chooser)
    : options_(options),
      seed_(seed),
      chooser_(chooser),
      follows_history_(chooser.wants_states()),
      run_number_(next_run_number()),
      trace_(options.trace_steps_max) {}

Scheduler::~Scheduler() = default;

void Scheduler::run(const std::function<void()>& body) {
  CHECK(scheduler == nullptr, "a simulation does not run inside another");
  CHECK(tasks_.empty(), "a run is made once");
  const LeaksIgnored of_tasks_that_are_left;
  scheduler = this;
  spawn_now("main", body);
  current_ = pick_next();
  root_.switch_to(*current().fiber);
  scheduler = nullptr;
}

std::uint32_t Scheduler::spawn_now(const char* name, std::function<void()> body) {
  const auto number = static_cast<std::uint32_t>(tasks_.size());
  for (const std::uint32_t ended : ended_) tasks_[ended]->fiber.reset();
  ended_.clear();
  auto task = std::make_unique<Task>(number, name, std::move(body),
                                     Prng(seed_).child("task " + std::to_string(number)));
  task->fiber = std::make_unique<Fiber>(&Scheduler::run_task, task.get(), kStackBytes);
  if (current_ != kNone) task->history = mixed(current().history, 1);
  tasks_.push_back(std::move(task));
  alive_.push_back(number);
  return number;
}

void Scheduler::run_task(void* argument) {
  Scheduler& self = *scheduler;
  Task& task = *static_cast<Task*>(argument);
  try {
    task.body();
  } catch (const std::exception& exception) {
    self.fail(SimulationEnd::kException, exception.what());
  } catch (...) {
    self.fail(SimulationEnd::kException, "something that is no std::exception");
  }
  self.end_task();
}

void Scheduler::end_task() {
  Task& task = current();
  task.locals = {};
  task.body = nullptr;
  CHECK(task.held.count() == 0, "a task ends without locks");
  task.has_ended = true;
  alive_.erase(std::ranges::find(alive_, task.number));
  ended_.push_back(task.number);
  note({.kind = StepKind::kEnd});
  if (alive_.empty()) task.fiber->leave_to(root_);
  ++switches_;
  current_ = pick_next();
  task.fiber->leave_to(*current().fiber);
}

void Scheduler::announce(const Step& step) {
  Task& task = current();
  task.announced = step;
  const std::uint32_t next = pick_next();
  if (next == task.number) return;
  ++switches_;
  current_ = next;
  task.fiber->switch_to(*current().fiber);
}

bool Scheduler::can_go(const Task& task) const {
  const Step& step = task.announced;
  switch (step.kind) {
    case StepKind::kLock: return objects_[step.object].owner == kNone;
    case StepKind::kQueue:
      return objects_[step.object].owner == kNone && objects_[step.object].reader_count == 0;
    case StepKind::kLockShared:
      return objects_[step.object].owner == kNone && objects_[step.object].queued_writer_count == 0;
    case StepKind::kWake:
      return (task.is_woken || task.has_timed_out) && objects_[step.second].owner == kNone;
    case StepKind::kSleep: return task.has_timed_out;
    case StepKind::kJoin: return tasks_[step.object]->has_ended;
    case StepKind::kBegin:
    case StepKind::kEnd:
    case StepKind::kUnlock:
    case StepKind::kUnlockShared:
    case StepKind::kWait:
    case StepKind::kNotifyAll:
    case StepKind::kNotifyOne:
    case StepKind::kSpawn:
    case StepKind::kPoint:
    case StepKind::kChoice:
    case StepKind::kTime: break;
  }
  return true;
}

// False if nobody can go, now or later.
bool Scheduler::collect_ready() {
  for (;;) {
    ready_.clear();
    for (const std::uint32_t number : alive_) {
      if (can_go(*tasks_[number])) ready_.push_back(number);
    }
    if (!ready_.empty()) return true;
    if (!move_time()) return false;
  }
}

bool Scheduler::move_time() {
  Nanoseconds next = kNoTimer;
  for (const std::uint32_t number : alive_) next = std::min(next, tasks_[number]->timer);
  if (next == kNoTimer) return false;
  now_ = std::max(now_, next);
  if (now_ > options_.time_max) fail(SimulationEnd::kTimeLimit, "only timers keep it going");
  for (const std::uint32_t number : alive_) {
    Task& task = *tasks_[number];
    if (task.timer > now_) continue;
    task.timer = kNoTimer;
    task.has_timed_out = true;
    if (task.announced.kind == StepKind::kWake) ++timeouts_;
  }
  note({.kind = StepKind::kTime});
  if (follows_history_) {  // every task waits, so everything comes before it
    memory_history_ = mixed(state_, static_cast<std::uint64_t>(now_.count()));
    since_memory_ = 0;
    state_ += memory_history_;
  }
  return true;
}

// Chooses whose step is taken, and takes it; returns that task's number.
std::uint32_t Scheduler::pick_next() {
  for (;;) {
    if (!collect_ready()) fail(SimulationEnd::kDeadlock, "all tasks wait");
    if (++steps_ > options_.steps_max) fail(SimulationEnd::kStepLimit, "it does not end");
    const std::size_t last =
        static_cast<std::size_t>(std::ranges::find(ready_, current_) - ready_.begin());
    const std::size_t picked = chooser_.pick({ready_, last, state_});
    Task& task = *tasks_[ready_[picked]];
    Step& step = task.announced;
    const bool queues = step.kind == StepKind::kLock && objects_[step.object].reader_count > 0;
    if (queues) {
      step.kind = StepKind::kQueue;
      ++objects_[step.object].queued_writer_count;
    }
    if (step.kind == StepKind::kSpawn) step.object = static_cast<std::uint32_t>(tasks_.size());
    trace_.add({steps_, now_, task.number, step});
    if (follows_history_) follow_history(task, step);
    if (!queues) return task.number;
  }
}

void Scheduler::note(const Step& step) {
  trace_.add({steps_, now_, current_, step});
}

void Scheduler::follow_history(Task& task, const Step& step) {
  std::uint64_t hash = mixed(mixed(task.history, step_hash(step)), memory_history_);
  if (is_on_object(step.kind)) hash = mixed(hash, objects_[step.object].history);
  if (has_second(step.kind)) hash = mixed(hash, objects_[step.second].history);
  if (step.kind == StepKind::kJoin) hash = mixed(hash, tasks_[step.object]->history);
  if (step.kind == StepKind::kSpawn) hash = mixed(hash, spawn_history_);
  if (step.kind == StepKind::kPoint && options_.points_touch_memory) {
    hash = mixed(hash, since_memory_);
    memory_history_ = hash;
    since_memory_ = 0;
  } else {
    since_memory_ += mixed(hash, 1);  // a sum: these are in no order among each other
  }
  if (is_on_object(step.kind)) objects_[step.object].history = hash;
  if (has_second(step.kind)) objects_[step.second].history = hash;
  if (step.kind == StepKind::kSpawn) spawn_history_ = hash;
  task.history = hash;
  state_ += mixed(hash, 2);
}

std::uint32_t Scheduler::number_of(SimulatedId& id, const char* name) {
  if (id.run != run_number_) {
    id.run = run_number_;
    id.object = static_cast<std::uint32_t>(objects_.size());
    objects_.push_back({.name = name});
  }
  return id.object;
}

void Scheduler::lock(SimulatedId& lock, LockRank rank) {
  const std::uint32_t number = number_of(lock, lock_rank_name(rank));
  announce({.kind = StepKind::kLock, .object = number});
  Object& object = objects_[number];
  if (current().announced.kind == StepKind::kQueue) --object.queued_writer_count;
  object.owner = current_;
}

void Scheduler::unlock(SimulatedId& lock, LockRank rank) {
  const std::uint32_t number = number_of(lock, lock_rank_name(rank));
  announce({.kind = StepKind::kUnlock, .object = number});
  objects_[number].owner = kNone;
}

void Scheduler::lock_shared(SimulatedId& lock, LockRank rank) {
  const std::uint32_t number = number_of(lock, lock_rank_name(rank));
  announce({.kind = StepKind::kLockShared, .object = number});
  ++objects_[number].reader_count;
}

void Scheduler::unlock_shared(SimulatedId& lock, LockRank rank) {
  const std::uint32_t number = number_of(lock, lock_rank_name(rank));
  announce({.kind = StepKind::kUnlockShared, .object = number});
  --objects_[number].reader_count;
}

bool Scheduler::wait(SimulatedId& condition, SimulatedId& mutex, Nanoseconds limit) {
  const std::uint32_t waited = number_of(condition, "condition");
  CHECK(mutex.run == run_number_, "a task waits with a lock that it holds");
  announce({.kind = StepKind::kWait, .object = waited, .second = mutex.object});
  Task& task = current();
  objects_[mutex.object].owner = kNone;
  const std::uint32_t spurious = options_.spurious_wakes_per_thousand;
  task.is_woken = spurious > 0 && task.prng.chance(spurious, 1000);
  task.has_timed_out = false;
  const bool has_timer = !task.is_woken && limit < Condition::kSafetyLimit;
  task.timer = has_timer ? now_ + std::max(limit, Nanoseconds{0}) : kNoTimer;
  announce({.kind = StepKind::kWake, .object = waited, .second = mutex.object});
  task.timer = kNoTimer;
  objects_[mutex.object].owner = task.number;
  return !task.has_timed_out;
}

// Numbers of the tasks that wait on it and are not woken yet, rising.
std::vector<std::uint32_t> Scheduler::sleepers_on(std::uint32_t condition) const {
  std::vector<std::uint32_t> found;
  for (const std::uint32_t number : alive_) {
    const Task& task = *tasks_[number];
    const bool waits = task.announced.kind == StepKind::kWake && task.announced.object == condition;
    if (waits && !task.is_woken && !task.has_timed_out) found.push_back(number);
  }
  return found;
}

void Scheduler::wake(std::uint32_t number) {
  tasks_[number]->is_woken = true;
  tasks_[number]->timer = kNoTimer;
}

void Scheduler::notify_all(SimulatedId& condition) {
  const std::uint32_t number = number_of(condition, "condition");
  announce({.kind = StepKind::kNotifyAll, .object = number});
  for (const std::uint32_t sleeper : sleepers_on(number)) wake(sleeper);
}

void Scheduler::notify_one(SimulatedId& condition) {
  const std::uint32_t number = number_of(condition, "condition");
  announce({.kind = StepKind::kNotifyOne, .object = number});
  const std::vector<std::uint32_t> sleepers = sleepers_on(number);
  if (sleepers.empty()) return;
  wake(sleepers[choose("condition.notify_one", sleepers.size())]);
}

std::uint32_t Scheduler::spawn(const char* name, std::function<void()> body) {
  announce({.kind = StepKind::kSpawn});
  return spawn_now(name, std::move(body));
}

void Scheduler::join(std::uint32_t task) {
  announce({.kind = StepKind::kJoin, .object = task});
}

void Scheduler::point(const char* name, std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  if (options_.at_point) options_.at_point(name);
  announce({.kind = StepKind::kPoint, .name = name, .arguments = {a, b, c}});
}

std::uint64_t Scheduler::choose(const char* name, std::uint64_t count) {
  CHECK(count > 0, "a choice among none");
  const std::uint64_t chosen = chooser_.choose(count);
  const Step step{.kind = StepKind::kChoice, .name = name, .arguments = {chosen, count, 0}};
  note(step);
  if (follows_history_) follow_history(current(), step);
  return chosen;
}

void Scheduler::sleep_for(Nanoseconds time) {
  Task& task = current();
  task.has_timed_out = false;
  task.timer = now_ + std::max(time, Nanoseconds{0});
  announce({.kind = StepKind::kSleep});
}

bool Scheduler::has_mutant(std::string_view name) const {
  return std::ranges::find(options_.mutants, name) != options_.mutants.end();
}

void Scheduler::fail(SimulationEnd end, std::string_view what) {
  end_ = end;
  what_ = std::string(simulation_end_name(end)) + " at step " + std::to_string(steps_) + ": ";
  what_ += what;
  for (const std::uint32_t number : alive_) what_ += "\n  " + describe(*tasks_[number]);
  current().fiber->leave_to(root_);
}

}  // namespace powercut::detail
