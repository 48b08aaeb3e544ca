// Checks one transaction of a ring: every descriptor, revoke block, tag, and the commit block.
//
// The walk reads the log as a recovery would: from the transaction's first block to its commit
// block, each descriptor followed by the blocks that it names.  Where a block is damaged the walk
// goes on at the next header of this transaction that was seen in the stream, and what a damaged
// descriptor says is not believed: so one damaged block gives one finding.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "lab/verify/finding.h"
#include "lab/verify/journal_ring.h"

namespace powercut::lab {

// A log block that began with the journal's magic when it was written.
struct SeenHeader {
  LogBlock log;
  JournalHeader header;
};

struct TransactionSpan {
  Tid tid;
  std::optional<LogBlock> start;   // its first block, where that is known
  std::optional<LogBlock> commit;  // its commit block; absent if none was recognised
};

struct CheckedTransaction {
  Tid tid;
  LogBlock commit;  // where it is or, by the walk, should be
  std::uint64_t commit_seconds = 0;
  std::uint32_t block_count = 0;     // data blocks that have tags
  std::uint32_t verified_count = 0;  // of these, compared with a checksum of their own
  std::uint32_t descriptor_count = 0, revoke_block_count = 0, revoke_count = 0;
  std::uint32_t escaped_count = 0;
  std::vector<Finding> findings;  // kind, log_block, home, stored, computed, index, rule
};

// `seen` are the headers seen since the last commit, in the order in which they came; those of
// other transactions, and data that only looks like one, are passed over. Errors: kIo only: damage
// is a finding.
Result<CheckedTransaction> check_transaction(JournalRing& ring, const TransactionSpan& span,
                                             std::span<const SeenHeader> seen);

}  // namespace powercut::lab
