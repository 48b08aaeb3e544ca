#include "lab/record/block_stream.h"

#include <algorithm>
#include <cstring>

namespace powercut::lab {

class BlockStream::Maker {
 public:
  Maker(BlockStream& stream, std::uint64_t memory_max) : stream_(stream), memory_max_(memory_max) {
    mixed_.resize(stream.block_bytes());
  }

  // `pieces`: of the event, as long as blocks and from `reader`; none: the event has its data.
  Result<void> take(const RecordedEvent& event, std::span<const Piece> pieces = {},
                    RecordingReader* reader = nullptr) {
    pieces_ = pieces;
    reader_ = reader;
    switch (event.kind) {
      case EventKind::kBase: return take_base(event);
      case EventKind::kSubmitted: return take_submitted(event);
      case EventKind::kCompleted: take_completed(event); return {};
      case EventKind::kPowerCycle: {
        StreamEvent cycle;
        cycle.kind = StreamEventKind::kPowerCycle;
        cycle.when = event.when;
        stream_.events_.push_back(cycle);
        return {};
      }
      case EventKind::kMark: {
        StreamEvent mark;
        mark.kind = StreamEventKind::kMark;
        mark.when = event.when;
        mark.mark = static_cast<std::uint32_t>(stream_.marks_.size());
        stream_.marks_.emplace_back(event.data.begin(), event.data.end());
        stream_.events_.push_back(mark);
        return {};
      }
    }
    return fail(Errc::kInvalid, "recording: kind of event");
  }

 private:
  // Calls visit(block, content) for each block that the range touches.  No data: zeroes.
  template <class Visit>
  Result<void> for_each_block(std::uint64_t offset, std::uint64_t length, const std::uint8_t* data,
                              Visit visit) {
    if (!pieces_.empty()) return for_each_piece_of_it(visit);
    const std::uint64_t size = stream_.block_bytes();
    for (std::uint64_t at = offset; at < offset + length;) {
      const std::uint64_t block = at / size;
      const std::uint64_t end = std::min(offset + length, (block + 1) * size);
      const std::uint8_t* const from = data == nullptr ? nullptr : data + (at - offset);
      visit(BlockNo(block), TRY(content_of(block, at - block * size, end - at, from)));
      at = end;
    }
    return {};
  }
  template <class Visit>
  Result<void> for_each_piece_of_it(Visit visit) {
    for (const Piece& piece : pieces_) {
      visit(BlockNo(piece.offset / stream_.block_bytes()), TRY(content_of_piece(piece)));
    }
    return {};
  }
  Result<ContentId> content_of_piece(const Piece& piece) {
    const std::uint32_t size = stream_.block_bytes();
    const bool is_whole = piece.length == size;
    if (is_whole && piece.content == kZeroes) return kZeroContent;
    const auto known = is_whole ? ids_.find(piece.content.value()) : ids_.end();
    if (known != ids_.end()) return known->second;
    piece_bytes_.clear();
    TRY(reader_->append_bytes(piece, piece_bytes_));
    const ContentId id = TRY(
        content_of(piece.offset / size, piece.offset % size, piece.length, piece_bytes_.data()));
    if (is_whole) ids_.emplace(piece.content.value(), id);
    return id;
  }
  Result<ContentId> content_of(std::uint64_t block, std::uint64_t first, std::uint64_t count,
                               const std::uint8_t* data) {
    const bool is_whole = count == stream_.block_bytes();
    if (is_whole && data == nullptr) return kZeroContent;
    if (is_whole) return stream_.pool_->add(Bytes(data, count));
    copy_bytes(stream_.pool_->bytes(current()[block]), mixed_);
    if (data == nullptr) {
      std::fill_n(mixed_.begin() + static_cast<std::ptrdiff_t>(first), count, std::uint8_t{0});
    } else {
      std::memcpy(mixed_.data() + first, data, count);
    }
    return stream_.pool_->add(mixed_);
  }
  // While the base is read, it is what the disk holds.
  std::vector<ContentId>& current() { return current_.empty() ? stream_.base_ : current_; }

  FlushScope scope_of(const RecordedEvent& event) const {
    const bool is_of_one = event.request == RequestKind::kFlush && event.length != 0 &&
                           stream_.second_device().value() < stream_.block_count();
    if (!is_of_one) return FlushScope::kAll;
    const BlockNo first(event.offset / stream_.block_bytes());
    return first < stream_.second_device() ? FlushScope::kFirst : FlushScope::kSecond;
  }

