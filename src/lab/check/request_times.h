// When each request of a stream came and ended, and what is durable because of it.
//
// Words
//   moment   a number that grows with every submission and completion
//   durable  survives a power cut from now on: completed with FUA, or completed before a flush was
//            submitted that is completed itself
//
// A disk may stand for two devices: what a flush makes durable lies on its device.
//
// Memory: the last kKeptMax requests are remembered; an older one counts as durable if it was
// completed long ago, which is checked before it is forgotten.  Threads: one caller at a time.
#pragma once

#include <array>
#include <deque>
#include <optional>

#include "lab/record/request.h"

namespace powercut::lab {

class RequestTimes {
 public:
  explicit RequestTimes(const DeviceSplit& split = {}) : split_(split) {}

  // Submissions are numbered without a gap; the first may have any number.
  void submitted(const Request& request);
  void completed(const Request& request);
  // What was completed is on the disk; what was not never will be.
  void power_cycled();

  std::uint64_t now() const { return now_; }
  // The moment of its submission; 0 if forgotten.
  std::uint64_t submitted_at(std::uint64_t sequence) const;
  bool is_completed(std::uint64_t sequence) const;
  bool is_durable(std::uint64_t sequence) const;
  // What was so when `later` was submitted, which must still be remembered.
  bool was_completed_before(std::uint64_t sequence, std::uint64_t later) const;
  bool was_durable_before(std::uint64_t sequence, std::uint64_t later) const;
  // The moment at which it became durable; nothing if it is not yet, 0 if forgotten.
  std::optional<std::uint64_t> durable_at(std::uint64_t sequence) const;

 private:
  static constexpr std::size_t kKeptMax = std::size_t{1} << 17;
  static constexpr std::size_t kFlushesKeptMax = 4096;

  struct Times {
    std::uint64_t submitted = 0, completed = 0;  // moments; 0: not yet
    // Of a write, on its device: flushes submitted by its completion.
    std::uint64_t flush = 0;
    // Of a flush, on each device: its number; 0: it is not for that.
    std::array<std::uint64_t, kDevicesMax> flushes{};
    // On each device: the newest flush completed by its submission.
    std::array<std::uint64_t, kDevicesMax> flush_done{};
    std::uint8_t device = 0;
    bool is_fua = false;
  };
  struct DoneFlush {
    std::uint64_t number, completed;
  };
  struct Device {
    std::uint64_t flush_count = 0;       // submitted
    std::uint64_t newest_done = 0;       // the highest number of a completed flush
    std::deque<DoneFlush> done_flushes;  // in the order of completion, numbers ascending
  };
  const Times* find(std::uint64_t sequence) const;
  void forget_old();

  const DeviceSplit split_;
  std::deque<Times> times_;
  std::uint64_t first_ = 1;  // the sequence of times_.front()
  std::uint64_t now_ = 0;
  std::array<Device, kDevicesMax> devices_;
  std::uint64_t durable_below_ = 0;  // sequences that a power cycle made durable
};

}  // namespace powercut::lab
