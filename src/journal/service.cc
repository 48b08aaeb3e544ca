// The journal's own task: commits by age, checkpoints before the log is full.
#include <algorithm>

#include "base/trace.h"
#include "journal/journal.h"

namespace powercut {

void Journal::serve() {
  const bool by_age = options_.commit_interval > Nanoseconds(0);
  const Nanoseconds look = by_age ? options_.commit_interval : Condition::kSafetyLimit;
  Lock lock(mutex_);
  while (!is_closed_ && !stopped_.has_value()) {
    const std::uint32_t ring = ring_end_ - first_;
    if (used_ > ring / 2 && !in_log_.empty() && !is_checkpointing_) {
      // An error stops the journal, and so ends this loop.
      ignore_error(checkpoint_or_wait(ring * 3 / 4), "it stopped the journal");
      continue;
    }
    Nanoseconds left = look;
    if (by_age && running_ != nullptr && !running_->buffers.empty()) {
      const Nanoseconds age = clock_.now() - running_->began;
      if (age >= options_.commit_interval) {
        ignore_error(lead_or_wait(running_->tid), "it stopped the journal");
        continue;
      }
      left = options_.commit_interval - age;
    }
    changed_.wait_for(mutex_, left);
  }
}

}  // namespace powercut
