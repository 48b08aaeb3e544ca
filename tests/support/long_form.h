// Whether tests that can do more of the same are to: in `./test full`, or with POWERCUT_FULL=1.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>

namespace powercut::testing {

inline bool is_long_form() {
  return std::getenv("POWERCUT_FULL") != nullptr;
}

}  // namespace powercut::testing

// For tests whose like the short form has already: `./test` counts them by this reason.
#define ONLY_IN_LONG_FORM() \
  if (!powercut::testing::is_long_form()) GTEST_SKIP() << "the long form"
