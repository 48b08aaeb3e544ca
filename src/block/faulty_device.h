// A disk whose requests fail as planned, on top of another: for tests of the running program.  A
// request that fails does nothing to the disk below.  SimulatedDisk is the one for simulations.
//
// Threads: as the disk's below; requests are counted in the order in which they come in.
#pragma once

#include "base/sync.h"
#include "block/block_device.h"
#include "block/fault_plan.h"

namespace powercut {

class FaultyDevice final : public BlockDevice {
 public:
  // `disk` must outlive it; `seed` is for faults by chance.
  FaultyDevice(BlockDevice& disk, FaultPlan plan, std::uint64_t seed = 1)
      : disk_(disk), prng_(seed), counter_(std::move(plan)) {}
  std::uint64_t size_bytes() const override { return disk_.size_bytes(); }
  std::uint64_t struck_count() const EXCLUDES(mutex_);

 private:
  Result<void> do_read(std::uint64_t offset, MutableBytes into) const override;
  Result<void> do_write(std::uint64_t offset, Bytes from, Durability) override;
  // Each counts; those before the first that fails are written.
  Result<void> do_write_all(std::span<const BlockWrite> writes) override;
  Result<void> do_write_zeroes(std::uint64_t offset, std::uint64_t length, Durability) override;
  Result<void> do_discard(std::uint64_t offset, std::uint64_t length) override;
  Result<void> do_flush() override;
  // kIo if this request is to fail.
  Result<void> count(DiskOperation operation, std::uint64_t offset) const EXCLUDES(mutex_);

  BlockDevice& disk_;
  mutable Mutex mutex_{LockRank::kDevice};
  mutable Prng prng_ GUARDED_BY(mutex_);
  mutable FaultCounter counter_ GUARDED_BY(mutex_);
};

}  // namespace powercut
