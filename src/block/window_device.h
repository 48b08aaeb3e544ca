// A part of a disk, as a disk of its own: a partition.  The disk must outlive it.
// Threads: as the disk's.
#pragma once

#include "block/block_device.h"

namespace powercut {

class WindowDevice final : public BlockDevice {
 public:
  // [offset, offset + length) lies inside `disk` (CHECK).
  WindowDevice(BlockDevice& disk, std::uint64_t offset, std::uint64_t length);
  std::uint64_t size_bytes() const override { return length_; }

 private:
  Result<void> do_read(std::uint64_t offset, MutableBytes into) const override {
    return disk_.read(offset_ + offset, into);
  }
  Result<void> do_write(std::uint64_t offset, Bytes from, Durability durability) override {
    return disk_.write(offset_ + offset, from, durability);
  }
  Result<void> do_write_all(std::span<const BlockWrite> writes) override;
  Result<void> do_write_zeroes(std::uint64_t offset, std::uint64_t length,
                               Durability durability) override {
    return disk_.write_zeroes(offset_ + offset, length, durability);
  }
  Result<void> do_discard(std::uint64_t offset, std::uint64_t length) override {
    return disk_.discard(offset_ + offset, length);
  }
  Result<void> do_flush() override { return disk_.flush(); }

  BlockDevice& disk_;
  const std::uint64_t offset_, length_;
};

}  // namespace powercut
