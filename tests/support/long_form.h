// Whether tests that can do more of the same are to: in `./test full`, or with POWERCUT_FULL=1.
#pragma once

#include <cstdlib>

namespace powercut::testing {

inline bool is_long_form() {
  return std::getenv("POWERCUT_FULL") != nullptr;
}

}  // namespace powercut::testing
