// Whether stored checksums are believed without a look: only in the fuzz build, so that damage made
// by the fuzzer reaches the code behind the checksum.
#pragma once

namespace powercut {

#if defined(FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION)
inline constexpr bool kFuzzing = true;
#else
inline constexpr bool kFuzzing = false;
#endif

}  // namespace powercut
