#include "block/joined_device.h"

#include <algorithm>

namespace powercut {

std::uint64_t JoinedDevice::in_first(std::uint64_t offset, std::uint64_t length) const {
  return offset >= first_bytes_ ? 0 : std::min(length, first_bytes_ - offset);
}

Result<void> JoinedDevice::do_read(std::uint64_t offset, MutableBytes into) const {
  const std::uint64_t count = in_first(offset, into.size());
  if (count != 0) TRY(first_.read(offset, into.first(count)));
  if (count == into.size()) return {};
  return second_.read(offset + count - first_bytes_, into.subspan(count));
}

Result<void> JoinedDevice::do_write(std::uint64_t offset, Bytes from, Durability durability) {
  const std::uint64_t count = in_first(offset, from.size());
  if (count != 0) TRY(first_.write(offset, from.first(count), durability));
  if (count == from.size()) return {};
  return second_.write(offset + count - first_bytes_, from.subspan(count), durability);
}

Result<void> JoinedDevice::do_write_zeroes(std::uint64_t offset, std::uint64_t length,
                                           Durability durability) {
  const std::uint64_t count = in_first(offset, length);
  if (count != 0) TRY(first_.write_zeroes(offset, count, durability));
  if (count == length) return {};
  return second_.write_zeroes(offset + count - first_bytes_, length - count, durability);
}

Result<void> JoinedDevice::do_discard(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t count = in_first(offset, length);
  if (count != 0) TRY(first_.discard(offset, count));
  if (count == length) return {};
  return second_.discard(offset + count - first_bytes_, length - count);
}

Result<void> JoinedDevice::do_flush() {
  TRY(first_.flush());
  return second_.flush();
}

}  // namespace powercut
