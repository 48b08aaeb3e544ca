#include "block/memory_device.h"

#include <algorithm>

namespace powercut {

Result<void> MemoryDevice::do_read(std::uint64_t offset, MutableBytes into) const {
  std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
  return {};
}

Result<void> MemoryDevice::do_write(std::uint64_t offset, Bytes from, Durability) {
  copy_bytes(from, MutableBytes(bytes_).subspan(offset));
  return {};
}

Result<void> MemoryDevice::do_write_zeroes(std::uint64_t offset, std::uint64_t length, Durability) {
  std::fill_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), length, std::uint8_t{0});
  return {};
}

Result<void> MemoryDevice::do_discard(std::uint64_t offset, std::uint64_t length) {
  return do_write_zeroes(offset, length, Durability::kCached);
}

}  // namespace powercut
