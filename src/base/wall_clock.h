// The time of day comes by constructor, too: it is stored in inodes and commit blocks.
#pragma once

#include "base/clock.h"

namespace powercut {

class WallClock {
 public:
  virtual ~WallClock() = default;
  // Since 1970, UTC.  May go back.
  virtual Nanoseconds now() const = 0;
};

// One that stands still until it is told to move.
class ManualWallClock final : public WallClock {
 public:
  explicit ManualWallClock(Nanoseconds now) : now_(now) {}
  Nanoseconds now() const override { return now_; }
  void advance(Nanoseconds by) { now_ += by; }

 private:
  Nanoseconds now_;
};

}  // namespace powercut
