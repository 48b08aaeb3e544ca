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
  times.flush_done = newest_done_;
  times.is_fua = request.durability == Durability::kFua;
  if (request.kind == RequestKind::kFlush) times.flush = ++flush_count_;
  times_.push_back(times);
  if (times_.size() > kKeptMax) forget_old();
}

void RequestTimes::completed(const Request& request) {
  ++now_;
  if (request.sequence < first_ || request.sequence - first_ >= times_.size()) return;
  Times& times = times_[request.sequence - first_];
  times.completed = now_;
  if (request.kind != RequestKind::kFlush) {
    times.flush = flush_count_;
    return;
  }
  if (times.flush <= newest_done_) return;
  newest_done_ = times.flush;
  done_flushes_.push_back({times.flush, now_});
  if (done_flushes_.size() > kFlushesKeptMax) done_flushes_.pop_front();
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
  return times->completed != 0 && (times->is_fua || newest_done_ > times->flush);
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
         (times->is_fua || then->flush_done > times->flush);
}

std::optional<std::uint64_t> RequestTimes::durable_at(std::uint64_t sequence) const {
  const Times* const times = find(sequence);
  if (times == nullptr || sequence < durable_below_) return 0;
  if (!is_durable(sequence)) return std::nullopt;
  if (times->is_fua) return times->completed;
  const auto after = std::ranges::upper_bound(done_flushes_, times->flush, {}, &DoneFlush::number);
  return after == done_flushes_.end() ? 0 : after->completed;
}

}  // namespace powercut::lab
