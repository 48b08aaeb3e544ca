#include "lab/record/frame_reader.h"

#include "lab/record/frame_walk.h"

namespace powercut::lab {
namespace {

// States: kBase and kOpen give what a start in the middle puts first; then, and otherwise, kPlain.
class FrameReader final : public RecordingReader {
 public:
  FrameReader(FrameFile&& file, std::uint64_t memory_bytes)
      : file_(std::move(file)), walk_(file_, memory_bytes) {
    facts_.disk_bytes = file_.disk_bytes();
    facts_.split = file_.split();
    facts_.format = facts_.split.is_split() ? 3 : 2;
    facts_.folded_events = file_.folded_events();
  }
  const RecordingFacts& facts() const override { return facts_; }
  bool is_cut() const override { return walk_.is_cut(); }
  Result<void> start_at(std::uint64_t number) override;
  Result<const PiecedEvent*> next_pieced() override;
  Result<void> append_bytes(const Piece& piece, std::vector<std::uint8_t>& to) override;
  const ContentHash& hash(ContentNumber number) const override {
    return walk_.contents().hash(number);
  }
  std::uint32_t content_length(ContentNumber number) const override {
    return walk_.contents().length(number);
  }

 private:
  enum class State : std::uint8_t { kPlain, kBase, kOpen };

  const Piece* next_piece();
  const PiecedEvent* next_base();
  const PiecedEvent* next_open();

  FrameFile file_;
  FrameWalk walk_;
  RecordingFacts facts_;
  PiecedEvent pieced_;

  // A start in the middle.
  State state_ = State::kPlain;
  std::unique_ptr<DiskPieces> disk_;
  std::uint64_t next_unit_ = 0;
  std::vector<Piece> unit_;      // of the unit before
  std::size_t unit_at_ = 0;      // in unit_
  std::uint64_t last_open_ = 0;  // the sequence that was given last
};

Result<const PiecedEvent*> FrameReader::next_pieced() {
  if (state_ == State::kBase) {
    if (const PiecedEvent* const base = next_base()) return base;
    state_ = State::kOpen;
    disk_.reset();
  }
  if (state_ == State::kOpen) {
    if (const PiecedEvent* const open = next_open()) return open;
    state_ = State::kPlain;
  }
  if (!TRY(walk_.has_next())) return nullptr;
  const WalkedEvent* const walked = TRY(walk_.take());
  pieced_.event = walked->request.event;
  pieced_.number.reset();
  if (walked->frame == FrameKind::kEvents) pieced_.number = walked->number;
  pieced_.pieces = pieces_of(walked->request.event, walked->request.contents);
  return &pieced_;
}

Result<void> FrameReader::append_bytes(const Piece& piece, std::vector<std::uint8_t>& to) {
  if (piece.content == kZeroes) {
    to.resize(to.size() + piece.length);
    return {};
  }
  const Bytes bytes = TRY(walk_.contents().bytes(piece.content));
  const Bytes part = bytes.subspan(piece.from, piece.length);
  to.insert(to.end(), part.begin(), part.end());
  return {};
}

// Walks over the events before `number`, and takes their effect on the disk; nothing is unpacked
// but the events.
Result<void> FrameReader::start_at(std::uint64_t number) {
  if (number < facts_.folded_events) {
    return fail(Errc::kInvalid, "recording: that event was folded into the base", number);
  }
  disk_ = std::make_unique<DiskPieces>(facts_.disk_bytes);
  walk_.set_looks_at_contents(false);
  while (TRY(walk_.has_next())) {
    if (walk_.is_next_numbered() && walk_.next_number() == number) break;
    apply(*TRY(walk_.take()), *disk_);
  }
  if (walk_.next_number() != number) {
    return fail(Errc::kInvalid, "recording: it has no such event", number);
  }
  walk_.set_looks_at_contents(true);
  state_ = State::kBase;
  return {};
}

// Not taken: unit_at_ stays.
const Piece* FrameReader::next_piece() {
  while (unit_at_ == unit_.size()) {
    if (next_unit_ == disk_->unit_count()) return nullptr;
    unit_.clear();
    unit_at_ = 0;
    disk_->append_pieces(next_unit_++, unit_);
  }
  return &unit_[unit_at_];
}

// Neighbouring pieces in one base, up to a bound.
const PiecedEvent* FrameReader::next_base() {
  constexpr std::size_t kPiecesMax = 16;
  pieced_ = {};
  RecordedEvent& base = pieced_.event;
  while (const Piece* const piece = next_piece()) {
    if (pieced_.pieces.empty()) base.offset = piece->offset;
    if (piece->offset != base.offset + base.length || pieced_.pieces.size() == kPiecesMax) break;
    pieced_.pieces.push_back(*piece);
    base.length += piece->length;
    ++unit_at_;
  }
  return pieced_.pieces.empty() ? nullptr : &pieced_;
}

const PiecedEvent* FrameReader::next_open() {
  const auto next = walk_.open().all().upper_bound(last_open_);
  if (next == walk_.open().all().end()) return nullptr;
  last_open_ = next->first;
  pieced_ = {};
  pieced_.event = next->second.event;
  pieced_.pieces = pieces_of(next->second.event, next->second.contents);
  return &pieced_;
}

}  // namespace

Result<std::unique_ptr<RecordingReader>> open_framed_recording(const ByteStore& file,
                                                               std::uint64_t memory_bytes) {
  FrameFile frames = TRY(FrameFile::open(file));
  return std::unique_ptr<RecordingReader>(
      std::make_unique<FrameReader>(std::move(frames), memory_bytes));
}

}  // namespace powercut::lab
