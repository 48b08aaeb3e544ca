// Time comes by constructor, so that a simulation can own it.
#pragma once

#include <chrono>

namespace powercut {

using Nanoseconds = std::chrono::nanoseconds;

class Clock {
 public:
  virtual ~Clock() = default;
  // Time since some fixed point; never goes back.
  virtual Nanoseconds now() const = 0;
};

class SteadyClock final : public Clock {
 public:
  Nanoseconds now() const override;
};

// Stands still until it is told to move.
class ManualClock final : public Clock {
 public:
  Nanoseconds now() const override { return now_; }
  void advance(Nanoseconds by) { now_ += by; }

 private:
  Nanoseconds now_{0};
};

inline double seconds_of(Nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

inline Nanoseconds nanoseconds_of(double seconds) {
  return std::chrono::duration_cast<Nanoseconds>(std::chrono::duration<double>(seconds));
}

}  // namespace powercut
