#include "lab/record/log_writes.h"

namespace powercut::lab {
namespace {

// Requests longer than that are cut: what a power cut loses is a block, however long its request.
constexpr std::uint64_t kRequestBytesMax = std::uint64_t{1} << 20;

class Importer {
 public:
  Importer(const ByteStore& log, std::uint64_t disk_bytes, RecordingWriter& writer)
      : log_(log), writer_(writer) {
    counts_.disk_bytes = disk_bytes;
  }

  Result<LogCounts> run() {
    LogWritesReader reader = TRY(LogWritesReader::open(log_));
    while (const auto entry = TRY(reader.next())) TRY(take(*entry));
    counts_.is_cut = reader.is_cut();
    return counts_;
  }

 private:
  Result<void> take(const LogEntry& entry) {
    when_ = std::chrono::microseconds(++counts_.entries);
    if (entry.is_mark) {
      ++counts_.marks;
      writer_.on_mark(entry.mark, when_);
      return {};
    }
    if (entry.is_flush) {
      ++counts_.flushes;
      pass({RequestKind::kFlush, Durability::kCached, ++sequence_, 0, 0, {}});
    }
    if (entry.length == 0) return {};
    if (entry.offset > counts_.disk_bytes || entry.length > counts_.disk_bytes - entry.offset) {
      return fail(Errc::kCorrupt, "log of writes: a range past the end of its disk", entry.offset);
    }
    const auto durability = entry.is_fua ? Durability::kFua : Durability::kCached;
    ++(entry.is_discard ? counts_.discards : counts_.writes);
    if (entry.is_discard) {
      pass({RequestKind::kDiscard, durability, ++sequence_, entry.offset, entry.length, {}});
      return {};
    }
    return write(entry, durability);
  }
  Result<void> write(const LogEntry& entry, Durability durability) {
    std::vector<Request> parts;
    for (std::uint64_t done = 0; done < entry.length; done += data_.size()) {
      data_.resize(std::min(kRequestBytesMax, entry.length - done));
      TRY(log_.read_at(entry.data_at + done, data_));
      parts.push_back(
          {RequestKind::kWrite, durability, ++sequence_, entry.offset + done, data_.size(), data_});
      writer_.on_submitted(parts.back(), when_);
      parts.back().data = {};
    }
    for (const Request& part : parts) writer_.on_completed(part, when_);
    return {};
  }
  void pass(const Request& request) {
    writer_.on_submitted(request, when_);
    writer_.on_completed(request, when_);
  }

  const ByteStore& log_;
  RecordingWriter& writer_;
  LogCounts counts_;
  std::uint64_t sequence_ = 0;
  Nanoseconds when_{0};
  std::vector<std::uint8_t> data_;
};

}  // namespace

Result<std::uint64_t> disk_bytes_of_log(const ByteStore& log) {
  LogWritesReader reader = TRY(LogWritesReader::open(log));
  std::uint64_t end = 0;
  while (const auto entry = TRY(reader.next())) end = std::max(end, entry->offset + entry->length);
  return end;
}

Result<LogCounts> import_log(const ByteStore& log, std::uint64_t disk_bytes,
                             RecordingWriter& writer) {
  return Importer(log, disk_bytes, writer).run();
}

}  // namespace powercut::lab
