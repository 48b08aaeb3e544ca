#include "block/window_device.h"

#include "base/check.h"

namespace powercut {

WindowDevice::WindowDevice(BlockDevice& disk, std::uint64_t offset, std::uint64_t length)
    : disk_(disk), offset_(offset), length_(length) {
  CHECK(offset <= disk.size_bytes() && length <= disk.size_bytes() - offset,
        "a window lies inside its disk");
}

}  // namespace powercut
