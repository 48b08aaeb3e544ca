#include "base/fiber.h"

#include <cxxabi.h>
#include <sys/mman.h>

#include <boost/context/detail/fcontext.hpp>
#include <cstring>
#include <utility>
#include <vector>

#include "base/check.h"

#if defined(__SANITIZE_ADDRESS__)
#define POWERCUT_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POWERCUT_ASAN
#endif
#if __has_feature(thread_sanitizer)
#define POWERCUT_TSAN
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define POWERCUT_TSAN
#endif
#ifdef POWERCUT_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#define POWERCUT_UNSANITIZED __attribute__((no_sanitize("address")))
#else
#define POWERCUT_UNSANITIZED
#endif
#ifdef POWERCUT_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace powercut::detail {
namespace {

constexpr std::size_t kGuardBytes = 4096;
constexpr std::size_t kStacksKept = 256;  // at most, of fibres that have ended

// Stacks of this thread's ended fibres.  They are all of one length in practice.
class StackPool {
 public:
  StackPool() = default;
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;
  ~StackPool() {
    for (const auto& [stack, bytes] : kept_) unmap(stack, bytes);
  }
  std::byte* take(std::size_t bytes) {
    if (!kept_.empty() && kept_.back().second == bytes) {
      std::byte* const stack = kept_.back().first;
      kept_.pop_back();
      return stack;
    }
    void* const mapped = ::mmap(nullptr, bytes + kGuardBytes, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    CHECK(mapped != MAP_FAILED, "memory for the stack of a simulated task");
    CHECK(::mprotect(mapped, kGuardBytes, PROT_NONE) == 0, "a page below a stack is guarded");
    return static_cast<std::byte*>(mapped) + kGuardBytes;
  }
  void give(std::byte* stack, std::size_t bytes) {
    if (kept_.size() < kStacksKept) {
      kept_.emplace_back(stack, bytes);
    } else {
      unmap(stack, bytes);
    }
  }

 private:
  static void unmap(std::byte* stack, std::size_t bytes) {
    ::munmap(stack - kGuardBytes, bytes + kGuardBytes);
  }
  std::vector<std::pair<std::byte*, std::size_t>> kept_;
};

StackPool& stack_pool() {
  thread_local StackPool pool;
  return pool;
}

}  // namespace

struct FiberEntry {
  static void run(boost::context::detail::transfer_t transfer) {
    Fiber& from = *static_cast<Fiber*>(transfer.data);
    Fiber& self = *from.next_;
    self.arrive(from, transfer.fctx);
    self.entry_(self.argument_);
    CHECK(false, "the first function of a fibre does not return");
  }
};

Fiber::Fiber() {
#ifdef POWERCUT_TSAN
  shadow_ = __tsan_get_current_fiber();
#endif
}

Fiber::Fiber(void (*entry)(void*), void* argument, std::size_t stack_bytes)
    : entry_(entry),
      argument_(argument),
      stack_(stack_pool().take(stack_bytes)),
      stack_bytes_(stack_bytes),
      has_own_stack_(true) {
#ifdef POWERCUT_ASAN
  __asan_unpoison_memory_region(stack_, stack_bytes_);  // of whoever had it before
#endif
#ifdef POWERCUT_TSAN
  shadow_ = __tsan_create_fiber(0);
#endif
  context_ =
      boost::context::detail::make_fcontext(stack_ + stack_bytes_, stack_bytes_, &FiberEntry::run);
}

Fiber::~Fiber() {
  if (!has_own_stack_) return;
#ifdef POWERCUT_TSAN
  __tsan_destroy_fiber(shadow_);
#endif
  stack_pool().give(stack_, stack_bytes_);
}

// A part of its callers: ThreadSanitizer notes entering a function and leaving it with the fibre
// that runs then, which is another behind the switch.
POWERCUT_UNSANITIZED inline __attribute__((always_inline)) void Fiber::begin_switch(Fiber& to,
                                                                                    bool is_last) {
  next_ = &to;
  static_assert(sizeof(exceptions_) == 2 * sizeof(void*));
  std::memcpy(exceptions_.data(), abi::__cxa_get_globals(), sizeof(exceptions_));
#ifdef POWERCUT_ASAN
  __sanitizer_start_switch_fiber(is_last ? nullptr : &fake_stack_, to.stack_, to.stack_bytes_);
#endif
#ifdef POWERCUT_TSAN
  __tsan_switch_to_fiber(to.shadow_, 0);
#endif
  static_cast<void>(is_last);
}

void Fiber::arrive(Fiber& from, void* context) {
  from.context_ = context;
#ifdef POWERCUT_ASAN
  const void* left = nullptr;
  std::size_t left_bytes = 0;
  __sanitizer_finish_switch_fiber(fake_stack_, &left, &left_bytes);
  if (!from.has_own_stack_) {
    from.stack_ = static_cast<std::byte*>(const_cast<void*>(left));
    from.stack_bytes_ = left_bytes;
  }
#endif
  std::memcpy(static_cast<void*>(abi::__cxa_get_globals()), exceptions_.data(),
              sizeof(exceptions_));
}

void Fiber::switch_to(Fiber& to) {
  begin_switch(to, false);
  const auto transfer = boost::context::detail::jump_fcontext(to.context_, this);
  arrive(*static_cast<Fiber*>(transfer.data), transfer.fctx);
}

// AddressSanitizer's stack of this fibre ends in begin_switch(): no frame may lie there behind it.
POWERCUT_UNSANITIZED void Fiber::leave_to(Fiber& to) {
  begin_switch(to, true);
  boost::context::detail::jump_fcontext(to.context_, this);
  __builtin_unreachable();
}

LeaksIgnored::LeaksIgnored() {
#ifdef POWERCUT_ASAN
  __lsan_disable();
#endif
}

LeaksIgnored::~LeaksIgnored() {
#ifdef POWERCUT_ASAN
  __lsan_enable();
#endif
}

}  // namespace powercut::detail
