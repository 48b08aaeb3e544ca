#include "block/block_device.h"

namespace powercut {

Result<void> BlockView::check_range(std::uint64_t offset, std::uint64_t length) const {
  const std::uint64_t size = size_bytes();
  if (offset > size || size - offset < length) {
    return fail(Errc::kInvalid, "device: range past the end", offset);
  }
  return {};
}

Result<void> BlockView::read(std::uint64_t offset, MutableBytes into) const {
  TRY(check_range(offset, into.size()));
  return do_read(offset, into);
}

Result<void> BlockDevice::write(std::uint64_t offset, Bytes from, Durability durability) {
  TRY(check_range(offset, from.size()));
  return do_write(offset, from, durability);
}

Result<void> BlockDevice::write_all(std::span<const BlockWrite> writes) {
  for (const BlockWrite& write : writes) TRY(check_range(write.offset, write.from.size()));
  return do_write_all(writes);
}

Result<void> BlockDevice::do_write_all(std::span<const BlockWrite> writes) {
  for (const BlockWrite& write : writes) {
    TRY(do_write(write.offset, write.from, write.durability));
  }
  return {};
}

Result<void> BlockDevice::write_zeroes(std::uint64_t offset, std::uint64_t length,
                                       Durability durability) {
  TRY(check_range(offset, length));
  return do_write_zeroes(offset, length, durability);
}

Result<void> BlockDevice::discard(std::uint64_t offset, std::uint64_t length) {
  TRY(check_range(offset, length));
  return do_discard(offset, length);
}

}  // namespace powercut
