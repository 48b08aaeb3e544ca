#include "lab/record/recording_edit.h"

#include <algorithm>
#include <unordered_map>

namespace powercut::lab {
namespace {

constexpr std::uint64_t kFirstInserted = std::uint64_t{1} << 62;

}  // namespace

RecordingEdit::RecordingEdit(const Recording& recording)
    : disk_bytes_(recording.disk_bytes),
      split_(recording.split),
      is_cut_(recording.is_cut),
      events_(recording.events),
      next_inserted_(kFirstInserted) {}

std::size_t RecordingEdit::submission_of(std::uint64_t sequence) const {
  const auto found = std::ranges::find_if(events_, [&](const RecordedEvent& event) {
    return event.kind == EventKind::kSubmitted && event.sequence == sequence;
  });
  return static_cast<std::size_t>(found - events_.begin());
}

std::size_t RecordingEdit::completion_of(std::uint64_t sequence) const {
  const std::size_t submission = submission_of(sequence);
  for (std::size_t at = submission; at < events_.size(); ++at) {
    if (events_[at].kind == EventKind::kCompleted && events_[at].sequence == sequence) return at;
  }
  return submission;
}

const RecordedEvent* RecordingEdit::find(std::uint64_t sequence) const {
  const std::size_t at = submission_of(sequence);
  return at == events_.size() ? nullptr : &events_[at];
}

Bytes RecordingEdit::keep(Bytes data) {
  kept_.emplace_back(data.begin(), data.end());
  return kept_.back();
}

void RecordingEdit::replace(std::uint64_t sequence, Bytes data) {
  const std::size_t at = submission_of(sequence);
  if (at == events_.size()) return;
  CHECK(data.size() == events_[at].data.size(), "a write of the same length");
  events_[at].data = keep(data);
}

void RecordingEdit::remove(std::uint64_t sequence) {
  std::erase_if(events_, [&](const RecordedEvent& event) {
    const bool is_request =
        event.kind == EventKind::kSubmitted || event.kind == EventKind::kCompleted;
    return is_request && event.sequence == sequence;
  });
}

void RecordingEdit::insert(std::size_t at, RecordedEvent event) {
  if (event.sequence == 0) event.sequence = next_inserted_++;
  event.when = at < events_.size() ? events_[at].when
               : events_.empty()   ? Nanoseconds{0}
                                   : events_.back().when;
  const auto place = events_.begin() + static_cast<std::ptrdiff_t>(at);
  const auto submitted = events_.insert(place, event);
  event.kind = EventKind::kCompleted;
  events_.insert(submitted + 1, event);
}

void RecordingEdit::insert_flush_before(std::uint64_t sequence) {
  RecordedEvent flush;
  flush.kind = EventKind::kSubmitted;
  flush.request = RequestKind::kFlush;
  insert(submission_of(sequence), flush);
}

void RecordingEdit::insert_flush_after(std::uint64_t sequence) {
  RecordedEvent flush;
  flush.kind = EventKind::kSubmitted;
  flush.request = RequestKind::kFlush;
  insert(std::min(completion_of(sequence) + 1, events_.size()), flush);
}

void RecordingEdit::insert_write_before(std::uint64_t sequence, std::uint64_t offset, Bytes data) {
  RecordedEvent write;
  write.kind = EventKind::kSubmitted;
  write.offset = offset;
  write.length = data.size();
  write.data = keep(data);
  insert(submission_of(sequence), write);
}

void RecordingEdit::move_before(std::uint64_t sequence, std::uint64_t other) {
  const RecordedEvent* const found = find(sequence);
  if (found == nullptr || find(other) == nullptr || sequence == other) return;
  const RecordedEvent moved = *found;
  remove(sequence);
  insert(submission_of(other), moved);
}

void RecordingEdit::move_after(std::uint64_t sequence, std::uint64_t other) {
  const RecordedEvent* const found = find(sequence);
  if (found == nullptr || find(other) == nullptr || sequence == other) return;
  const RecordedEvent moved = *found;
  remove(sequence);
  insert(completion_of(other) + 1, moved);
}

void RecordingEdit::replace_base(std::uint64_t offset, Bytes data) {
  const auto first_request = std::ranges::find_if_not(
      events_, [](const RecordedEvent& event) { return event.kind == EventKind::kBase; });
  RecordedEvent base;
  base.offset = offset;
  base.length = data.size();
  base.data = keep(data);
  events_.insert(first_request, base);
}

EditedRecording RecordingEdit::take() {
  EditedRecording edited;
  edited.recording.disk_bytes = disk_bytes_;
  edited.recording.split = split_;
  edited.recording.is_cut = is_cut_;
  edited.original.push_back(0);
  std::unordered_map<std::uint64_t, std::uint64_t> numbers;
  for (RecordedEvent& event : events_) {
    if (event.kind == EventKind::kSubmitted) {
      numbers[event.sequence] = edited.original.size();
      edited.original.push_back(event.sequence >= kFirstInserted ? 0 : event.sequence);
    }
    const bool is_request =
        event.kind == EventKind::kSubmitted || event.kind == EventKind::kCompleted;
    if (is_request) event.sequence = numbers[event.sequence];
  }
  edited.recording.events = std::move(events_);
  edited.recording.frames = std::move(kept_);
  return edited;
}

}  // namespace powercut::lab
