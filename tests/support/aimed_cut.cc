#include "tests/support/aimed_cut.h"

#include <algorithm>

#include "base/simulation.h"

namespace powercut::testing {
namespace {

constexpr std::string_view kCommitPoint = "journal.durable";
constexpr std::uint64_t kStopMillisecondsMax = 60;
constexpr unsigned kEventsBits = 5;

}  // namespace

CutAim draw_aim(std::span<const AimPoint> points, Prng& prng) {
  const AimPoint& point = points[prng.below(points.size())];
  CutAim aim;
  aim.point = point.name;
  aim.passing = 1 + prng.below(point.passings);
  aim.awaits_commit = point.is_between;
  aim.events = 1 + prng.below(std::uint64_t{1} << prng.below(kEventsBits + 1));
  return aim;
}

void AimedCut::at_point(std::string_view name) {
  if (aim_) look_for_aim(name);
  stop_sometimes(name);
}

void AimedCut::look_for_aim(std::string_view name) {
  if (state_ == State::kAwaitsCommit && name == kCommitPoint) return arm();
  if (state_ != State::kBefore || name != aim_->point || ++passings_ != aim_->passing) return;
  state_ = State::kAwaitsCommit;
  if (!aim_->awaits_commit) arm();
}

void AimedCut::arm() {
  state_ = State::kArmed;
  disk_.crash_after(aim_->events);
}

void AimedCut::stop_sometimes(std::string_view name) {
  const auto stop = std::ranges::find(stops_, name, &AimPoint::name);
  if (stop == stops_.end() || stop->stops_one_in == 0) return;
  if (!prng_.chance(1, stop->stops_one_in)) return;
  Simulation::sleep_for(std::chrono::milliseconds(1 + prng_.below(kStopMillisecondsMax)));
}

}  // namespace powercut::testing
