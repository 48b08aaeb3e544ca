// Reads a log of dm-log-writes or blklogwrites, entry by entry.  Nothing read is trusted.
// Threads: none of its own.
#pragma once

#include <optional>
#include <string>

#include "base/byte_store.h"

namespace powercut::lab {

struct LogEntry {
  bool is_flush = false;  // a flush, before the rest
  bool is_fua = false, is_discard = false, is_mark = false;
  std::uint64_t offset = 0, length = 0;  // on the disk, bytes; of a mark or a flush alone: 0
  std::uint64_t data_at = 0;             // of a write: where its `length` bytes are in the log
  std::string mark;
};

class LogWritesReader {
 public:
  // Errors: kCorrupt: no such log; kUnsupported: a version or a sector that is not known; kIo.
  static Result<LogWritesReader> open(const ByteStore& log);
  std::uint32_t sector_bytes() const { return sector_bytes_; }
  std::uint64_t entry_count() const { return entry_count_; }  // that the super counts
  // The next entry; nullopt behind the last.  Errors: kCorrupt: it breaks the format; kUnsupported:
  // flags that are not known; kIo.
  Result<std::optional<LogEntry>> next();
  // The log ends before its last entry does.
  bool is_cut() const { return is_cut_; }

 private:
  explicit LogWritesReader(const ByteStore& log) : log_(&log) {}
  Result<LogEntry> entry_at(std::uint64_t at) const;

  const ByteStore* log_;
  std::uint32_t sector_bytes_ = 0;
  std::uint64_t entry_count_ = 0, read_count_ = 0;
  std::uint64_t at_ = 0;  // of the next entry
  bool is_cut_ = false;
};

}  // namespace powercut::lab
