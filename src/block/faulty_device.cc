#include "block/faulty_device.h"

namespace powercut {

Result<void> FaultyDevice::count(DiskOperation operation, std::uint64_t offset) const {
  const Lock lock(mutex_);
  if (!counter_.strikes(operation, prng_)) return {};
  return fail(Errc::kIo, "disk: an error on purpose", offset);
}

std::uint64_t FaultyDevice::struck_count() const {
  const Lock lock(mutex_);
  return counter_.struck_count();
}

Result<void> FaultyDevice::do_read(std::uint64_t offset, MutableBytes into) const {
  TRY(count(DiskOperation::kRead, offset));
  return disk_.read(offset, into);
}

Result<void> FaultyDevice::do_write(std::uint64_t offset, Bytes from, Durability durability) {
  TRY(count(DiskOperation::kWrite, offset));
  return disk_.write(offset, from, durability);
}

Result<void> FaultyDevice::do_write_all(std::span<const BlockWrite> writes) {
  for (std::size_t i = 0; i < writes.size(); ++i) {
    const Result<void> counted = count(DiskOperation::kWrite, writes[i].offset);
    if (counted) continue;
    TRY(disk_.write_all(writes.first(i)));
    return counted;
  }
  return disk_.write_all(writes);
}

Result<void> FaultyDevice::do_write_zeroes(std::uint64_t offset, std::uint64_t length,
                                           Durability durability) {
  TRY(count(DiskOperation::kWrite, offset));
  return disk_.write_zeroes(offset, length, durability);
}

Result<void> FaultyDevice::do_discard(std::uint64_t offset, std::uint64_t length) {
  TRY(count(DiskOperation::kWrite, offset));
  return disk_.discard(offset, length);
}

Result<void> FaultyDevice::do_flush() {
  TRY(count(DiskOperation::kFlush, 0));
  return disk_.flush();
}

}  // namespace powercut
