#include "lab/record/recording_reader.h"

#include "lab/record/frame_reader.h"
#include "lab/record/old_reader.h"

namespace powercut::lab {

Result<std::unique_ptr<RecordingReader>> RecordingReader::open(const ByteStore& file,
                                                               std::uint64_t memory_bytes) {
  std::array<std::uint8_t, 8> magic{};
  if (file.size_bytes() < magic.size()) {
    return fail(Errc::kCorrupt, "recording: too short for its header", 0);
  }
  TRY(file.read_at(0, magic));
  if (magic == disk::kMagic1) return open_old_recording(file, memory_bytes);
  return open_framed_recording(file, memory_bytes);
}

Result<const RecordedEvent*> RecordingReader::next() {
  const PiecedEvent* const pieced = TRY(next_pieced());
  if (pieced == nullptr) return nullptr;
  event_ = pieced->event;
  if (carries_data(event_)) event_.data = TRY(data_of(*pieced));
  return &event_;
}

Result<Bytes> RecordingReader::data_of(const PiecedEvent& event) {
  if (event.pieces.empty()) return event.event.data;
  data_.clear();
  for (const Piece& piece : event.pieces) TRY(append_bytes(piece, data_));
  return Bytes(data_);
}

}  // namespace powercut::lab
