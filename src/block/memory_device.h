// A disk in memory.  All zero at first; every write is durable at once.  Threads: none of its own,
// one caller at a time.
#pragma once

#include <vector>

#include "block/block_device.h"

namespace powercut {

class MemoryDevice final : public BlockDevice {
 public:
  explicit MemoryDevice(std::uint64_t size_bytes) : bytes_(size_bytes) {}
  explicit MemoryDevice(std::vector<std::uint8_t> bytes) : bytes_(std::move(bytes)) {}
  std::uint64_t size_bytes() const override { return bytes_.size(); }
  MutableBytes bytes() { return bytes_; }
  Bytes bytes() const { return bytes_; }

 private:
  Result<void> do_read(std::uint64_t offset, MutableBytes into) const override;
  Result<void> do_write(std::uint64_t offset, Bytes from, Durability) override;
  Result<void> do_write_zeroes(std::uint64_t offset, std::uint64_t length, Durability) override;
  Result<void> do_discard(std::uint64_t offset, std::uint64_t length) override;
  Result<void> do_flush() override { return {}; }

  std::vector<std::uint8_t> bytes_;
};

}  // namespace powercut
