#include "lab/record/frame_walk.h"

namespace powercut::lab {
namespace {

// Of the first submission that is in an events frame.
std::uint64_t first_sequence(const FrameFile& file) {
  for (const FrameInfo& frame : file.frames()) {
    if (frame.kind == FrameKind::kEvents) return frame.first_sequence;
  }
  return file.frames().empty() ? 1 : file.frames().back().first_sequence;
}

}  // namespace

void apply(const WalkedEvent& event, DiskPieces& disk) {
  const EventKind kind = event.request.event.kind;
  if (kind != EventKind::kBase && kind != EventKind::kCompleted) return;
  const OpenRequest& request = kind == EventKind::kBase ? event.request : event.completed;
  for (const Piece& piece : pieces_of(request.event, request.contents)) disk.put(piece);
}

FrameWalk::FrameWalk(const FrameFile& file, std::uint64_t memory_bytes)
    : file_(file),
      contents_(file, memory_bytes),
      open_(first_sequence(file)),
      is_cut_(file.is_cut()),
      next_number_(file.folded_events()) {}

Result<bool> FrameWalk::has_next() {
  while (at_ == frame_.events.size()) {
    if (!TRY(load_frame())) return false;
  }
  return true;
}

// The next frame; false at the end, and at one that is not whole.
Result<bool> FrameWalk::load_frame() {
  if (next_frame_ == file_.frames().size()) return false;
  const FrameInfo& frame = file_.frames()[next_frame_];
  auto events = TRY(file_.load_events(frame));
  bool is_whole = events.has_value();
  if (is_whole) {
    TRY(contents_.define(next_frame_, events->definitions));
    if (looks_at_contents_) is_whole = TRY(contents_.is_whole(next_frame_));
  }
  if (!is_whole) {
    is_cut_ = true;
    next_frame_ = file_.frames().size();
    return false;
  }
  if (frame.kind == FrameKind::kEvents && frame.first_sequence != open_.next_sequence()) {
    return fail(Errc::kCorrupt, "recording: sequence at the beginning of a frame", frame.offset);
  }
  frame_ = std::move(*events);
  kind_ = frame.kind;
  at_ = 0;
  ++next_frame_;
  return true;
}

Result<const WalkedEvent*> FrameWalk::take() {
  CHECK(at_ < frame_.events.size(), "no event was come to");
  const FrameEvent& event = frame_.events[at_++];
  walked_.request.event = event.event;
  walked_.frame = kind_;
  TRY(read_numbers(event));
  if (kind_ == FrameKind::kEvents) walked_.number = next_number_++;
  if (event.event.kind == EventKind::kSubmitted) TRY(open_.submit(walked_.request, kind_));
  if (event.event.kind == EventKind::kCompleted) {
    walked_.completed = TRY(open_.complete(event.event.sequence));
  }
  return &walked_;
}

// The numbers of the event's contents, each of which is known and as long as its piece.
Result<void> FrameWalk::read_numbers(const FrameEvent& event) {
  std::vector<ContentNumber>& numbers = walked_.request.contents;
  numbers.clear();
  bool is_right = true;
  const std::uint64_t length = event.refs.empty() ? 0 : event.event.length;
  for_each_piece(event.event.offset, length, [&](std::uint64_t, std::uint64_t bytes) {
    const ContentNumber number = event.ref(numbers.size());
    numbers.push_back(number);
    if (number == kZeroes) return;
    is_right = is_right && contents_.knows(number) && contents_.length(number) == bytes;
  });
  if (is_right) return {};
  return fail(Errc::kCorrupt, "recording: an event without its contents", event.event.offset);
}

}  // namespace powercut::lab
