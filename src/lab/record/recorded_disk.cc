#include "lab/record/recorded_disk.h"

namespace powercut::lab {

Result<void> RecordedDisk::read(std::uint64_t offset, MutableBytes into) const {
  const Lock lock(mutex_);
  return disk_.read(offset, into);
}

Result<void> RecordedDisk::write(std::uint64_t offset, Bytes from, Durability durability) {
  return pass({RequestKind::kWrite, durability, 0, offset, from.size(), from});
}

Result<void> RecordedDisk::write_zeroes(std::uint64_t offset, std::uint64_t length,
                                        Durability durability) {
  return pass({RequestKind::kZero, durability, 0, offset, length, {}});
}

Result<void> RecordedDisk::discard(std::uint64_t offset, std::uint64_t length) {
  return pass({RequestKind::kDiscard, Durability::kCached, 0, offset, length, {}});
}

Result<void> RecordedDisk::flush() {
  return pass({RequestKind::kFlush, Durability::kCached, 0, 0, 0, {}});
}

void RecordedDisk::power_cycle() {
  const Lock lock(mutex_);
  for (DiskObserver* const observer : observers_) observer->on_power_cycle(clock_.now());
}

Result<void> RecordedDisk::mark(std::string_view text) {
  if (text.size() > kMarkBytesMax) return fail(Errc::kInvalid, "mark: too long", text.size());
  const Lock lock(mutex_);
  for (DiskObserver* const observer : observers_) observer->on_mark(text, clock_.now());
  return {};
}

// The lock is given up between the two moments, so that requests which overlap in time are seen
// to overlap.
Result<void> RecordedDisk::pass(Request request) {
  submit(request);
  return complete(request);
}

void RecordedDisk::submit(Request& request) {
  const Lock lock(mutex_);
  request.sequence = ++submitted_count_;
  for (DiskObserver* const observer : observers_) observer->on_submitted(request, clock_.now());
}

Result<void> RecordedDisk::complete(const Request& request) {
  const Lock lock(mutex_);
  const auto applied = apply(request);
  if (!applied) {
    if (failures_.count++ == 0) failures_.first = applied.error();
    return applied;
  }
  for (DiskObserver* const observer : observers_) observer->on_completed(request, clock_.now());
  return {};
}

Result<void> RecordedDisk::apply(const Request& request) {
  switch (request.kind) {
    case RequestKind::kWrite: return disk_.write(request.offset, request.data, request.durability);
    case RequestKind::kZero:
      return disk_.write_zeroes(request.offset, request.length, request.durability);
    case RequestKind::kDiscard: return disk_.discard(request.offset, request.length);
    case RequestKind::kFlush: return disk_.flush();
  }
  return fail(Errc::kInvalid, "recorded disk: request kind");
}

}  // namespace powercut::lab
