#include "block/simulated_disk.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "base/simulation.h"
#include "base/trace.h"

namespace powercut {
namespace {

// What a power cut loses as one, at most: a block of a file system, whatever the request.
constexpr std::uint64_t kLossBytes = 4096;

// Lets other tasks run while a request is under way.
void pass_time(const char* name, std::uint64_t number, Nanoseconds latency_max) {
  if (!Simulation::is_running()) return;
  trace_point(name, number);
  Prng& prng = Simulation::random();
  if (latency_max.count() > 0 && prng.chance(1, 2)) {
    const auto latency = prng.below(static_cast<std::uint64_t>(latency_max.count())) + 1;
    Simulation::sleep_for(Nanoseconds(latency));
  }
}

// Calls visit(offset, bytes) for each aligned piece of `unit` bytes of a range.
template <class Visit>
void for_each_unit(std::uint64_t offset, Bytes data, std::uint64_t unit, Visit visit) {
  while (!data.empty()) {
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(unit - offset % unit, data.size()));
    visit(offset, data.first(count));
    offset += count;
    data = data.subspan(count);
  }
}

// How much of a write that is not durable a power cut leaves.
enum class Kept : std::uint8_t { kAll, kNone, kSome };
Kept draw_kept(Prng& prng) {
  const std::uint64_t draw = prng.below(4);
  return draw == 0 ? Kept::kAll : draw == 1 ? Kept::kNone : Kept::kSome;
}

// Writes what a cut leaves of a write: whole blocks, or torn ones where a unit is smaller.
Result<void> write_kept(BlockDevice& onto, std::uint64_t offset, Bytes data, std::uint32_t unit,
                        Prng& prng) {
  const Kept of_write = draw_kept(prng);
  Result<void> outcome;
  for_each_unit(offset, data, kLossBytes, [&](std::uint64_t block_at, Bytes block) {
    Kept of_block = of_write == Kept::kSome ? draw_kept(prng) : of_write;
    if (of_block == Kept::kSome && unit == kLossBytes) {
      of_block = prng.chance(1, 2) ? Kept::kAll : Kept::kNone;
    }
    for_each_unit(block_at, block, unit, [&](std::uint64_t at, Bytes piece) {
      const bool is_kept = of_block == Kept::kSome ? prng.chance(1, 2) : of_block == Kept::kAll;
      if (is_kept && outcome) outcome = onto.write(at, piece);
    });
  });
  return outcome;
}

}  // namespace

SimulatedDisk::SimulatedDisk(std::vector<std::uint8_t> content, Options options,
                             BlockObserver* observer)
    : options_(std::move(options)),
      observer_(observer),
      durable_(content),
      current_(std::move(content)),
      crash_at_event_(options_.crash_at_event),
      prng_(Prng(options_.seed).child("disk")),
      faults_(options_.faults) {
  CHECK(std::has_single_bit(options_.atomic_bytes) && options_.atomic_bytes >= 512 &&
            options_.atomic_bytes <= kLossBytes,
        "an atomic size from 512 to 4096");
}

Result<void> SimulatedDisk::check_power() const {
  if (is_off_) return fail(Errc::kIo, "disk: the power is off");
  return {};
}

void SimulatedDisk::count_event() {
  if (++event_count_ != crash_at_event_) return;
  Prng prng = Prng(options_.seed).child("crash");
  crash_image_ = crash(prng);
  is_off_ = true;
}

Result<void> SimulatedDisk::crash_onto(BlockDevice& onto, Prng& prng) const {
  const auto leave = [&](const Write& write) -> Result<void> {
    if (write.is_durable) return onto.write(write.request.offset, write.data);
    return write_kept(onto, write.request.offset, write.data, options_.atomic_bytes, prng);
  };
  for (const Write& write : cached_) TRY(leave(write));
  std::vector<const Write*> under_way;
  for (const Write& write : in_flight_) under_way.push_back(&write);
  for (std::size_t left = under_way.size(); left > 0; --left) {
    std::swap(under_way[prng.below(left)], under_way[left - 1]);
    TRY(leave(*under_way[left - 1]));
  }
  return {};
}

std::vector<std::uint8_t> SimulatedDisk::crash(Prng& prng) const {
  MemoryDevice image(std::vector<std::uint8_t>(durable_.bytes().begin(), durable_.bytes().end()));
  const Result<void> written = crash_onto(image, prng);
  CHECK(written.has_value(), "memory takes every write inside it");
  return std::vector<std::uint8_t>(image.bytes().begin(), image.bytes().end());
}

Result<void> SimulatedDisk::do_read(std::uint64_t offset, MutableBytes into) const {
  TRY(check_power());
  pass_time("disk.read", offset, options_.latency_max);
  TRY(check_power());
  if (faults_.strikes(DiskOperation::kRead, prng_)) {
    return fail(Errc::kIo, "disk: a read error on purpose", offset);
  }
  return current_.read(offset, into);
}

Result<void> SimulatedDisk::do_write(std::uint64_t offset, Bytes from, Durability durability) {
  const BlockWrite write{offset, from, durability};
  return do_write_all({&write, 1});
}

