// Fibres: flows of control that take turns on one thread, each with a stack of its own.
//
// Words
//   root    the flow that the thread had before: it has a Fiber too, but no stack of ours
//   stack   mapped memory with a page below it that no access may touch; kept for the next fibre
//           when one has ended
//
// A fibre that is left for ever is not unwound: what lies on its stack is not destroyed.
// AddressSanitizer and ThreadSanitizer are told of each switch; the state of C++'s exceptions is
// each fibre's own.
//
// Threads: all fibres of a root stay on its thread.
#pragma once

#include <array>
#include <cstddef>

namespace powercut::detail {

class Fiber {
 public:
  // The flow of the caller.
  Fiber();
  // A flow that will begin with entry(argument), which must not return.
  Fiber(void (*entry)(void*), void* argument, std::size_t stack_bytes);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Lets `to` go on; returns when something switches back to this one, which runs.
  void switch_to(Fiber& to);
  // Lets `to` go on, for ever.
  [[noreturn]] void leave_to(Fiber& to);

 private:
  friend struct FiberEntry;  // the first function on a stack

  void begin_switch(Fiber& to, bool is_last);
  // In the fibre that goes on: `from` is the one that was left, `context` where it was.
  void arrive(Fiber& from, void* context);

  Fiber* next_ = nullptr;    // whom it was left for
  void* context_ = nullptr;  // where it goes on
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
  std::byte* stack_ = nullptr;  // the lowest usable byte; of the root it is learned at a switch
  std::size_t stack_bytes_ = 0;
  bool has_own_stack_ = false;
  std::array<void*, 2> exceptions_{};            // C++'s, as they were when it was left
  [[maybe_unused]] void* fake_stack_ = nullptr;  // AddressSanitizer's
  [[maybe_unused]] void* shadow_ = nullptr;      // ThreadSanitizer's
};

// While it lives, what is allocated on this thread is no leak to LeakSanitizer: fibres that are
// left for ever never free what they hold.
class LeaksIgnored {
 public:
  LeaksIgnored();
  ~LeaksIgnored();
  LeaksIgnored(const LeaksIgnored&) = delete;
  LeaksIgnored& operator=(const LeaksIgnored&) = delete;
};

}  // namespace powercut::detail
