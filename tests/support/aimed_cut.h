// A power cut that is aimed: it comes where the code passes a trace point (base/trace.h).
//
// At random events the power rarely goes where it matters: between the transactions of one
// truncate, or in the few events in which a recovery empties the log.  An aim names a point of the
// code, waits until it was passed so many times, and cuts the power a few events of the disk later.
// Tasks that are stopped at such points for a while let others commit, or take what there is, in
// between.
//
// Threads: one; in a simulation, any of its tasks.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string_view>

#include "base/prng.h"
#include "block/simulated_disk.h"

namespace powercut::testing {

struct AimPoint {
  std::string_view name;
  std::uint64_t passings = 1;  // of a run, about
  // Between two transactions: the power goes when what was done before it is durable.
  bool is_between = false;
  unsigned stops_one_in = 0;  // of its passings, one in so many stops the task; 0: none
};

struct CutAim {
  std::string_view point;
  std::uint64_t passing = 1;   // the first being 1
  bool awaits_commit = false;  // events are counted from when the next transaction is durable
  std::uint64_t events = 1;    // of the disk, from there to the cut
};
// At one of the points; few events are likelier than many.
CutAim draw_aim(std::span<const AimPoint> points, Prng& prng);

class AimedCut {
 public:
  // Without `aim` nothing is cut, without `stops` nobody is stopped.
  AimedCut(SimulatedDisk& disk, std::optional<CutAim> aim, std::span<const AimPoint> stops,
           Prng prng)
      : disk_(disk), aim_(std::move(aim)), stops_(stops), prng_(prng) {}
  // For SimulationOptions::at_point.
  void at_point(std::string_view name);

 private:
  enum class State : std::uint8_t { kBefore, kAwaitsCommit, kArmed };
  void look_for_aim(std::string_view name);
  void arm();
  void stop_sometimes(std::string_view name);

  SimulatedDisk& disk_;
  const std::optional<CutAim> aim_;
  const std::span<const AimPoint> stops_;
  Prng prng_;
  State state_ = State::kBefore;
  std::uint64_t passings_ = 0;
};

}  // namespace powercut::testing