  Result<void> take_base(const RecordedEvent& event) {
    return for_each_block(
        event.offset, event.length, event.data.data(),
        [&](BlockNo block, ContentId content) { stream_.base_[block.value()] = content; });
  }
  Result<void> take_submitted(const RecordedEvent& event) {
    if (current_.empty()) current_ = stream_.base_;
    StreamEvent submitted;
    submitted.request = event.request;
    submitted.is_fua = event.durability == Durability::kFua;
    submitted.sequence = event.sequence;
    submitted.when = event.when;
    submitted.first_write = static_cast<std::uint32_t>(stream_.writes_.size());
    submitted.scope = scope_of(event);
    const std::uint8_t* const data =
        event.request == RequestKind::kWrite ? event.data.data() : nullptr;
    const std::uint64_t length = event.request == RequestKind::kFlush ? 0 : event.length;
    TRY(for_each_block(event.offset, length, data, [&](BlockNo block, ContentId content) {
      current_[block.value()] = content;
      stream_.writes_.push_back({block, content});
    }));
    if (stream_.writes_.size() * sizeof(BlockWrite) > memory_max_) {
      return fail(Errc::kLimit, "recording: more writes than may be kept", memory_max_);
    }
    submitted.write_count =
        static_cast<std::uint32_t>(stream_.writes_.size()) - submitted.first_write;
    open_[event.sequence] = submitted;
    stream_.events_.push_back(submitted);
    return {};
  }
  void take_completed(const RecordedEvent& event) {
    const auto found = open_.find(event.sequence);
    if (found == open_.end()) return;  // the reader refuses recordings where that happens
    StreamEvent completed = found->second;
    completed.kind = StreamEventKind::kCompleted;
    completed.when = event.when;
    stream_.events_.push_back(completed);
    open_.erase(found);
  }

  BlockStream& stream_;
  const std::uint64_t memory_max_;
  std::vector<ContentId> current_;  // with every request so far done; empty before the first
  std::unordered_map<std::uint64_t, StreamEvent> open_;
  std::vector<std::uint8_t> mixed_;
  std::span<const Piece> pieces_;  // of the event that is taken
  RecordingReader* reader_ = nullptr;
  std::unordered_map<std::uint32_t, ContentId> ids_;  // of contents as long as a block, by number
  std::vector<std::uint8_t> piece_bytes_;
};

Result<BlockStream> BlockStream::make_empty(std::uint64_t disk_bytes, const DeviceSplit& split,
                                            std::uint32_t block_bytes, std::uint64_t memory_max) {
  if (disk_bytes % block_bytes != 0 || split.second_at % block_bytes != 0) {
    return fail(Errc::kInvalid, "recording: the disk is no whole number of blocks", block_bytes);
  }
  BlockStream stream(std::make_unique<ContentPool>(block_bytes, memory_max));
  stream.second_device_ = BlockNo((split.is_split() ? split.second_at : disk_bytes) / block_bytes);
  stream.base_.resize(disk_bytes / block_bytes, kZeroContent);
  return stream;
}

Result<BlockStream> BlockStream::make(const Recording& recording, std::uint32_t block_bytes,
                                      std::uint64_t memory_max) {
  BlockStream stream =
      TRY(make_empty(recording.disk_bytes, recording.split, block_bytes, memory_max));
  Maker maker(stream, memory_max);
  for (const RecordedEvent& event : recording.events) TRY(maker.take(event));
  return stream;
}

Result<BlockStream> BlockStream::make(RecordingReader& reader, std::uint32_t block_bytes,
                                      std::uint64_t memory_max, const EventWindow& window) {
  const RecordingFacts& facts = reader.facts();
  BlockStream stream = TRY(make_empty(facts.disk_bytes, facts.split, block_bytes, memory_max));
  if (window.first != 0) TRY(reader.start_at(window.first));
  Maker maker(stream, memory_max);
  while (const PiecedEvent* const pieced = TRY(reader.next_pieced())) {
    if (pieced->number && *pieced->number >= window.end) break;
    RecordedEvent event = pieced->event;
    if (block_bytes == disk::kUnitBytes) {
      TRY(maker.take(event, pieced->pieces, &reader));
      continue;
    }
    if (carries_data(event)) event.data = TRY(reader.data_of(*pieced));
    TRY(maker.take(event));
  }
  return stream;
}

}  // namespace powercut::lab
