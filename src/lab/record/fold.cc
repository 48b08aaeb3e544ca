#include "lab/record/fold.h"

#include <map>
#include <tuple>

#include "host/new_file.h"
#include "lab/record/frame_sink.h"
#include "lab/record/frame_walk.h"

namespace powercut::lab {
namespace {

constexpr std::uint64_t kCacheBytes = std::uint64_t{16} << 20;
constexpr std::size_t kFrameBytes = std::size_t{1} << 20;
constexpr std::size_t kCopyBytes = std::size_t{1} << 20;
constexpr std::size_t kBasePiecesMax = 16;

// A part of a content that the new file needs, and the number that it has there.
struct Need {
  ContentNumber content;
  std::uint32_t from = 0, length = 0;
  ContentNumber number;
};

// Which parts of which contents are needed, by the frame that has them.
class Needs {
 public:
  Needs(const ContentCache& contents, std::uint32_t& next_number)
      : contents_(contents), next_number_(next_number) {}

  // The number that the piece has in the new file.
  ContentNumber add(const Piece& piece) {
    if (piece.content == kZeroes) return kZeroes;
    const bool is_whole = piece.from == 0 && piece.length == contents_.length(piece.content);
    const Key key{contents_.frame(piece.content), piece.content, piece.from, piece.length};
    const auto [place, is_new] = numbers_.try_emplace(key, piece.content);
    if (is_new && !is_whole) place->second = ContentNumber(next_number_++);
    return place->second;
  }
  void add_whole(ContentNumber content) {
    if (content != kZeroes) add({0, contents_.length(content), content, 0});
  }
  // In the order in which the old file has them.
  template <class Visit>
  Result<void> for_each(Visit visit) const {
    for (const auto& [key, number] : numbers_) {
      const auto& [frame, content, from, length] = key;
      TRY(visit(Need{content, from, length, number}));
    }
    return {};
  }

 private:
  using Key = std::tuple<std::size_t, ContentNumber, std::uint32_t, std::uint32_t>;
  const ContentCache& contents_;
  std::uint32_t& next_number_;
  std::map<Key, ContentNumber> numbers_;
};

class Fold {
 public:
  Fold(const File& old, const FrameFile& frames, const FoldLimits& limits,
       std::uint32_t& next_number)
      : old_(old),
        frames_(frames),
        limits_(limits),
        walk_(frames, kCacheBytes),
        disk_(frames.disk_bytes()),
        needs_(walk_.contents(), next_number) {}

  // The number of the first event that stays.
  std::uint64_t first_event() const { return first_event_; }

  Result<void> write_to(File& to) {
    to_ = &to;
    first_kept_ = first_kept_frame();
    TRY(walk_to_kept());
    TRY(collect_needs());
    TRY(append_recording_header(to, frames_.disk_bytes(), first_event_, frames_.split()));
    frame_ = fresh_frame();
    TRY(write_contents());
    TRY(write_base());
    for (const auto& [sequence, request] : walk_.open().all()) {
      TRY(add(request.event, request.contents));
    }
    TRY(flush());
    return copy_kept();
  }

 private:
  const std::vector<FrameInfo>& all() const { return frames_.frames(); }
  std::size_t first_kept_frame() const;
  Result<void> walk_to_kept();
  Result<void> collect_needs();
  Result<void> write_contents();
  Result<void> write_base();
  Result<void> copy_kept();
  RawFrame fresh_frame() const;
  Result<void> add(const RecordedEvent& event, std::span<const ContentNumber> numbers);
  Result<void> flush();
  Result<void> append(Bytes bytes);

