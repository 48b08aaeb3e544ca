// A disk that passes everything on to another one: what tests put a mistake, a count or a hook
// into. Writes that are given together come one by one, through do_write().
#pragma once

#include "block/block_device.h"

namespace powercut::testing {

class PassingDevice : public BlockDevice {
 public:
  // `disk` must outlive it.
  explicit PassingDevice(BlockDevice& disk) : disk_(disk) {}
  std::uint64_t size_bytes() const override { return disk_.size_bytes(); }

 protected:
  Result<void> do_read(std::uint64_t offset, MutableBytes into) const override {
    return disk_.read(offset, into);
  }
  Result<void> do_write(std::uint64_t offset, Bytes from, Durability durability) override {
    return disk_.write(offset, from, durability);
  }
  Result<void> do_write_zeroes(std::uint64_t offset, std::uint64_t length,
                               Durability durability) override {
    return disk_.write_zeroes(offset, length, durability);
  }
  Result<void> do_discard(std::uint64_t offset, std::uint64_t length) override {
    return disk_.discard(offset, length);
  }
  Result<void> do_flush() override { return disk_.flush(); }

  BlockDevice& disk_;
};

}  // namespace powercut::testing
