#include "lab/record/log_writes_reader.h"

#include <bit>

#include "lab/record/frame_file.h"
#include "lab/record/log_writes_format.h"
#include "lab/record/request.h"

namespace powercut::lab {
namespace {

constexpr std::uint64_t kKnownFlags =
    disk::kLogFlush | disk::kLogFua | disk::kLogDiscard | disk::kLogMark | disk::kLogMetadata;

}  // namespace

Result<LogWritesReader> LogWritesReader::open(const ByteStore& log) {
  std::array<std::uint8_t, sizeof(disk::LogWritesSuper)> bytes{};
  if (log.size_bytes() < bytes.size()) {
    return fail(Errc::kCorrupt, "log of writes: too short for its super", log.size_bytes());
  }
  TRY(log.read_at(0, bytes));
  const auto super = TRY(load<disk::LogWritesSuper>(bytes, 0));
  if (super.magic.value() != disk::kLogWritesMagic) {
    return fail(Errc::kCorrupt, "log of writes: magic", 0);
  }
  if (super.version.value() != disk::kLogWritesVersion) {
    return fail(Errc::kUnsupported, "log of writes: version", super.version);
  }
  const std::uint32_t sector = super.sector_bytes;
  if (!std::has_single_bit(sector) || sector < 512 || sector > 65536) {
    return fail(Errc::kUnsupported, "log of writes: length of a sector", sector);
  }
  LogWritesReader reader(log);
  reader.sector_bytes_ = sector;
  reader.entry_count_ = super.entry_count;
  reader.at_ = sector;
  return reader;
}

Result<std::optional<LogEntry>> LogWritesReader::next() {
  if (read_count_ == entry_count_ || is_cut_) return std::optional<LogEntry>{};
  is_cut_ = true;  // until it is seen to be whole
  if (at_ > log_->size_bytes() || log_->size_bytes() - at_ < sizeof(disk::LogWritesEntry)) {
    return std::optional<LogEntry>{};
  }
  LogEntry entry = TRY(entry_at(at_));
  const bool has_data = !entry.is_discard && !entry.is_mark;
  const std::uint64_t end = entry.data_at + (has_data ? entry.length : 0);
  if (has_data && end > log_->size_bytes()) return std::optional<LogEntry>{};
  at_ = end;
  ++read_count_;
  is_cut_ = false;
  return std::optional(std::move(entry));
}

Result<LogEntry> LogWritesReader::entry_at(std::uint64_t at) const {
  std::array<std::uint8_t, sizeof(disk::LogWritesEntry)> bytes{};
  TRY(log_->read_at(at, bytes));
  const auto stored = TRY(load<disk::LogWritesEntry>(bytes, 0));
  if ((stored.flags & ~kKnownFlags) != 0) {
    return fail(Errc::kUnsupported, "log of writes: flags of an entry", at);
  }
  const std::uint64_t sectors_max = kRecordedDiskBytesMax / sector_bytes_;
  if (stored.sector > sectors_max || stored.sector_count > sectors_max - stored.sector) {
    return fail(Errc::kCorrupt, "log of writes: a range past 64 GiB", at);
  }
  LogEntry entry;
  entry.is_flush = (stored.flags & disk::kLogFlush) != 0;
  entry.is_fua = (stored.flags & disk::kLogFua) != 0;
  entry.is_discard = (stored.flags & disk::kLogDiscard) != 0;
  entry.is_mark = (stored.flags & disk::kLogMark) != 0;
  entry.offset = stored.sector * sector_bytes_;
  entry.length = stored.sector_count * sector_bytes_;
  entry.data_at = at + sector_bytes_;
  if (!entry.is_mark) return entry;
  entry.length = 0;
  if (stored.data_bytes > sector_bytes_ - sizeof(stored)) {
    return fail(Errc::kCorrupt, "log of writes: a mark longer than its sector", at);
  }
  if (stored.data_bytes > log_->size_bytes() - at - sizeof(stored)) {
    return fail(Errc::kCorrupt, "log of writes: a mark past the end", at);
  }
  std::vector<std::uint8_t> text(std::min<std::uint64_t>(stored.data_bytes, kMarkBytesMax));
  TRY(log_->read_at(at + sizeof(stored), text));
  entry.mark.assign(text.begin(), text.end());
  return entry;
}

}  // namespace powercut::lab