  const File& old_;
  const FrameFile& frames_;
  const FoldLimits& limits_;
  FrameWalk walk_;
  DiskPieces disk_;
  Needs needs_;
  File* to_ = nullptr;
  std::size_t first_kept_ = 0;
  std::uint64_t first_event_ = 0;
  RawFrame frame_;
  std::vector<std::uint8_t> stored_;
};

std::size_t Fold::first_kept_frame() const {
  std::size_t first = all().size();
  std::uint64_t bytes = 0;
  while (first > 0 && all()[first - 1].kind == FrameKind::kEvents) {
    bytes += all()[first - 1].end - all()[first - 1].offset;
    if (bytes > limits_.kept_bytes) break;
    --first;
  }
  return first;
}

// Takes the effect of all that is dropped.
Result<void> Fold::walk_to_kept() {
  const bool keeps_some = first_kept_ < all().size();
  walk_.set_looks_at_contents(false);
  while (TRY(walk_.has_next())) {
    const bool is_kept = keeps_some && walk_.is_next_numbered() &&
                         walk_.next_number() == all()[first_kept_].first_event;
    if (is_kept) break;
    apply(*TRY(walk_.take()), disk_);
  }
  if (walk_.is_cut()) return fail(Errc::kChecksum, "recording: damaged while it was written");
  first_event_ = walk_.next_number();
  return {};
}

// What the disk holds, what is under way, and what the frames that stay name of earlier ones.
Result<void> Fold::collect_needs() {
  std::vector<Piece> pieces;
  for (std::uint64_t unit = 0; unit < disk_.unit_count(); ++unit) {
    pieces.clear();
    disk_.append_pieces(unit, pieces);
    for (const Piece& piece : pieces) needs_.add(piece);
  }
  for (const auto& [sequence, request] : walk_.open().all()) {
    for (const ContentNumber content : request.contents) needs_.add_whole(content);
  }
  for (std::size_t frame = first_kept_; frame < all().size(); ++frame) {
    const auto events = TRY(frames_.load_events(all()[frame]));
    if (!events) return fail(Errc::kChecksum, "recording: damaged while it was written");
    for (const FrameEvent& event : events->events) {
      for (std::size_t piece = 0; piece < event.refs.size() / 4; ++piece) {
        const ContentNumber content = event.ref(piece);
        const bool is_dropped =
            walk_.contents().knows(content) && walk_.contents().frame(content) < first_kept_;
        if (is_dropped) needs_.add_whole(content);
      }
    }
  }
  return {};
}

Result<void> Fold::write_contents() {
  return needs_.for_each([&](const Need& need) -> Result<void> {
    const Bytes whole = TRY(walk_.contents().bytes(need.content));
    const Bytes part = whole.subspan(need.from, need.length);
    frame_.define(need.number, hash_of(part), part);
    return frame_.size_bytes() < kFrameBytes ? Result<void>{} : flush();
  });
}

Result<void> Fold::write_base() {
  RecordedEvent base;
  std::vector<ContentNumber> numbers;
  std::vector<Piece> pieces;
  const auto write_run = [&]() -> Result<void> {
    if (base.length != 0) TRY(add(base, numbers));
    base.length = 0;
    numbers.clear();
    return {};
  };
  for (std::uint64_t unit = 0; unit < disk_.unit_count(); ++unit) {
    pieces.clear();
    disk_.append_pieces(unit, pieces);
    for (const Piece& piece : pieces) {
      // A base has one content for each unit that it touches.
      const bool goes_on = piece.offset == base.offset + base.length &&
                           piece.offset % disk::kUnitBytes == 0 && numbers.size() < kBasePiecesMax;
      if (!goes_on) TRY(write_run());
      if (base.length == 0) base.offset = piece.offset;
      base.length += piece.length;
      numbers.push_back(needs_.add(piece));
    }
  }
  return write_run();
}

Result<void> Fold::copy_kept() {
  if (first_kept_ == all().size()) return {};
  std::vector<std::uint8_t> bytes;
  const std::uint64_t end = all().back().end;
  for (std::uint64_t offset = all()[first_kept_].offset; offset < end; offset += bytes.size()) {
    bytes.resize(std::min<std::uint64_t>(kCopyBytes, end - offset));
    TRY(old_.read_at(offset, bytes));
    TRY(append(bytes));
  }
  return {};
}

RawFrame Fold::fresh_frame() const {
  RawFrame frame;
  frame.kind = FrameKind::kStart;
  frame.first_event = first_event_;
  frame.first_sequence = walk_.open().next_sequence();
  return frame;
}

Result<void> Fold::add(const RecordedEvent& event, std::span<const ContentNumber> numbers) {
  frame_.add(event, numbers);
  return frame_.size_bytes() < kFrameBytes ? Result<void>{} : flush();
}

Result<void> Fold::flush() {
  if (frame_.is_empty()) return {};
  TRY(encode_frame(frame_, stored_));
  frame_ = fresh_frame();
  return append(stored_);
}

Result<void> Fold::append(Bytes bytes) {
  if (to_->size_bytes() + bytes.size() > limits_.bytes_max) {
    return fail(Errc::kLimit, "recording: folded, it is longer than it may be", limits_.bytes_max);
  }
  return to_->append(bytes);
}

}  // namespace

Result<Folded> fold_recording(const File& old, const std::filesystem::path& path,
                              const FoldLimits& limits, std::uint32_t& next_number) {
  const FrameFile frames = TRY(FrameFile::open(old));
  std::filesystem::path beside = path;
  beside += ".folding";
  // Only a kill between two system calls leaves one.
  std::error_code ignored;
  std::filesystem::remove(beside, ignored);
  NewFile fresh = TRY(NewFile::make(beside, 0));
  Fold fold(old, frames, limits, next_number);
  TRY(fold.write_to(fresh.file()));
  TRY(fresh.publish());
  TRY(rename_over(beside, path));
  return Folded{std::move(fresh.file()), fold.first_event()};
}

}  // namespace powercut::lab
