// Counts what is read of a disk, for tests.
#pragma once

#include "block/block_device.h"

namespace powercut::testing {

class CountingView final : public BlockView {
 public:
  explicit CountingView(const BlockView& base) : base_(base) {}
  std::uint64_t size_bytes() const override { return base_.size_bytes(); }

  mutable std::uint64_t reads = 0, read_bytes = 0;

 private:
  Result<void> do_read(std::uint64_t offset, MutableBytes into) const override {
    ++reads;
    read_bytes += into.size();
    return base_.read(offset, into);
  }
  const BlockView& base_;
};

}  // namespace powercut::testing
