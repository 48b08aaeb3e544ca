// The journal's own tasks: one commits by age and by size, one checkpoints before the log is full.
#include <algorithm>

#include "base/trace.h"
#include "journal/journal.h"

namespace powercut {

// An error of theirs stops the journal, which ends their loops.
void Journal::serve_commits() {
  const bool by_age = options_.commit_interval > Nanoseconds(0);
  Lock lock(mutex_);
  while (!is_closed_ && !stopped_.has_value()) {
    Nanoseconds left = Condition::kSafetyLimit;
    if (running_ != nullptr && !running_->buffers.empty()) {
      const Nanoseconds age = clock_.now() - running_->began;
      if (is_large() || (by_age && age >= options_.commit_interval)) {
        ignore_error(lead_or_wait(running_->tid), "it stopped the journal");
        continue;
      }
      if (by_age) left = options_.commit_interval - age;
    } else if (by_age) {
      left = options_.commit_interval;
    }
    work_.wait_for(mutex_, left);
  }
}

void Journal::serve_checkpoints() {
  const std::uint32_t ring = ring_end_ - first_;
  Lock lock(mutex_);
  while (!is_closed_ && !stopped_.has_value()) {
    if (used_ > ring / 2 && !in_log_.empty() && !is_checkpointing_) {
      ignore_error(checkpoint_or_wait(ring / 4 * 3), "it stopped the journal");
      continue;
    }
    work_.wait_for(mutex_, Condition::kSafetyLimit);
  }
}

}  // namespace powercut
