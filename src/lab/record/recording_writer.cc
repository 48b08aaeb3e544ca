#include "lab/record/recording_writer.h"

namespace powercut::lab {
namespace {

constexpr std::size_t kBasePieceBytes = std::size_t{64} << 10;
// The most that a recorder which dies loses of a disk that is little used.
constexpr auto kFrameAge = std::chrono::seconds(1);
// Above are the numbers of the parts of contents that a fold makes.
constexpr std::uint32_t kNumberMax = FrameSink::kFirstFoldNumber - 1;

RecordedEvent event_of(EventKind kind, const Request& request, Nanoseconds when) {
  return {kind, request.kind,   request.durability, request.sequence,
          when, request.offset, request.length,     request.data};
}

}  // namespace

std::optional<ContentNumber> KnownContents::find(const ContentHash& hash) {
  if (const auto found = young_.find(hash); found != young_.end()) return found->second;
  const auto found = old_.find(hash);
  if (found == old_.end()) return std::nullopt;
  const ContentNumber number = found->second;
  add(hash, number);
  return number;
}

void KnownContents::add(const ContentHash& hash, ContentNumber number) {
  if (young_.size() >= kYoungMax) {
    old_ = std::move(young_);
    young_.clear();
  }
  young_.emplace(hash, number);
}

void KnownContents::forget_all() {
  young_.clear();
  old_.clear();
}

RecordingWriter::RecordingWriter(File file, const std::filesystem::path& path,
                                 std::uint64_t bytes_max)
    : sink_(std::move(file), path, bytes_max), frame_bytes_(FrameSink::frame_bytes(bytes_max)) {}

Result<std::unique_ptr<RecordingWriter>> RecordingWriter::create(const std::filesystem::path& path,
                                                                 const BlockView& view,
                                                                 std::uint64_t bytes_max,
                                                                 const DeviceSplit& split) {
  File file = TRY(File::create(path, 0));
  TRY(append_recording_header(file, view.size_bytes(), 0, split));
  std::unique_ptr<RecordingWriter> writer(new RecordingWriter(std::move(file), path, bytes_max));
  TRY(writer->add_base(view));
  return writer;
}

RecordingWriter::~RecordingWriter() {
  ignore_error(close(), "close() tells it; here it is the end");
}

Result<void> RecordingWriter::add_base(const BlockView& view) {
  frame_.kind = FrameKind::kStart;
  std::vector<std::uint8_t> piece(kBasePieceBytes);
  for (std::uint64_t offset = 0; offset < view.size_bytes(); offset += piece.size()) {
    piece.resize(std::min<std::uint64_t>(kBasePieceBytes, view.size_bytes() - offset));
    TRY(view.read(offset, piece));
    if (all_zero(piece)) continue;
    RecordedEvent event;
    event.offset = offset;
    event.length = piece.size();
    event.data = piece;
    add(event);
  }
  seal();
  frame_.kind = FrameKind::kEvents;
  return {};
}

void RecordingWriter::on_submitted(const Request& request, Nanoseconds when) {
  add(event_of(EventKind::kSubmitted, request, when));
}

void RecordingWriter::on_completed(const Request& request, Nanoseconds when) {
  add(event_of(EventKind::kCompleted, request, when));
}

void RecordingWriter::on_power_cycle(Nanoseconds when) {
  RecordedEvent event;
  event.kind = EventKind::kPowerCycle;
  event.when = when;
  add(event);
}

void RecordingWriter::on_mark(std::string_view text, Nanoseconds when) {
  RecordedEvent event;
  event.kind = EventKind::kMark;
  event.when = when;
  event.length = text.size();
  event.data = Bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  add(event);
}

void RecordingWriter::add(const RecordedEvent& event) {
  if (is_closed_ || sink_.has_ended()) return;
  if (sink_.wants_fold()) {
    // The fold sees what is in the file: nothing that comes may need what it leaves out.
    frame_.precedes_fold = true;
    seal();
    known_.forget_all();
  }
  numbers_.clear();
  if (carries_data(event) && event.kind != EventKind::kMark) {
    for_each_piece(event.offset, event.length, [&](std::uint64_t offset, std::uint64_t length) {
      numbers_.push_back(number_of(event.data.subspan(offset - event.offset, length)));
      // Contents may be in an earlier frame than the event; so frames stay small.
      if (frame_.size_bytes() >= frame_bytes_) seal();
    });
  }
  frame_.add(event, numbers_);
  if (frame_.kind == FrameKind::kEvents) ++next_event_;
  if (event.kind == EventKind::kSubmitted) ++next_sequence_;
  if (frame_.size_bytes() >= frame_bytes_ || event.when - frame_.first_time >= kFrameAge) seal();
}

ContentNumber RecordingWriter::number_of(Bytes piece) {
  if (all_zero(piece)) return kZeroes;
  const ContentHash hash = hash_of(piece);
  if (const auto known = known_.find(hash)) return *known;
  if (next_number_ > kNumberMax) {
    sink_.end("recording: more contents than it can number; it ends here");
    return kZeroes;
  }
  const ContentNumber number(next_number_++);
  frame_.define(number, hash, piece);
  known_.add(hash, number);
  return number;
}

void RecordingWriter::seal() {
  const FrameKind kind = frame_.kind;
  if (!frame_.is_empty() || frame_.precedes_fold) sink_.put(std::move(frame_));
  frame_ = {};
  frame_.kind = kind;
  frame_.first_event = next_event_;
  frame_.first_sequence = next_sequence_;
}

Result<void> RecordingWriter::close() {
  if (is_closed_) return {};
  is_closed_ = true;
  seal();
  return sink_.finish();
}

}  // namespace powercut::lab
