// CHECK: what only a mistake of ours can break.  On in every build; it prints the place and ends
// the program (exit status by abort), because to go on would be to write what nobody meant.
#pragma once

namespace powercut {
[[noreturn]] void check_failed(const char* condition, const char* why, const char* file,
                               int line) noexcept;
}  // namespace powercut

#define CHECK(condition, why)                                        \
  do {                                                               \
    if (!(condition)) [[unlikely]]                                   \
      ::powercut::check_failed(#condition, why, __FILE__, __LINE__); \
  } while (false)
