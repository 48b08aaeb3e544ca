// Log blocks of a journal that lies on a device.
#pragma once

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

  // Reads one log block; `into` is one block.  Errors: kIo, or what the device says.
  Result<void> read(LogBlock log, MutableBytes into) const {
    return device_.read(map_.device_block(log).value() * block_bytes(), into);
  }

 private:
  const BlockView& device_;
  const JournalMap& map_;
};

}  // namespace powercut
