// A disk in memory, for simulations, that keeps no more promises than a disk does.
//
// Words
//   submitted   the request has come in: a write is *in flight* until it is
//   completed   its effect can be read, and its sender is told
//   cached      completed, and not durable yet
//   durable     there after every power cut
//   event       a submission or a completion
//   unit        what a power cut keeps or loses as one: an aligned piece of `atomic_bytes`
//
// Invariants
//   1. A completed write is durable from the completion of the first flush that was submitted after
//      its own completion; with kFua, from its completion.
//   2. A crash image has every durable write; of each unit of the others it has, by the seed, the
//      new content or what was there before, in the order of completion where several wrote it.
//      What is in flight comes last, in any order.
//   3. A request that fails was submitted and is never completed; of a write, any units may have
//      been written.
//   4. Between submission and completion other tasks run: there is a switch point, and often the
//      request waits until nobody else can run.  Writes of one write_all() complete in any order.
//
// Outside of a simulation requests complete in their order, at once.
// Threads: one; in a simulation, any of its tasks.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/prng.h"
#include "block/block_observer.h"
#include "block/fault_plan.h"
#include "block/memory_device.h"

namespace powercut {

class SimulatedDisk final : public BlockDevice {
 public:
  struct Options {
    std::uint32_t atomic_bytes = 4096;                       // a power of two from 512 to 4096
    Nanoseconds latency_max = std::chrono::milliseconds(1);  // of a request that waits; 0: none do
    std::uint64_t crash_at_event = 0;  // the power goes at this event, the first being 1; 0: never
    std::uint64_t seed = 1;            // of that crash's image, and of faults
    FaultPlan faults = {};
    std::uint64_t cached_bytes_max = std::uint64_t{256} << 20;  // older writes become durable then
  };
  // `content` is durable.  `observer` may be null.
  SimulatedDisk(std::vector<std::uint8_t> content, Options options,
                BlockObserver* observer = nullptr);
  std::uint64_t size_bytes() const override { return current_.size_bytes(); }

  // Who is told from now on; it outlives the disk, or is taken away by null.
  void observe(BlockObserver* observer) { observer_ = observer; }
  // An image that a power cut now could leave.
  std::vector<std::uint8_t> crash(Prng& prng) const;
  // The same, written onto something that has the content of durable().
  Result<void> crash_onto(BlockDevice& onto, Prng& prng) const;
  // What surely is there after a power cut; where later writes are cached, of an older time.
  const BlockView& durable() const { return durable_; }
  // What reads see, without the time that they take: for observers.
  const BlockView& content() const { return current_; }
  // The power goes at the `events`-th event from here on, instead of at crash_at_event.
  void crash_after(std::uint64_t events) { crash_at_event_ = event_count_ + events; }
  // From here on every request is kIo, and what is in flight never completes.
  void power_off() { is_off_ = true; }
  bool is_off() const { return is_off_; }
  // Of the event at which the power goes, if that has come.
  const std::optional<std::vector<std::uint8_t>>& crash_image() const { return crash_image_; }
  std::uint64_t event_count() const { return event_count_; }
  // Writes that are completed and not known to be durable.
  std::size_t cached_count() const { return cached_.size(); }
  std::uint64_t struck_count() const { return faults_.struck_count(); }

 private:
  struct Write {
    BlockRequest request;            // its data is `data`
    std::vector<std::uint8_t> data;  // zeroes for kZero and kDiscard
    bool is_durable = false;
  };

  Result<void> do_read(std::uint64_t offset, MutableBytes into) const override;
  Result<void> do_write(std::uint64_t offset, Bytes from, Durability) override;
  Result<void> do_write_all(std::span<const BlockWrite> writes) override;
  Result<void> do_write_zeroes(std::uint64_t offset, std::uint64_t length, Durability) override;
  Result<void> do_discard(std::uint64_t offset, std::uint64_t length) override;
  Result<void> do_flush() override;

  Result<void> carry_out(std::vector<Write> writes);
  void submit(BlockRequest& request);
  Result<void> complete(std::uint64_t number);
  void write_some_units(const Write& write);
  void retire();
  void count_event();
  Result<void> check_power() const;

  const Options options_;
  BlockObserver* observer_;
  MemoryDevice durable_;      // all that is durable, up to the first of cached_
  MemoryDevice current_;      // what reads see
  std::deque<Write> cached_;  // by completion; those behind the first may be durable, too
  std::vector<Write> in_flight_;
  std::uint64_t retired_count_ = 0;  // that have left cached_ since the beginning
  std::uint64_t cached_bytes_ = 0;
  std::uint64_t submitted_count_ = 0;
  std::uint64_t event_count_ = 0;
  std::uint64_t crash_at_event_;
  mutable Prng prng_;
  mutable FaultCounter faults_;
  bool is_off_ = false;
  std::optional<std::vector<std::uint8_t>> crash_image_;
};

}  // namespace powercut