Result<void> SimulatedDisk::do_write_all(std::span<const BlockWrite> writes) {
  std::vector<Write> copies;
  copies.reserve(writes.size());
  for (const BlockWrite& write : writes) {
    copies.push_back({.request = {.kind = BlockRequestKind::kWrite,
                                  .durability = write.durability,
                                  .offset = write.offset,
                                  .length = write.from.size()},
                      .data = {write.from.begin(), write.from.end()}});
  }
  return carry_out(std::move(copies));
}

Result<void> SimulatedDisk::do_write_zeroes(std::uint64_t offset, std::uint64_t length,
                                            Durability durability) {
  return carry_out({{.request = {.kind = BlockRequestKind::kZero,
                                 .durability = durability,
                                 .offset = offset,
                                 .length = length},
                     .data = std::vector<std::uint8_t>(length)}});
}

Result<void> SimulatedDisk::do_discard(std::uint64_t offset, std::uint64_t length) {
  return carry_out(
      {{.request = {.kind = BlockRequestKind::kDiscard, .offset = offset, .length = length},
        .data = std::vector<std::uint8_t>(length)}});
}

void SimulatedDisk::submit(BlockRequest& request) {
  request.number = ++submitted_count_;
  if (observer_ != nullptr) observer_->on_submitted(request);
}

// All are submitted one behind the other, then completed in an order of the simulation's.
Result<void> SimulatedDisk::carry_out(std::vector<Write> writes) {
  trace_point("disk.submit", writes.size());
  TRY(check_power());
  std::vector<std::uint64_t> numbers;
  for (Write& write : writes) {
    if (write.request.kind == BlockRequestKind::kWrite) write.request.data = write.data;
    submit(write.request);
    numbers.push_back(write.request.number);
    in_flight_.push_back(std::move(write));
    count_event();
    TRY(check_power());
  }
  Result<void> outcome;
  for (std::size_t left = numbers.size(); left > 0; --left) {
    const std::size_t next = Simulation::is_running() ? Simulation::random().below(left) : 0;
    const std::uint64_t number = numbers[next];
    numbers.erase(numbers.begin() + static_cast<std::ptrdiff_t>(next));
    pass_time("disk.write", number, options_.latency_max);
    TRY(check_power());
    const Result<void> completed = complete(number);
    if (outcome && !completed) outcome = completed;
    TRY(check_power());
  }
  return outcome;
}

Result<void> SimulatedDisk::complete(std::uint64_t number) {
  const auto found = std::ranges::find(in_flight_, number,
                                       [](const Write& write) { return write.request.number; });
  CHECK(found != in_flight_.end(), "a write is completed once");
  Write write = std::move(*found);
  in_flight_.erase(found);
  if (faults_.strikes(DiskOperation::kWrite, prng_)) {
    write_some_units(write);
    return fail(Errc::kIo, "disk: a write error on purpose", write.request.offset);
  }
  copy_bytes(write.data, current_.bytes().subspan(write.request.offset));
  write.is_durable = write.request.durability == Durability::kFua;
  if (write.request.kind == BlockRequestKind::kWrite) write.request.data = write.data;
  cached_bytes_ += write.data.size();
  cached_.push_back(std::move(write));
  if (observer_ != nullptr) observer_->on_completed(cached_.back().request);
  count_event();
  retire();
  return {};
}

// Of a write that failed: each unit is a cached write of its own, or was not written.
void SimulatedDisk::write_some_units(const Write& write) {
  for_each_unit(write.request.offset, write.data, options_.atomic_bytes,
                [&](std::uint64_t at, Bytes piece) {
                  if (prng_.chance(1, 2)) return;
                  copy_bytes(piece, current_.bytes().subspan(at));
                  Write part{.request = {.offset = at, .length = piece.size()},
                             .data = {piece.begin(), piece.end()}};
                  cached_bytes_ += part.data.size();
                  cached_.push_back(std::move(part));
                });
}

// Takes what is durable out of the cache, from its front: behind a write that is not, the order
// counts.
void SimulatedDisk::retire() {
  while (!cached_.empty() &&
         (cached_.front().is_durable || cached_bytes_ > options_.cached_bytes_max)) {
    const Write& first = cached_.front();
    copy_bytes(first.data, durable_.bytes().subspan(first.request.offset));
    cached_bytes_ -= first.data.size();
    ++retired_count_;
    cached_.pop_front();
  }
}

Result<void> SimulatedDisk::do_flush() {
  trace_point("disk.submit", 0);
  TRY(check_power());
  BlockRequest request{.kind = BlockRequestKind::kFlush};
  submit(request);
  const std::uint64_t covered = retired_count_ + cached_.size();  // completed by now
  count_event();
  TRY(check_power());
  pass_time("disk.flush", request.number, options_.latency_max);
  TRY(check_power());
  if (faults_.strikes(DiskOperation::kFlush, prng_)) {
    return fail(Errc::kIo, "disk: a flush error on purpose");
  }
  for (std::size_t i = 0; retired_count_ + i < covered; ++i) cached_[i].is_durable = true;
  retire();
  if (observer_ != nullptr) observer_->on_completed(request);
  count_event();
  return check_power();
}

}  // namespace powercut
