// A part of something that can be read, as a view of its own: one of the devices that a recorded
// disk stands for.  The whole must outlive it.  Threads: as the whole's.
#pragma once

#include "base/check.h"
#include "block/block_device.h"

namespace powercut {

class WindowView final : public BlockView {
 public:
  // [offset, offset + length) lies inside `whole` (CHECK).
  WindowView(const BlockView& whole, std::uint64_t offset, std::uint64_t length)
      : whole_(whole), offset_(offset), length_(length) {
    CHECK(offset <= whole.size_bytes() && length <= whole.size_bytes() - offset,
          "a window lies inside its whole");
  }
  std::uint64_t size_bytes() const override { return length_; }

 private:
  Result<void> do_read(std::uint64_t offset, MutableBytes into) const override {
    return whole_.read(offset_ + offset, into);
  }

  const BlockView& whole_;
  const std::uint64_t offset_, length_;
};

}  // namespace powercut
