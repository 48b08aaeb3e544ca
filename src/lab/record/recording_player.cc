#include "lab/record/recording_player.h"

namespace powercut::lab {

Result<std::unique_ptr<RecordingPlayer>> RecordingPlayer::make(RecordingReader& reader) {
  if (reader.facts().format == 1) {
    return fail(Errc::kUnsupported, "recording: format 1 cannot be played while it is read");
  }
  return std::unique_ptr<RecordingPlayer>(new RecordingPlayer(reader));
}

Result<void> RecordingPlayer::read_base() {
  for (;;) {
    next_ = TRY(reader_.next_pieced());
    if (next_ == nullptr || next_->event.kind != EventKind::kBase) return {};
    disk_.put(next_->pieces);
  }
}

Result<void> RecordingPlayer::play(const std::vector<DiskObserver*>& observers) {
  while (next_ != nullptr) {
    last_time_ = next_->event.when;
    if (!has_begun_) first_time_ = last_time_;
    has_begun_ = true;
    TRY(play_one(*next_, observers));
    next_ = TRY(reader_.next_pieced());
  }
  return {};
}

Result<void> RecordingPlayer::play_one(const PiecedEvent& pieced,
                                       const std::vector<DiskObserver*>& observers) {
  const RecordedEvent& event = pieced.event;
  switch (event.kind) {
    case EventKind::kBase: disk_.put(pieced.pieces); break;
    case EventKind::kSubmitted: {
      const Request request = TRY(request_of(pieced));
      for (DiskObserver* const each : observers) each->on_submitted(request, event.when);
      open_.emplace(event.sequence, pieced);
      break;
    }
    case EventKind::kCompleted: {
      const auto submitted = open_.extract(event.sequence);
      CHECK(!submitted.empty(), "the reader refuses completions without their submissions");
      disk_.put(submitted.mapped().pieces);
      const Request request = TRY(request_of(submitted.mapped()));
      for (DiskObserver* const each : observers) each->on_completed(request, event.when);
      break;
    }
    case EventKind::kPowerCycle:
      for (DiskObserver* const each : observers) each->on_power_cycle(event.when);
      break;
    case EventKind::kMark: {
      const std::string text(event.data.begin(), event.data.end());
      for (DiskObserver* const each : observers) each->on_mark(text, event.when);
      break;
    }
  }
  return {};
}

Result<Request> RecordingPlayer::request_of(const PiecedEvent& pieced) {
  const RecordedEvent& event = pieced.event;
  const Bytes data = carries_data(event) ? TRY(reader_.data_of(pieced)) : Bytes();
  return Request{event.request, event.durability, event.sequence, event.offset, event.length, data};
}

Result<void> RecordingPlayer::Disk::do_read(std::uint64_t offset, MutableBytes into) const {
  std::ranges::fill(into, std::uint8_t{0});
  if (into.empty()) return {};
  const std::uint64_t end = offset + into.size();
  std::vector<Piece> pieces;
  for (std::uint64_t unit = offset / disk::kUnitBytes; unit * disk::kUnitBytes < end; ++unit) {
    pieces_.append_pieces(unit, pieces);
  }
  std::vector<std::uint8_t> bytes;
  for (const Piece& piece : pieces) {
    const std::uint64_t from = std::max(offset, piece.offset);
    const std::uint64_t to = std::min(end, piece.offset + piece.length);
    if (from >= to) continue;
    bytes.clear();
    TRY(reader_.append_bytes(piece, bytes));
    copy_bytes(Bytes(bytes).subspan(from - piece.offset, to - from), into.subspan(from - offset));
  }
  return {};
}

}  // namespace powercut::lab
