#include "lab/record/frame_file.h"

#include <zstd.h>

#include "base/crc32c.h"
#include "base/fuzzing.h"

namespace powercut::lab {
namespace {

StoredPart part_of(const disk::PartHeader& header, std::uint64_t offset) {
  return {offset, header.stored_bytes, header.raw_bytes, header.checksum};
}

// Definitions and events out of the raw bytes of an events part.
class PartParser {
 public:
  PartParser(const FrameInfo& frame, std::uint64_t disk_bytes, const DeviceSplit& split,
             FrameEvents& into)
      : frame_(frame), disk_bytes_(disk_bytes), split_(split), into_(into) {}

  Result<void> parse() {
    const Bytes raw = into_.raw;
    if (frame_.definition_count > raw.size() / sizeof(disk::Definition)) {
      return fail(Errc::kCorrupt, "recording: more definitions than bytes",
                  frame_.definition_count);
    }
    std::uint64_t contents_bytes = 0;
    for (std::uint32_t i = 0; i < frame_.definition_count; ++i) {
      contents_bytes += TRY(take_definition(raw));
    }
    if (contents_bytes != frame_.contents.raw_bytes) {
      return fail(Errc::kCorrupt, "recording: contents are not as long as their definitions",
                  contents_bytes);
    }
    while (at_ < raw.size()) TRY(take_event(raw));
    if (into_.events.size() != frame_.event_count) {
      return fail(Errc::kCorrupt, "recording: number of events in a frame", into_.events.size());
    }
    return {};
  }

 private:
  Result<std::uint32_t> take_definition(Bytes raw) {
    const auto stored = TRY(load<disk::Definition>(raw, at_));
    at_ += sizeof(stored);
    if (stored.number.value() == 0)
      return fail(Errc::kCorrupt, "recording: content number 0 is defined", at_);
    if (stored.length.value() == 0 || stored.length > disk::kUnitBytes) {
      return fail(Errc::kCorrupt, "recording: length of a content", stored.length);
    }
    into_.definitions.push_back(
        {ContentNumber(stored.number), stored.length, {stored.hash_low, stored.hash_high}});
    return stored.length.value();
  }
  Result<void> take_event(Bytes raw) {
    const auto header = TRY(load<disk::EventHeader>(raw, at_));
    at_ += sizeof(header);
    FrameEvent taken;
    taken.event = TRY(checked(header));
    const bool is_mark = taken.event.kind == EventKind::kMark;
    if (!carries_data(taken.event)) {
      into_.events.push_back(taken);
      return {};
    }
    const std::uint64_t bytes =
        is_mark ? taken.event.length : 4 * piece_count(taken.event.offset, taken.event.length);
    if (bytes > raw.size() - at_)
      return fail(Errc::kCorrupt, "recording: an event past its frame", at_);
    (is_mark ? taken.event.data : taken.refs) = raw.subspan(at_, bytes);
    at_ += bytes;
    into_.events.push_back(taken);
    return {};
  }
  Result<RecordedEvent> checked(const disk::EventHeader& header) const {
    if (header.kind < 1 || header.kind > 5)
      return fail(Errc::kCorrupt, "recording: event kind", header.kind);
    if (header.request < 1 || header.request > 4) {
      return fail(Errc::kCorrupt, "recording: request kind", header.request);
    }
    RecordedEvent event;
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
    if (event.offset > disk_bytes_ || event.length > disk_bytes_ - event.offset) {
      return fail(Errc::kCorrupt, "recording: a range past the end of its disk", event.offset);
    }
    if (event.kind == EventKind::kSubmitted) TRY(check_device(event));
    const bool may_start = event.kind == EventKind::kBase || event.kind == EventKind::kSubmitted;
    if (frame_.kind == FrameKind::kStart ? !may_start : event.kind == EventKind::kBase) {
      return fail(Errc::kCorrupt, "recording: an event in a frame of the other kind", header.kind);
    }
    return event;
  }

  // A request lies on one device; a flush names all of one, or nothing.
  Result<void> check_device(const RecordedEvent& event) const {
    if (event.length == 0) return {};
    const std::size_t device = split_.device_of(event.offset);
    const std::uint64_t begin = device == 0 ? 0 : split_.second_at;
    const std::uint64_t end = device == 0 && split_.is_split() ? split_.second_at : disk_bytes_;
    const bool is_whole = event.offset == begin && event.length == end - begin;
    if (event.request == RequestKind::kFlush ? !is_whole : event.length > end - event.offset) {
      return fail(Errc::kCorrupt, "recording: a request that is not of one device", event.offset);
    }
    return {};
  }

