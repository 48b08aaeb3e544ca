#include <zstd.h>

#include "base/crc32c.h"
#include "lab/record/recording_file.h"
#include "lab/record/recording_format.h"

namespace powercut::lab {
namespace {

// A frame is written when so much is waiting: large enough to compress well, small enough to lose.
constexpr std::size_t kFrameBytes = std::size_t{1} << 20;
constexpr std::size_t kBasePieceBytes = std::size_t{64} << 10;
constexpr int kZstdLevel = 1;

bool has_data(const RecordedEvent& event) {
  return event.kind == EventKind::kBase || event.kind == EventKind::kMark ||
         (event.kind == EventKind::kSubmitted && event.request == RequestKind::kWrite);
}

RecordedEvent event_of(EventKind kind, const Request& request, Nanoseconds when) {
  return {kind, request.kind,   request.durability, request.sequence,
          when, request.offset, request.length,     request.data};
}

}  // namespace

Result<std::unique_ptr<RecordingWriter>> RecordingWriter::create(const std::filesystem::path& path,
                                                                 const BlockView& view,
                                                                 std::uint64_t bytes_max) {
  File file = TRY(File::create(path, 0));
  std::unique_ptr<RecordingWriter> writer(new RecordingWriter(std::move(file), bytes_max));
  disk::RecordingHeader header;
  header.disk_bytes = view.size_bytes();
  TRY(writer->file_.append(bytes_of(header)));
  std::vector<std::uint8_t> piece(kBasePieceBytes);
  for (std::uint64_t offset = 0; offset < view.size_bytes(); offset += piece.size()) {
    piece.resize(std::min<std::uint64_t>(kBasePieceBytes, view.size_bytes() - offset));
    TRY(view.read(offset, piece));
    if (all_zero(piece)) continue;
    RecordedEvent event;
    event.offset = offset;
    event.length = piece.size();
    event.data = piece;
    writer->add(event);
  }
  return writer;
}

RecordingWriter::~RecordingWriter() {
  ignore_error(close(), "close() tells it; here it is the end");
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
  if (!trouble_.empty() || is_closed_) return;
  disk::EventHeader header;
  header.kind = static_cast<std::uint8_t>(event.kind);
  header.request = static_cast<std::uint8_t>(event.request);
  header.is_fua = event.durability == Durability::kFua ? 1 : 0;
  header.sequence = event.sequence;
  header.time_ns = static_cast<std::uint64_t>(event.when.count());
  header.offset = event.offset;
  header.length = event.length;
  const Bytes stored = bytes_of(header);
  raw_.insert(raw_.end(), stored.begin(), stored.end());
  if (has_data(event)) raw_.insert(raw_.end(), event.data.begin(), event.data.end());
  if (raw_.size() < kFrameBytes) return;
  if (const auto written = write_frame(); !written) trouble_ = written.error().what;
}

Result<void> RecordingWriter::write_frame() {
  if (raw_.empty()) return {};
  if (raw_.size() > disk::kFrameRawBytesMax)
    return fail(Errc::kLimit, "recording: one request too large");
  stored_.resize(ZSTD_compressBound(raw_.size()));
  const std::size_t size =
      ZSTD_compress(stored_.data(), stored_.size(), raw_.data(), raw_.size(), kZstdLevel);
  if (ZSTD_isError(size) != 0) return fail(Errc::kIo, "recording: zstd failed");
  const Bytes stored = Bytes(stored_).first(size);
  disk::FrameHeader header;
  header.stored_bytes = static_cast<std::uint32_t>(size);
  header.raw_bytes = static_cast<std::uint32_t>(raw_.size());
  header.checksum = crc32c(~0u, stored);
  if (file_.size_bytes() + sizeof(header) + size > bytes_max_) {
    return fail(Errc::kLimit, "recording: its size limit was reached; it ends here");
  }
  TRY(file_.append(bytes_of(header)));
  TRY(file_.append(stored));
  raw_.clear();
  return {};
}

Result<void> RecordingWriter::close() {
  if (is_closed_) return {};
  is_closed_ = true;
  if (trouble_.empty()) {
    const auto written = write_frame();
    if (!written) trouble_ = written.error().what;
  }
  return file_.sync();
}

}  // namespace powercut::lab
