#include "base/task.h"

#include <pthread.h>
#include <signal.h>

#include <array>
#include <cstdio>
#include <system_error>
#include <thread>

#include "base/check.h"
#include "base/scheduler.h"

namespace powercut {
namespace {

// Linux cuts a thread's name off here, its zero byte counted.
constexpr std::size_t kThreadNameBytes = 16;

std::thread start_thread(const char* name, std::function<void()> body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // a new thread has its maker's mask
  std::thread thread;
  try {
    thread = std::thread(std::move(body));
  } catch (const std::system_error&) {
    CHECK(false, "no thread can be made: the system's limit");
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  std::array<char, kThreadNameBytes> shortened{};
  for (std::size_t i = 0; i + 1 < shortened.size() && name[i] != '\0'; ++i) shortened[i] = name[i];
  pthread_setname_np(thread.native_handle(), shortened.data());
  return thread;
}

}  // namespace

struct Task::State {
  std::thread thread;
  bool is_simulated = false;
  std::uint32_t number = 0;  // of a simulated task
};

void Task::Delete::operator()(State* state) const noexcept {
  delete state;
}

Task Task::start(const char* name, std::function<void()> body) {
  std::unique_ptr<State, Delete> state(new State);
  if (detail::scheduler != nullptr) {
    state->is_simulated = true;
    state->number = detail::scheduler->spawn(name, std::move(body));
    return Task(std::move(state));
  }
  state->thread = start_thread(name, std::move(body));
  return Task(std::move(state));
}

Task& Task::operator=(Task&& other) noexcept {
  if (this != &other) {
    join();
    state_ = std::move(other.state_);
  }
  return *this;
}

void Task::join() {
  if (state_ == nullptr) return;
  if (state_->is_simulated) {
    CHECK(detail::scheduler != nullptr, "a simulated task is joined in its simulation");
    detail::scheduler->join(state_->number);
  } else {
    state_->thread.join();
  }
  state_.reset();
}

namespace detail {

TaskLocalBase* TaskLocals::find(const void* key) const {
  for (const auto& [of, value] : values_) {
    if (of == key) return value.get();
  }
  return nullptr;
}

TaskLocalBase& TaskLocals::add(const void* key, std::unique_ptr<TaskLocalBase> value) {
  return *values_.emplace_back(key, std::move(value)).second;
}

TaskLocals& task_locals() {
  if (scheduler != nullptr) [[unlikely]]
    return scheduler->locals();
  thread_local TaskLocals locals;
  return locals;
}

}  // namespace detail
}  // namespace powercut
