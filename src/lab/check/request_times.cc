#include "lab/check/request_times.h"

#include <algorithm>

namespace powercut::lab {

const RequestTimes::Times* RequestTimes::find(std::uint64_t sequence) const {
  if (sequence < first_ || sequence - first_ >= times_.size()) return nullptr;
  return &times_[sequence - first_];
}

void RequestTimes::submitted(const Request& request) {
  if (times_.empty()) first_ = request.sequence;
  Times times;
  times.submitted = ++now_;
  times.device = static_cast<std::uint8_t>(split_.device_of(request.offset));
  times.is_fua = request.durability == Durability::kFua;
  for (std::size_t device = 0; device < kDevicesMax; ++device) {
    times.flush_done[device] = devices_[device].newest_done;
    const bool is_flushed = request.kind == RequestKind::kFlush &&
                            split_.flushes(request.offset, request.length, device);
    if (is_flushed) times.flushes[device] = ++devices_[device].flush_count;
  }
  times_.push_back(times);
  if (times_.size() > kKeptMax) forget_old();
}

void RequestTimes::completed(const Request& request) {
  ++now_;
  if (request.sequence < first_ || request.sequence - first_ >= times_.size()) return;
  Times& times = times_[request.sequence - first_];
  times.completed = now_;
  if (request.kind != RequestKind::kFlush) {
    times.flush = devices_[times.device].flush_count;
    return;
  }
  for (std::size_t i = 0; i < kDevicesMax; ++i) {
    Device& device = devices_[i];
    const std::uint64_t number = times.flushes[i];
    if (number <= device.newest_done) continue;
    device.newest_done = number;
    device.done_flushes.push_back({number, now_});
    if (device.done_flushes.size() > kFlushesKeptMax) device.done_flushes.pop_front();
  }
}

// One that was never completed, or never flushed for, is kept as long as there is room for twice as
// many: after that it is as good as lost, and is told to be durable, so that nothing is reported of
// it.
void RequestTimes::forget_old() {
  const bool is_settled = times_.front().completed != 0 && is_durable(first_);
  if (!is_settled && times_.size() <= 2 * kKeptMax) return;
  times_.pop_front();
  ++first_;
}

void RequestTimes::power_cycled() {
  durable_below_ = first_ + times_.size();
}

std::uint64_t RequestTimes::submitted_at(std::uint64_t sequence) const {
  const Times* const times = find(sequence);
  return times == nullptr ? 0 : times->submitted;
}

bool RequestTimes::is_completed(std::uint64_t sequence) const {
  const Times* const times = find(sequence);
  return times == nullptr || times->completed != 0;
}

bool RequestTimes::is_durable(std::uint64_t sequence) const {
  const Times* const times = find(sequence);
  if (times == nullptr || sequence < durable_below_) return true;
  return times->completed != 0 &&
         (times->is_fua || devices_[times->device].newest_done > times->flush);
}

bool RequestTimes::was_completed_before(std::uint64_t sequence, std::uint64_t later) const {
  const Times* const times = find(sequence);
  const Times* const then = find(later);
  if (times == nullptr || then == nullptr) return true;
  return times->completed != 0 && times->completed < then->submitted;
}

bool RequestTimes::was_durable_before(std::uint64_t sequence, std::uint64_t later) const {
  const Times* const times = find(sequence);
  const Times* const then = find(later);
  if (times == nullptr || then == nullptr || sequence < durable_below_) return true;
  return times->completed != 0 && times->completed < then->submitted &&
         (times->is_fua || then->flush_done[times->device] > times->flush);
}

std::optional<std::uint64_t> RequestTimes::durable_at(std::uint64_t sequence) const {
  const Times* const times = find(sequence);
  if (times == nullptr || sequence < durable_below_) return 0;
  if (!is_durable(sequence)) return std::nullopt;
  if (times->is_fua) return times->completed;
  const auto& done = devices_[times->device].done_flushes;
  const auto after = std::ranges::upper_bound(done, times->flush, {}, &DoneFlush::number);
  return after == done.end() ? 0 : after->completed;
}

}  // namespace powercut::lab
