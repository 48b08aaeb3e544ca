// A transaction as it lies in the log: which bytes go to which log block.
//
// Pure: contents in, blocks out; nothing is written here.  Blocks that are logged as they are are
// not copied; one that begins with the journal's magic is (escaped).
//
// Order in the log: revoke blocks, then descriptors each with its blocks, then the commit block.
#pragma once

#include <vector>

#include "buffer/content.h"
#include "format/jbd2.h"
#include "journal/transaction.h"

namespace powercut {

struct LogImage {
  struct Block {
    LogBlock log;
    Content content;
  };
  std::vector<Block> blocks;  // in log order, without the commit block
  LogBlock commit;            // where that goes
  LogBlock next;              // where the next transaction begins
  std::uint32_t sum = 0;      // kV1: crc32_be over `blocks`, for the commit block
  // Of the data blocks: position in `blocks`, the home block, and the checksum in its tag.
  struct Tagged {
    std::size_t position = 0;
    BlockNo home;
    std::uint32_t checksum = 0;
  };
  std::vector<Tagged> tagged;
};

// The ring that a transaction is laid into: [first, end).
struct LogRing {
  LogBlock first, end;
};

// How many log blocks a transaction of `blocks` logged blocks and `revokes` revoked ones takes.
std::uint32_t log_blocks_needed(std::uint64_t blocks, std::uint64_t revokes,
                                const JournalFormat& format);

// Lays `transaction` (tid, logged, revokes) into the ring from `start` on.  With kV1 it has no
// revokes: no checksum would cover them (CHECK).
LogImage lay_out(const Transaction& transaction, LogBlock start, const LogRing& ring,
                 const JournalFormat& format);

// The commit block of `image`; `wall_time`: since 1970.
Content commit_block(const LogImage& image, Tid tid, Nanoseconds wall_time,
                     const JournalFormat& format);

// Computes each checksum once more over what is to be written.  Errors: kChecksum, "checksum
// changed (tag3: 0x..., calc: 0x...)" with the home block as `where`; with kV1 "checksum changed
// (sum: ...)" with the commit block's log block.
Result<void> verify_checksums(const LogImage& image, Tid tid, const JournalFormat& format);

}  // namespace powercut
