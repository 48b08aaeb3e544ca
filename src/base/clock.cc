#include "base/clock.h"

namespace powercut {

Nanoseconds SteadyClock::now() const {
  return std::chrono::duration_cast<Nanoseconds>(
      std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace powercut
