#include "lab/record/old_reader.h"

#include <zstd.h>

#include "base/crc32c.h"
#include "base/fuzzing.h"

namespace powercut::lab {
namespace {

class OldReader final : public RecordingReader {
 public:
  OldReader(const ByteStore& file, std::uint64_t disk_bytes, std::uint64_t frame_bytes_max)
      : file_(file), frame_bytes_max_(frame_bytes_max) {
    facts_.format = 1;
    facts_.disk_bytes = disk_bytes;
  }
  const RecordingFacts& facts() const override { return facts_; }
  bool is_cut() const override { return is_cut_; }
  Result<void> start_at(std::uint64_t number) override {
    if (number == 0) return {};
    return fail(Errc::kUnsupported, "recording: only format 2 can be read from its middle");
  }
  Result<const PiecedEvent*> next_pieced() override {
    while (at_ == raw_.size()) {
      if (!TRY(read_frame())) return nullptr;
    }
    const auto header = TRY(load<disk::EventHeader>(raw_, at_));
    at_ += sizeof(header);
    pieced_.event = TRY(checked(header));
    if (pieced_.event.kind != EventKind::kBase) pieced_.number = next_number_++;
    if (!carries_data(pieced_.event)) return &pieced_;
    if (pieced_.event.length > raw_.size() - at_) {
      return fail(Errc::kCorrupt, "recording: data past its frame", at_);
    }
    pieced_.event.data = Bytes(raw_).subspan(at_, pieced_.event.length);
    at_ += pieced_.event.length;
    return &pieced_;
  }
  Result<void> append_bytes(const Piece&, std::vector<std::uint8_t>&) override {
    CHECK(false, "no piece was given out");
    return {};
  }
  const ContentHash& hash(ContentNumber) const override { CHECK(false, "no piece was given out"); }
  std::uint32_t content_length(ContentNumber) const override {
    CHECK(false, "no piece was given out");
  }

 private:
  Result<RecordedEvent> checked(const disk::EventHeader& header);
  Result<bool> read_frame();

  const ByteStore& file_;
  const std::uint64_t frame_bytes_max_;
  RecordingFacts facts_;
  bool is_cut_ = false;
  std::uint64_t offset_ = sizeof(disk::RecordingHeader1);
  std::uint64_t next_sequence_ = 1, next_number_ = 0;
  std::vector<std::uint8_t> raw_;
  std::size_t at_ = 0;  // in raw_
  PiecedEvent pieced_;
};

Result<RecordedEvent> OldReader::checked(const disk::EventHeader& header) {
  RecordedEvent event;
  if (header.kind < 1 || header.kind > 5)
    return fail(Errc::kCorrupt, "recording: event kind", header.kind);
  if (header.request < 1 || header.request > 4) {
    return fail(Errc::kCorrupt, "recording: request kind", header.request);
  }
  event.kind = static_cast<EventKind>(header.kind);
  event.request = static_cast<RequestKind>(header.request);
  event.durability = header.is_fua != 0 ? Durability::kFua : Durability::kCached;
  event.sequence = header.sequence;
  event.when = Nanoseconds(static_cast<std::int64_t>(header.time_ns.value()));
  event.offset = header.offset;
  event.length = header.length;
  if (event.kind == EventKind::kMark) {
    if (event.length > kMarkBytesMax)
      return fail(Errc::kCorrupt, "recording: a mark too long", event.length);
    return event;
  }
  if (event.offset > facts_.disk_bytes || event.length > facts_.disk_bytes - event.offset) {
    return fail(Errc::kCorrupt, "recording: a range past the end of its disk", event.offset);
  }
  if (event.kind == EventKind::kSubmitted && event.sequence != next_sequence_++) {
    return fail(Errc::kCorrupt, "recording: submissions are not numbered 1, 2, 3 ...",
                event.sequence);
  }
  if (event.kind == EventKind::kCompleted &&
      (event.sequence == 0 || event.sequence >= next_sequence_)) {
    return fail(Errc::kCorrupt, "recording: a completion without its submission", event.sequence);
  }
  return event;
}

// Unpacks the next frame; false at the end, and at a frame that is not whole.
Result<bool> OldReader::read_frame() {
  if (is_cut_ || offset_ >= file_.size_bytes()) return false;
  is_cut_ = true;  // until it is seen to be whole
  disk::FrameHeader1 header;
  if (file_.size_bytes() - offset_ < sizeof(header)) return false;
  std::array<std::uint8_t, sizeof(header)> bytes{};
  TRY(file_.read_at(offset_, bytes));
  header = TRY(load<disk::FrameHeader1>(bytes, 0));
  const std::uint64_t stored_bytes = header.stored_bytes;
  if (header.magic != disk::kFrameMagic1) return false;
  if (file_.size_bytes() - offset_ - sizeof(header) < stored_bytes) return false;
  if (header.raw_bytes > disk::kFrameRawBytesMax1)
    return fail(Errc::kCorrupt, "recording: frame size", offset_);
  if (header.raw_bytes + stored_bytes > frame_bytes_max_) {
    return fail(Errc::kLimit, "recording: larger than the memory it may take", offset_);
  }
  std::vector<std::uint8_t> stored(stored_bytes);
  TRY(file_.read_at(offset_ + sizeof(header), stored));
  if (!is_fuzzing() && crc32c(~0u, stored) != header.checksum.value()) return false;
  raw_.resize(header.raw_bytes);
  at_ = 0;
  const std::size_t size = ZSTD_decompress(raw_.data(), raw_.size(), stored.data(), stored.size());
  if (ZSTD_isError(size) != 0 || size != raw_.size())
    return fail(Errc::kCorrupt, "recording: zstd", offset_);
  offset_ += sizeof(header) + stored_bytes;
  is_cut_ = false;
  return true;
}

}  // namespace

Result<std::unique_ptr<RecordingReader>> open_old_recording(const ByteStore& file,
                                                            std::uint64_t memory_bytes) {
  std::array<std::uint8_t, sizeof(disk::RecordingHeader1)> bytes{};
  if (file.size_bytes() < bytes.size())
    return fail(Errc::kCorrupt, "recording: too short for its header", 0);
  TRY(file.read_at(0, bytes));
  const auto header = TRY(load<disk::RecordingHeader1>(bytes, 0));
  if (header.disk_bytes > kRecordedDiskBytesMax) {
    return fail(Errc::kLimit, "recording: a disk of more than 64 GiB", header.disk_bytes);
  }
  return std::unique_ptr<RecordingReader>(
      std::make_unique<OldReader>(file, header.disk_bytes, memory_bytes));
}

}  // namespace powercut::lab
