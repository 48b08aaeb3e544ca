// A disk whose power goes at a chosen request.  What is left then is drawn from all that was not
// flushed; every later request fails.
#pragma once

#include <optional>
#include <vector>

#include "block/simulated_disk.h"
#include "tests/support/passing_device.h"

namespace powercut::fs {

class CuttingDevice final : public testing::PassingDevice {
 public:
  CuttingDevice(SimulatedDisk& disk, std::uint64_t seed)
      : PassingDevice(disk), simulated_(disk), random_(seed) {}
  // At the n-th write or flush from now on; 0: now.
  void cut_after(std::uint64_t requests) {
    left_ = requests;
    if (requests == 0) cut();
  }
  // A lie: flushes and forced writes do nothing.
  void lose_flushes() { loses_flushes_ = true; }
  bool is_armed() const { return left_ != 0; }
  bool is_cut() const { return image_.has_value(); }
  const std::vector<std::uint8_t>& image() const { return *image_; }

 private:
  Result<void> do_write(std::uint64_t offset, Bytes from, Durability durability) override {
    if (loses_flushes_) durability = Durability::kCached;
    if (!is_last()) return PassingDevice::do_write(offset, from, durability);
    // In flight: all, some or nothing of it is there.
    TRY(PassingDevice::do_write(offset, from,
                                random_.chance(1, 4) ? durability : Durability::kCached));
    cut();
    return power_is_off();
  }
  Result<void> do_flush() override {
    const bool is_cut_now = is_last();
    if (!loses_flushes_ && (!is_cut_now || random_.chance(1, 2))) TRY(PassingDevice::do_flush());
    if (!is_cut_now) return {};
    cut();
    return power_is_off();
  }
  bool is_last() { return left_ != 0 && --left_ == 0; }
  void cut() {
    image_ = simulated_.crash(random_);
    simulated_.power_off();
  }
  static Failure power_is_off() { return fail(Errc::kIo, "disk: the power is off"); }

  SimulatedDisk& simulated_;
  Prng random_;
  std::uint64_t left_ = 0;
  bool loses_flushes_ = false;
  std::optional<std::vector<std::uint8_t>> image_;
};

}  // namespace powercut::fs
