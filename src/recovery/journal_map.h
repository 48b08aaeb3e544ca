// Where each block of a journal lies on its device: a list of runs, and the way back.
// Immutable once made; the ways there and back cost a binary search over the runs (one to three on
// a fresh file system).
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/units.h"

namespace powercut {

class JournalMap {
 public:
  struct Run {
    LogBlock log;
    BlockNo device;
    std::uint32_t count = 0;  // blocks
  };
  // `runs` in any order.  Home blocks are those below `device_blocks`, or below `home_blocks` where
  // the journal lies behind the file system (an external one, on a JoinedDevice).
  // Errors: kCorrupt: a hole or an overlap in the journal, two log blocks in one device block, a
  // run past `device_blocks`; kLimit: more than 2^31 blocks.
  static Result<JournalMap> make(std::vector<Run> runs, std::uint32_t block_bytes,
                                 std::uint64_t device_blocks,
                                 std::optional<std::uint64_t> home_blocks = std::nullopt);

  std::uint32_t block_bytes() const { return block_bytes_; }
  std::uint32_t block_count() const { return block_count_; }
  // Blocks of the file system's own device: a logged block is one of them.
  std::uint64_t home_blocks() const { return home_blocks_; }
  // `log` < block_count().
  BlockNo device_block(LogBlock log) const;
  // How many blocks from `log` on lie one after another on the device: at least 1.
  std::uint32_t run_length(LogBlock log) const;
  std::optional<LogBlock> log_block(BlockNo device) const;
  // The first and one past the last device block of the journal: a quick "surely not".
  BlockNo lowest() const { return lowest_; }
  BlockNo end() const { return end_; }
  const std::vector<Run>& runs() const { return by_log_; }

 private:
  const Run& run_of(LogBlock log) const;

  std::uint32_t block_bytes_ = 0;
  std::uint32_t block_count_ = 0;
  std::uint64_t home_blocks_ = 0;
  BlockNo lowest_, end_;
  std::vector<Run> by_log_, by_device_;
};

}  // namespace powercut
