// The stream of a simulated disk, for the judges and recorders of any other: what block/ tells its
// observer becomes requests with times.  Threads: as the disk's.
#pragma once

#include <vector>

#include "block/block_observer.h"
#include "lab/record/request.h"

namespace powercut::lab {

class SimulatedStream final : public BlockObserver {
 public:
  // References must outlive it; observers are called in the order given.  They must not wait for
  // anything: no switch point lies between a request's effect and the last observer's call.
  SimulatedStream(const Clock& clock, std::vector<DiskObserver*> observers)
      : clock_(clock), observers_(std::move(observers)) {}
  void on_submitted(const BlockRequest& request) override;
  void on_completed(const BlockRequest& request) override;
  // Puts a mark behind what was completed by now.  Longer than kMarkBytesMax is a mistake (CHECK).
  void mark(std::string_view text);
  // The power was off and is on again.
  void power_cycle();

 private:
  const Clock& clock_;
  const std::vector<DiskObserver*> observers_;
};

}  // namespace powercut::lab
