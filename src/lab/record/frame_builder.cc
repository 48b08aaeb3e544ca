#include "lab/record/frame_builder.h"

#include <zstd.h>

#include "base/crc32c.h"

namespace powercut::lab {
namespace {

constexpr int kZstdLevel = 1;

template <Stored T>
void append(std::vector<std::uint8_t>& to, const T& value) {
  const Bytes bytes = bytes_of(value);
  to.insert(to.end(), bytes.begin(), bytes.end());
}

// Packs `raw` behind what is in `into` and fills the header for it.
Result<void> pack(Bytes raw, disk::PartHeader& header, std::vector<std::uint8_t>& into) {
  if (raw.size() > disk::kPartRawBytesMax) {
    return fail(Errc::kLimit, "recording: one request too large", raw.size());
  }
  header.raw_bytes = static_cast<std::uint32_t>(raw.size());
  const std::size_t begin = into.size();
  into.resize(begin + ZSTD_compressBound(raw.size()));
  std::size_t size =
      ZSTD_compress(into.data() + begin, into.size() - begin, raw.data(), raw.size(), kZstdLevel);
  if (ZSTD_isError(size) != 0) return fail(Errc::kIo, "recording: zstd failed");
  if (size >= raw.size()) {  // equal lengths say that it is stored as it is
    size = raw.size();
    copy_bytes(raw, MutableBytes(into).subspan(begin));
  }
  into.resize(begin + size);
  header.stored_bytes = static_cast<std::uint32_t>(size);
  header.checksum = crc32c(~0u, Bytes(into).subspan(begin));
  return {};
}

}  // namespace

void RawFrame::define(ContentNumber number, const ContentHash& hash, Bytes content) {
  CHECK(!content.empty() && content.size() <= disk::kUnitBytes, "a content inside one unit");
  disk::Definition definition;
  definition.number = number.value();
  definition.length = static_cast<std::uint32_t>(content.size());
  definition.hash_low = hash.low;
  definition.hash_high = hash.high;
  append(definitions, definition);
  contents.insert(contents.end(), content.begin(), content.end());
  ++definition_count;
}

void RawFrame::add(const RecordedEvent& event, std::span<const ContentNumber> numbers) {
  disk::EventHeader header;
  header.kind = static_cast<std::uint8_t>(event.kind);
  header.request = static_cast<std::uint8_t>(event.request);
  header.is_fua = event.durability == Durability::kFua ? 1 : 0;
  header.sequence = event.sequence;
  header.time_ns = static_cast<std::uint64_t>(event.when.count());
  header.offset = event.offset;
  header.length = event.length;
  append(events, header);
  if (event.kind == EventKind::kMark) {
    events.insert(events.end(), event.data.begin(), event.data.end());
  }
  for (const ContentNumber number : numbers) append(events, Le32(number.value()));
  if (event_count++ == 0) first_time = event.when;
}

Result<void> encode_frame(const RawFrame& frame, std::vector<std::uint8_t>& into) {
  disk::FrameHeader2 header;
  header.kind = static_cast<std::uint32_t>(frame.kind);
  header.event_count = frame.event_count;
  header.first_event = frame.first_event;
  header.first_sequence = frame.first_sequence;
  header.first_time_ns = static_cast<std::uint64_t>(frame.first_time.count());
  header.definition_count = frame.definition_count;
  std::vector<std::uint8_t> events = frame.definitions;
  events.insert(events.end(), frame.events.begin(), frame.events.end());
  into.resize(sizeof(header));
  TRY(pack(events, header.events, into));
  TRY(pack(frame.contents, header.contents, into));
  constexpr std::size_t kUnchecked = offsetof(disk::FrameHeader2, kind);
  header.checksum = crc32c(~0u, bytes_of(header).subspan(kUnchecked));
  store(into, 0, header);
  return {};
}

}  // namespace powercut::lab
