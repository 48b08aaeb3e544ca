#include "host/wall_clock.h"

namespace powercut {

Nanoseconds SystemWallClock::now() const {
  return std::chrono::duration_cast<Nanoseconds>(
      std::chrono::system_clock::now().time_since_epoch());
}

}  // namespace powercut
