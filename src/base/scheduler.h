// One run of a simulation: its tasks, its locks, its time.
//
// A task comes to a switch point with the step that it is about to take (announce()); the chooser
// picks one of the tasks whose steps can be taken now; that task goes on, and its step counts as
// taken at that moment.  There is no flow for the scheduler itself: the task that stops chooses who
// goes on, on its own stack.
//
// Whose step can be taken:
//   kLock         the lock is free.  Held by readers: it becomes kQueue, once
//   kLockShared   no writer holds it or is queued
//   kWake         woken or past its limit, and the mutex is free
//   kSleep        the time has come
//   kJoin         the other task has ended
//   all others    always
//
// Which steps depend on each other (for ExhaustiveChooser's states): those of one task, those on
// one lock or condition, the start of a task and its steps, its end and who joins it; and kTime on
// every other, and so kPoint, since any memory may be touched behind one.  So two steps under
// different locks may change places: what a lock guards is touched under it only, and what no lock
// guards behind a trace point only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/chooser.h"
#include "base/fiber.h"
#include "base/held_ranks.h"
#include "base/scheduled.h"
#include "base/simulated_step.h"
#include "base/simulation.h"
#include "base/task.h"

namespace powercut::detail {

class Scheduler {
 public:
  Scheduler(const SimulationOptions& options, std::uint64_t seed, Chooser& chooser);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Runs `body` and all tasks it starts to their ends, or to a finding; once.
  void run(const std::function<void()>& body);
  bool has_finding() const { return end_ != SimulationEnd::kDone; }
  // What came of it; the counters of a search are left as they are.
  void report(SimulationResult& result) const;

  // What tasks do.
  void lock(SimulatedId& lock, LockRank rank);
  void unlock(SimulatedId& lock, LockRank rank);
  void lock_shared(SimulatedId& lock, LockRank rank);
  void unlock_shared(SimulatedId& lock, LockRank rank);
  // False if `limit` passed first.
  bool wait(SimulatedId& condition, SimulatedId& mutex, Nanoseconds limit);
  void notify_all(SimulatedId& condition);
  void notify_one(SimulatedId& condition);
  std::uint32_t spawn(const char* name, std::function<void()> body);
  void join(std::uint32_t task);
  void point(const char* name, std::uint64_t a, std::uint64_t b, std::uint64_t c);
  std::uint64_t choose(const char* name, std::uint64_t count);
  void sleep_for(Nanoseconds time);
  [[noreturn]] void fail(SimulationEnd end, std::string_view what);

  Nanoseconds now() const { return now_; }
  Prng& random() { return tasks_[current_]->prng; }
  HeldRanks& held() { return tasks_[current_]->held; }
  TaskLocals& locals() { return tasks_[current_]->locals; }
  bool has_mutant(std::string_view name) const;

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  static constexpr Nanoseconds kNoTimer = Nanoseconds::max();

  struct Task {
    Task(std::uint32_t number_in, const char* name_in, std::function<void()> body_in, Prng prng_in)
        : number(number_in), name(name_in), body(std::move(body_in)), prng(prng_in) {}
    const std::uint32_t number;
    const char* const name;
    std::function<void()> body;
    Prng prng;
    HeldRanks held;
    TaskLocals locals;
    std::unique_ptr<Fiber> fiber;  // null when it has ended and another took the stack
    Step announced;
    bool has_ended = false;
    bool is_woken = false;       // kWake: by a notification
    bool has_timed_out = false;  // kWake, kSleep: by the time
    Nanoseconds timer = kNoTimer;
    std::uint64_t history = 0;  // hash over all its steps and what they depended on
  };
  struct Object {  // a lock or a condition
    const char* name = "";
    std::uint32_t owner = kNone;  // who holds it exclusively
    std::uint32_t reader_count = 0;
    std::uint32_t queued_writer_count = 0;
    std::uint64_t history = 0;  // hash of the last step on it
  };

  static void run_task(void* task);
  std::uint32_t number_of(SimulatedId& id, const char* name);
  Task& current() { return *tasks_[current_]; }
  // Returns when the step is taken: others may have run meanwhile.
  void announce(const Step& step);
  std::uint32_t spawn_now(const char* name, std::function<void()> body);
  [[noreturn]] void end_task();
  std::uint32_t pick_next();
  bool can_go(const Task& task) const;
  bool collect_ready();
  bool move_time();
  std::vector<std::uint32_t> sleepers_on(std::uint32_t condition) const;
  void wake(std::uint32_t number);
  void note(const Step& step);
  void follow_history(Task& task, const Step& step);
  std::string describe(const Task& task) const;
  std::string task_name(std::uint32_t number) const;
  std::string object_name(std::uint32_t number) const;
  std::string step_words(const Step& step) const;
  std::string line_of(const StepTaken& taken) const;

  const SimulationOptions& options_;
  const std::uint64_t seed_;
  Chooser& chooser_;
  const bool follows_history_;
  const std::uint32_t run_number_;
  Fiber root_;
  std::vector<std::unique_ptr<Task>> tasks_;
  std::vector<std::uint32_t> alive_;  // numbers of the tasks that have not ended, rising
  std::vector<std::uint32_t> ended_;  // that still have their stacks
  std::vector<Object> objects_;
  std::vector<std::uint32_t> ready_;
  std::uint32_t current_ = kNone;
  Nanoseconds now_{0};
  StepTrace trace_;
  std::uint64_t steps_ = 0;
  std::uint64_t switches_ = 0;
  std::uint64_t timeouts_ = 0;
  std::uint64_t state_ = 0;           // hash over the partial order of all steps
  std::uint64_t spawn_history_ = 0;   // of the last start of a task
  std::uint64_t memory_history_ = 0;  // of the last step that may touch any memory
  std::uint64_t since_memory_ = 0;    // the sum over the steps since then
  SimulationEnd end_ = SimulationEnd::kDone;
  std::string what_;
};

}  // namespace powercut::detail
