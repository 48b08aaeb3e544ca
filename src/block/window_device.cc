#include "block/window_device.h"

#include <vector>

#include "base/check.h"

namespace powercut {

WindowDevice::WindowDevice(BlockDevice& disk, std::uint64_t offset, std::uint64_t length)
    : disk_(disk), offset_(offset), length_(length) {
  CHECK(offset <= disk.size_bytes() && length <= disk.size_bytes() - offset,
        "a window lies inside its disk");
}

Result<void> WindowDevice::do_write_all(std::span<const BlockWrite> writes) {
  std::vector<BlockWrite> moved(writes.begin(), writes.end());
  for (BlockWrite& write : moved) write.offset += offset_;
  return disk_.write_all(moved);
}

}  // namespace powercut
