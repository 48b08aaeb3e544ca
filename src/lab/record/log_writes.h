// Recordings from and to logs of dm-log-writes; docs/format-recording.md says what is kept.
#pragma once

#include "host/file.h"
#include "lab/record/log_writes_reader.h"
#include "lab/record/recording_reader.h"
#include "lab/record/recording_writer.h"

namespace powercut::lab {

struct LogCounts {
  std::uint64_t entries = 0, writes = 0, flushes = 0, discards = 0, marks = 0;
  std::uint64_t cut_marks = 0;  // export: longer than there is room for
  std::uint64_t disk_bytes = 0;
  bool is_cut = false;  // what was read ends in a part that is not whole
};

struct LogExportOptions {
  std::uint32_t sector_bytes = 512;
  File* base = nullptr;  // for what the disk held at first; null: as the first writes of the log
};

// `to` is new and empty; the base, if given, is all holes and as long as the disk.
// Writes come in the order of the document: a write when the flush that covers it completes, a
// write with FUA when it completes; what is left at the end, and the mark "dm-log-writes-end",
// last. Errors: kUnsupported: a request that is no whole number of sectors; kNoSpace, kIo; as the
// reader.
Result<LogCounts> export_log(RecordingReader& reader, File& to, const LogExportOptions& options);

// The length of the disk that all entries fit.
Result<std::uint64_t> disk_bytes_of_log(const ByteStore& log);
// Each entry becomes a request that is completed before the next is submitted: in such a log it was
// complete when it was logged.  The time is the entry's number, in microseconds.
// Errors: kCorrupt: an entry past the end of the disk; as LogWritesReader.
Result<LogCounts> import_log(const ByteStore& log, std::uint64_t disk_bytes,
                             RecordingWriter& writer);

}  // namespace powercut::lab
