// Whether stored checksums are believed without a look, so that damage made by a fuzzer reaches the
// code behind the checksum: never in a release; in the builds of tests, where a test asks for it.
#pragma once

namespace powercut {

#if defined(FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION)
constexpr bool is_fuzzing() {
  return true;
}
#elif defined(POWERCUT_FUZZ_SWITCH)
namespace detail {
inline bool is_fuzzing = false;
}
inline bool is_fuzzing() {
  return detail::is_fuzzing;
}
// For the whole process, before it has a second thread.
inline void set_fuzzing(bool is_on) {
  detail::is_fuzzing = is_on;
}
#else
constexpr bool is_fuzzing() {
  return false;
}
#endif

}  // namespace powercut
