// Tasks: who runs at the same time.
//
// A task is a thread of the program; inside a simulation (base/simulation.h) it is a fibre, and
// takes turns with the others on one thread.  Code that starts its threads so can be simulated.
//
// Threads: a Task is joined by whoever holds it, one at a time.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace powercut {

class Task {
 public:
  // Runs `body` beside the caller.  `name` (static text) is for traces, and the thread's name.  A
  // thread gets no signals: they are for the main thread.
  static Task start(const char* name, std::function<void()> body);

  Task() = default;
  Task(Task&& other) noexcept : state_(std::move(other.state_)) {}
  // Joins what it was before.
  Task& operator=(Task&& other) noexcept;
  ~Task() { join(); }
  // Returns when the body has; at once if this is no task, or was joined.
  void join();
  bool is_joinable() const { return state_ != nullptr; }

 private:
  struct State;
  struct Delete {
    void operator()(State* state) const noexcept;
  };
  explicit Task(std::unique_ptr<State, Delete> state) : state_(std::move(state)) {}
  std::unique_ptr<State, Delete> state_;
};

namespace detail {

struct TaskLocalBase {
  virtual ~TaskLocalBase() = default;
};

// What one task keeps under keys.
class TaskLocals {
 public:
  // Null if there is nothing yet.
  TaskLocalBase* find(const void* key) const;
  TaskLocalBase& add(const void* key, std::unique_ptr<TaskLocalBase> value);

 private:
  std::vector<std::pair<const void*, std::unique_ptr<TaskLocalBase>>> values_;
};

// Of the task that runs.
TaskLocals& task_locals();

}  // namespace detail

// A T for each task, made when it is first asked for; what thread_local is to threads.  A TaskLocal
// is itself static: it outlives the tasks.
template <class T>
class TaskLocal {
 public:
  TaskLocal() = default;
  TaskLocal(const TaskLocal&) = delete;
  TaskLocal& operator=(const TaskLocal&) = delete;
  T& get() {
    detail::TaskLocals& locals = detail::task_locals();
    detail::TaskLocalBase* found = locals.find(this);
    if (found == nullptr) found = &locals.add(this, std::make_unique<Value>());
    return static_cast<Value*>(found)->value;
  }

 private:
  struct Value final : detail::TaskLocalBase {
    T value{};
  };
};

}  // namespace powercut
