// The time of day of this machine.
#pragma once

#include "base/wall_clock.h"

namespace powercut {

class SystemWallClock final : public WallClock {
 public:
  Nanoseconds now() const override;
};

}  // namespace powercut
