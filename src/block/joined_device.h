// Two disks as one: the second begins where the first ends.  A file system and its external journal
// are looked at in this way, so that one map can name the blocks of both.
// The disks must outlive it.  Threads: as theirs.
#pragma once

#include "block/block_device.h"

namespace powercut {

class JoinedDevice final : public BlockDevice {
 public:
  // `first_bytes`, at most first.size_bytes(), is where the second begins: a file system's device
  // may be longer than the file system, whose blocks must come out even.
  JoinedDevice(BlockDevice& first, std::uint64_t first_bytes, BlockDevice& second)
      : first_(first), first_bytes_(first_bytes), second_(second) {}
  std::uint64_t size_bytes() const override { return first_bytes_ + second_.size_bytes(); }

 private:
  Result<void> do_read(std::uint64_t offset, MutableBytes into) const override;
  Result<void> do_write(std::uint64_t offset, Bytes from, Durability) override;
  Result<void> do_write_zeroes(std::uint64_t offset, std::uint64_t length, Durability) override;
  Result<void> do_discard(std::uint64_t offset, std::uint64_t length) override;
  Result<void> do_flush() override;
  // How many of `length` bytes at `offset` lie on the first disk.
  std::uint64_t in_first(std::uint64_t offset, std::uint64_t length) const;

  BlockDevice& first_;
  const std::uint64_t first_bytes_;
  BlockDevice& second_;
};

}  // namespace powercut
