#include "lab/record/recorded_state.h"

namespace powercut::lab {

std::vector<Piece> pieces_of(const RecordedEvent& event, std::span<const ContentNumber> contents) {
  std::vector<Piece> pieces;
  const bool is_request = event.kind == EventKind::kSubmitted;
  if (!is_request && event.kind != EventKind::kBase) return pieces;
  if (is_request && event.request == RequestKind::kFlush) return pieces;
  std::size_t index = 0;
  for_each_piece(event.offset, event.length, [&](std::uint64_t offset, std::uint64_t length) {
    const ContentNumber content = contents.empty() ? kZeroes : contents[index++];
    pieces.push_back({offset, static_cast<std::uint32_t>(length), content, 0});
  });
  return pieces;
}

Result<void> OpenRequests::submit(const OpenRequest& request, FrameKind frame) {
  const std::uint64_t sequence = request.event.sequence;
  if (frame == FrameKind::kStart) {
    if (sequence <= last_carried_ || sequence >= next_sequence_) {
      return fail(Errc::kCorrupt, "recording: sequence of a request that was under way", sequence);
    }
    last_carried_ = sequence;
  } else if (sequence != next_sequence_++) {
    return fail(Errc::kCorrupt, "recording: submissions are not numbered 1, 2, 3 ...", sequence);
  }
  if (open_.size() >= kOpenMax) {
    return fail(Errc::kLimit, "recording: more requests under way than may be kept", kOpenMax);
  }
  open_.emplace(sequence, request);
  return {};
}

Result<OpenRequest> OpenRequests::complete(std::uint64_t sequence) {
  const auto found = open_.find(sequence);
  if (found == open_.end()) {
    return fail(Errc::kCorrupt, "recording: a completion without its submission", sequence);
  }
  OpenRequest request = std::move(found->second);
  open_.erase(found);
  return request;
}

DiskPieces::DiskPieces(std::uint64_t disk_bytes)
    : disk_bytes_(disk_bytes), whole_(piece_count(0, disk_bytes)) {}

std::uint32_t DiskPieces::unit_length(std::uint64_t unit) const {
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(disk::kUnitBytes, disk_bytes_ - unit * disk::kUnitBytes));
}

void DiskPieces::put(const Piece& piece) {
  const std::uint64_t unit = piece.offset / disk::kUnitBytes;
  CHECK(unit < whole_.size(), "a piece past the end of its disk");
  const auto begin = static_cast<std::uint32_t>(piece.offset % disk::kUnitBytes);
  if (piece.length < unit_length(unit) || piece.from != 0) {
    put_in_part(unit, {begin, begin + piece.length, piece.content, piece.from});
    return;
  }
  if (whole_[unit] == kMixed) mixed_.erase(unit);
  whole_[unit] = piece.content;
}

// What the fresh segment covers of others is cut off them.
void DiskPieces::put_in_part(std::uint64_t unit, const Segment& fresh) {
  std::vector<Segment> old;
  if (whole_[unit] == kMixed) {
    old = std::move(mixed_[unit]);
  } else if (whole_[unit] != kZeroes) {
    old.push_back({0, unit_length(unit), whole_[unit], 0});
  }
  std::vector<Segment> now;
  for (const Segment& segment : old) {
    if (segment.begin < fresh.begin) {
      now.push_back(segment);
      now.back().end = std::min(segment.end, fresh.begin);
    }
    if (segment.end > fresh.end) {
      now.push_back(segment);
      now.back().begin = std::max(segment.begin, fresh.end);
      now.back().from += now.back().begin - segment.begin;
    }
  }
  if (fresh.content != kZeroes) now.push_back(fresh);
  std::ranges::sort(now, {}, &Segment::begin);
  whole_[unit] = kMixed;
  mixed_[unit] = std::move(now);
}

void DiskPieces::append_pieces(std::uint64_t unit, std::vector<Piece>& to) const {
  const std::uint64_t offset = unit * disk::kUnitBytes;
  if (whole_[unit] == kZeroes) return;
  if (whole_[unit] != kMixed) {
    to.push_back({offset, unit_length(unit), whole_[unit], 0});
    return;
  }
  for (const Segment& segment : mixed_.at(unit)) {
    to.push_back(
        {offset + segment.begin, segment.end - segment.begin, segment.content, segment.from});
  }
}

}  // namespace powercut::lab
