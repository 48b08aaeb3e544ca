// Log blocks of a journal that lies on a device: one at a time, or many in one read.
#pragma once

#include <algorithm>
#include <vector>

#include "block/block_device.h"
#include "recovery/journal_map.h"

namespace powercut {

class LogReader {
 public:
  // Both must outlive the reader.
  LogReader(const BlockView& device, const JournalMap& map) : device_(device), map_(map) {}

  std::uint32_t block_bytes() const { return map_.block_bytes(); }
  const JournalMap& map() const { return map_; }
  // Home blocks are below it.
  std::uint64_t home_blocks() const { return map_.home_blocks(); }

  // Reads the log block(s) from `log` on that `into` has room for (whole blocks), in as few reads
  // as they lie in runs.  Errors: kIo, or what the device says.
  Result<void> read(LogBlock log, MutableBytes into) const;

 private:
  const BlockView& device_;
  const JournalMap& map_;
};

// Log blocks that are looked at one after another, read ahead of that in pieces of 64 KiB.
class LogWindow {
 public:
  static constexpr std::uint32_t kWindowBytes = 64 * 1024;
  // `reader` must outlive the window.  It never reads at or past `end`.  With `reads_ahead` false
  // each block is read alone.
  LogWindow(const LogReader& reader, LogBlock end, bool reads_ahead);

  // One log block, before `end`; valid until the next call.  Errors: as LogReader::read, of this
  // block: trouble with a block ahead of it shows when that one is asked for.
  Result<Bytes> block(LogBlock log);

 private:
  Result<void> fill(LogBlock first);

  const LogReader& reader_;
  const LogBlock end_;
  std::vector<std::uint8_t> bytes_;
  LogBlock first_;           // what `bytes_` begins with
  std::uint32_t count_ = 0;  // blocks of `bytes_` that are filled
};

}  // namespace powercut