  const FrameInfo& frame_;
  const std::uint64_t disk_bytes_;
  const DeviceSplit& split_;
  FrameEvents& into_;
  std::size_t at_ = 0;
};

}  // namespace

ContentNumber FrameEvent::ref(std::size_t piece) const {
  return ContentNumber(load<Le32>(refs, 4 * piece).value());
}

// What both headers have.
template <class Header>
Result<void> FrameFile::take_header(const Header& header) {
  const Bytes bytes = bytes_of(header);
  const std::uint32_t sum = crc32c(~0u, bytes.first(bytes.size() - sizeof(header.checksum)));
  if (!is_fuzzing() && header.checksum.value() != sum)
    return fail(Errc::kCorrupt, "recording: checksum of its header", 0);
  if (header.unit_bytes.value() != disk::kUnitBytes) {
    return fail(Errc::kUnsupported, "recording: contents of another length", header.unit_bytes);
  }
  if (header.disk_bytes > kRecordedDiskBytesMax) {
    return fail(Errc::kLimit, "recording: a disk of more than 64 GiB", header.disk_bytes);
  }
  disk_bytes_ = header.disk_bytes;
  folded_events_ = header.folded_events;
  return {};
}

// How long it is.
Result<std::uint64_t> FrameFile::read_file_header() {
  std::array<std::uint8_t, sizeof(disk::RecordingHeader3)> bytes{};
  const std::size_t there = std::min<std::uint64_t>(file_->size_bytes(), bytes.size());
  if (there < sizeof(disk::RecordingHeader2))
    return fail(Errc::kCorrupt, "recording: too short for its header", 0);
  TRY(file_->read_at(0, MutableBytes(bytes).first(there)));
  const auto header = TRY(load<disk::RecordingHeader2>(bytes, 0));
  if (header.magic == disk::kMagic2) {
    TRY(take_header(header));
    return sizeof(header);
  }
  if (header.magic != disk::kMagic3) return fail(Errc::kCorrupt, "recording: magic", 0);
  const auto split = TRY(load<disk::RecordingHeader3>(Bytes(bytes).first(there), 0));
  TRY(take_header(split));
  split_.second_at = split.second_at;
  const bool is_inside = split_.is_split() && split_.second_at < disk_bytes_;
  if (!is_inside || split_.second_at % disk::kUnitBytes != 0) {
    return fail(Errc::kCorrupt, "recording: where its second device begins", split_.second_at);
  }
  return sizeof(split);
}

Result<FrameFile> FrameFile::open(const ByteStore& file) {
  FrameFile frames(file);
  std::uint64_t offset = TRY(frames.read_file_header());
  while (offset < file.size_bytes()) {
    const auto frame = TRY(frames.read_header(offset));
    if (!frame) {
      frames.is_cut_ = true;
      break;
    }
    TRY(frames.check_sequel(*frame));
    frames.frames_.push_back(*frame);
    offset = frame->end;
  }
  return frames;
}

// nullopt: not whole.
Result<std::optional<FrameInfo>> FrameFile::read_header(std::uint64_t offset) const {
  disk::FrameHeader2 header;
  std::array<std::uint8_t, sizeof(header)> bytes{};
  if (file_->size_bytes() - offset < sizeof(header)) return std::optional<FrameInfo>{};
  TRY(file_->read_at(offset, bytes));
  header = TRY(load<disk::FrameHeader2>(bytes, 0));
  if (header.magic != disk::kFrameMagic2) return std::optional<FrameInfo>{};
  const std::uint32_t sum = crc32c(~0u, Bytes(bytes).subspan(offsetof(disk::FrameHeader2, kind)));
  if (!is_fuzzing() && header.checksum.value() != sum) return std::optional<FrameInfo>{};
  if (header.kind < 1 || header.kind > 2)
    return fail(Errc::kCorrupt, "recording: kind of a frame", offset);
  for (const disk::PartHeader& part : {header.events, header.contents}) {
    if (part.raw_bytes > disk::kPartRawBytesMax || part.stored_bytes > part.raw_bytes) {
      return fail(Errc::kCorrupt, "recording: size of a frame", offset);
    }
  }
  FrameInfo frame;
  frame.kind = static_cast<FrameKind>(header.kind.value());
  frame.offset = offset;
  frame.first_event = header.first_event;
  frame.first_sequence = header.first_sequence;
  frame.first_time = Nanoseconds(static_cast<std::int64_t>(header.first_time_ns.value()));
  frame.event_count = header.event_count;
  frame.definition_count = header.definition_count;
  frame.events = part_of(header.events, offset + sizeof(header));
  frame.contents = part_of(header.contents, frame.events.offset + frame.events.stored_bytes);
  frame.end = frame.contents.offset + frame.contents.stored_bytes;
  if (frame.end > file_->size_bytes()) return std::optional<FrameInfo>{};
  return std::optional(frame);
}

// What a frame's header may say after those before it.
Result<void> FrameFile::check_sequel(const FrameInfo& frame) const {
  std::uint64_t first_event = folded_events_;
  if (!frames_.empty() && frames_.back().kind == FrameKind::kEvents) {
    if (frame.kind == FrameKind::kStart)
      return fail(Errc::kCorrupt, "recording: two beginnings", frame.offset);
    first_event = frames_.back().first_event + frames_.back().event_count;
  }
  if (frame.first_event != first_event) {
    return fail(Errc::kCorrupt, "recording: events are not numbered without a gap", frame.offset);
  }
  return {};
}

Result<std::optional<FrameEvents>> FrameFile::load_events(const FrameInfo& frame) const {
  auto raw = TRY(unpack(frame.events));
  if (!raw) return std::optional<FrameEvents>{};
  FrameEvents events;
  events.raw = std::move(*raw);
  TRY(PartParser(frame, disk_bytes_, split_, events).parse());
  return std::optional(std::move(events));
}

Result<std::optional<std::vector<std::uint8_t>>> FrameFile::load_contents(
    const FrameInfo& frame) const {
  return unpack(frame.contents);
}

Result<std::optional<std::vector<std::uint8_t>>> FrameFile::unpack(const StoredPart& part) const {
  using Loaded = std::optional<std::vector<std::uint8_t>>;
  std::vector<std::uint8_t> stored(part.stored_bytes);
  TRY(file_->read_at(part.offset, stored));
  if (!is_fuzzing() && crc32c(~0u, stored) != part.checksum) return Loaded{};
  if (part.stored_bytes == part.raw_bytes) return Loaded(std::move(stored));
  std::vector<std::uint8_t> raw(part.raw_bytes);
  const std::size_t size = ZSTD_decompress(raw.data(), raw.size(), stored.data(), stored.size());
  if (ZSTD_isError(size) != 0 || size != raw.size()) {
    return fail(Errc::kCorrupt, "recording: zstd", part.offset);
  }
  return Loaded(std::move(raw));
}

}  // namespace powercut::lab
