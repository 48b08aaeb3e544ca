#include "lab/record/recording_past.h"

#include <algorithm>

namespace powercut::lab {

Result<void> RecordingPast::open(const std::filesystem::path& path) {
  frames_.reset();
  file_.emplace(TRY(File::open(path, File::Access::kRead)));
  frames_.emplace(TRY(FrameFile::open(*file_)));
  end_ = frames_->folded_events();
  for (const FrameInfo& frame : frames_->frames()) {
    if (frame.kind == FrameKind::kEvents) end_ = frame.first_event + frame.event_count;
  }
  return {};
}

Result<std::uint64_t> RecordingPast::pass(std::uint64_t number) {
  std::uint64_t under_way = 0;
  FrameWalk walk(*frames_, /*memory_bytes=*/0);
  walk.set_looks_at_contents(false);
  while (TRY(walk.has_next())) {
    if (walk.is_next_numbered() && walk.next_number() == number)
      under_way = walk.open().all().size();
    const WalkedEvent* const walked = TRY(walk.take());
    if (walked->frame == FrameKind::kEvents && walked->number >= next_) TRY(take(*walked));
  }
  if (number >= end_) under_way = walk.open().all().size();
  next_ = std::max(next_, walk.next_number());
  end_ = walk.next_number();  // a frame may turn out not to be whole
  return under_way;
}

Result<std::uint64_t> RecordingPast::first_within(std::uint64_t bytes) const {
  // Requests that are under way at the beginning come on top.
  const std::uint64_t reserve = frames_->disk_bytes() + bytes / 16;
  if (reserve >= bytes) {
    return fail(Errc::kLimit, "recording: its disk is larger than the memory it may take", reserve);
  }
  std::uint64_t first = frames_->folded_events();
  std::deque<std::uint64_t> sizes;
  std::uint64_t sum = 0;
  FrameWalk walk(*frames_, /*memory_bytes=*/0);
  walk.set_looks_at_contents(false);
  while (TRY(walk.has_next())) {
    const WalkedEvent* const walked = TRY(walk.take());
    if (walked->frame != FrameKind::kEvents) continue;
    const RecordedEvent& event = walked->request.event;
    const bool has_data = carries_data(event);
    sizes.push_back(sizeof(event) +
                    (has_data ? std::max<std::uint64_t>(event.length, event.data.size()) : 0));
    for (sum += sizes.back(); sum > bytes - reserve; ++first) {
      sum -= sizes.front();
      sizes.pop_front();
    }
  }
  return first;
}

Result<void> RecordingPast::take(const WalkedEvent& walked) {
  const RecordedEvent& event = walked.request.event;
  switch (event.kind) {
    case EventKind::kMark: return take_mark(walked);
    case EventKind::kSubmitted:
      if (event.request == RequestKind::kFlush) flushes_[event.sequence] = walked.number;
      return {};
    case EventKind::kCompleted: take_completed(walked); return {};
    case EventKind::kPowerCycle: flushes_.clear(); return {};
    case EventKind::kBase: return {};
  }
  return {};
}

Result<void> RecordingPast::take_mark(const WalkedEvent& walked) {
  const Bytes text = walked.request.event.data;
  marks_bytes_ += sizeof(Mark) + text.size();
  if (marks_bytes_ > kMarksBytesMax) {
    return fail(Errc::kLimit, "recording: more marks than may be kept", marks_.size());
  }
  marks_.push_back({walked.number, std::string(text.begin(), text.end())});
  return {};
}

void RecordingPast::take_completed(const WalkedEvent& walked) {
  const RecordedEvent& request = walked.completed.event;
  if (request.request != RequestKind::kFlush) {
    if (request.durability == Durability::kFua) {
      ++crash_points_;
      return;
    }
    devices_[frames_->split().device_of(request.offset)].completed.push_back(walked.number);
    return;
  }
  const auto submitted = flushes_.find(request.sequence);
  if (submitted == flushes_.end()) return;
  if (cover(request, submitted->second)) ++crash_points_;
  flushes_.erase(submitted);
}

bool RecordingPast::cover(const RecordedEvent& flush, std::uint64_t submitted) {
  bool covers = false;
  for (std::size_t i = 0; i < kDevicesMax; ++i) {
    if (!frames_->split().flushes(flush.offset, flush.length, i)) continue;
    std::deque<std::uint64_t>& completed = devices_[i].completed;
    const auto rest = std::ranges::lower_bound(completed, submitted);
    covers = covers || rest != completed.begin();
    completed.erase(completed.begin(), rest);
  }
  return covers;
}

}  // namespace powercut::lab
