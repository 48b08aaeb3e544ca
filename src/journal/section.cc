#include "journal/section.h"

#include <algorithm>

#include "base/task.h"
#include "base/trace.h"
#include "journal/journal.h"

namespace powercut {
namespace {

// The section that a task is in; a task has one at a time, of whatever journal.
TaskLocal<SectionState*>& current_section() {
  static TaskLocal<SectionState*> current;
  return current;
}

Failure split_failure(Tid tid) {
  return fail(Errc::kTimeout, "section: lasted too long and was split by a commit", tid.value());
}

}  // namespace

Section::~Section() {
  if (state_ != nullptr) ignore_error(end(), "nobody asked how it ended");
}

Result<void> Section::end() {
  if (state_ == nullptr) return {};
  const std::unique_ptr<SectionState> state = std::move(state_);
  return state->journal->end_section(*state);
}

SectionState* Journal::section_of_task() const {
  SectionState* section = current_section().get();
  return section != nullptr && section->journal == this ? section : nullptr;
}

std::optional<Credits> Journal::section_left() const {
  const SectionState* section = section_of_task();
  if (section == nullptr) return std::nullopt;
  Lock lock(mutex_);
  return Credits(section->left);
}

Result<Section> Journal::begin_section(Credits reserve) {
  if (current_section().get() != nullptr) {
    return fail(Errc::kInvalid, "section: this task is in one already");
  }
  Handle handle = TRY(start(reserve));
  auto state = std::make_unique<SectionState>();
  state->journal = this;
  state->tid = handle.tid();
  state->left = reserve.value();
  state->began = clock_.now();
  {
    Lock lock(mutex_);
    sections_.push_back(state.get());
    handle.journal_ = nullptr;  // the section has its place and its credits now
  }
  current_section().get() = state.get();
  return Section(std::move(state));
}

Result<void> Journal::end_section(SectionState& state) {
  current_section().get() = nullptr;
  trace_point("journal.section.end", state.tid.value());
  Lock lock(mutex_);
  if (state.is_split) return split_failure(state.tid);
  take_out(state);
  changed_.notify_all();
  no_handles_.notify_all();
  return stopped_.has_value() ? Result<void>{refusal()} : Result<void>{};
}

// Gives back what the section has of its transaction.
void Journal::take_out(SectionState& state) {
  std::erase(sections_, &state);
  running_->promised -= state.left;
  --running_->open_handles;
}

// A handle of a task that is in a section: it lives on the section's credits and waits for nothing.
Result<Handle> Journal::start_in_section(SectionState& section, Credits want) {
  Lock lock(mutex_);
  if (stopped_.has_value() || is_closed_) return refusal();
  if (section.is_split) return split_failure(section.tid);
  if (want.value() > section.left) {
    return fail(Errc::kLimit, "section: its operations need more blocks than it reserved",
                want.value());
  }
  section.left -= want.value();
  ++running_->open_handles;
  Handle handle(*this, running_->tid, want);
  handle.section_ = &section;
  return handle;
}

// At a commit that waits: sections that lasted too long are split, once no operation of theirs is
// under way.  The wait that is left until the next may be.
Nanoseconds Journal::split_old_sections() {
  Nanoseconds left = Condition::kSafetyLimit;
  if (running_->open_handles > sections_.size()) return left;
  const Nanoseconds now = clock_.now();
  const std::vector<SectionState*> open = sections_;
  for (SectionState* section : open) {
    const Nanoseconds age = now - section->began;
    if (age < options_.section_age_max) {
      left = std::min(left, options_.section_age_max - age);
      continue;
    }
    section->is_split = true;
    take_out(*section);
  }
  return left;
}

}  // namespace powercut
