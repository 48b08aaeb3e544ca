// What a transaction says of itself in the ring: its blocks, whose homes they are, its revokes.
//
// Checksums of data are not looked at (that is the `tag` judge's): a descriptor or revoke block is
// believed only if its own checksum is right.
#pragma once

#include <vector>

#include "lab/verify/journal_ring.h"

namespace powercut::lab {

struct WalkedBlock {
  BlockNo home;
  LogBlock log;
  std::uint32_t checksum = 0;  // of its tag
  bool is_escaped = false;
};

struct WalkedTransaction {
  std::vector<WalkedBlock> blocks;
  std::vector<BlockNo> revokes;
  std::vector<LogBlock> headers;  // descriptor and revoke blocks
  // False: it could not be read up to its commit block, and what is here is only a part.
  bool is_readable = false;
};

// Walks from `start` up to `commit`.  Bounded by the ring.
WalkedTransaction walk_transaction(JournalRing& ring, Tid tid, LogBlock start, LogBlock commit);

// The block as it is at home: with the journal's magic, if it was escaped.
void unescape(MutableBytes block, bool is_escaped);
void escape(MutableBytes block, bool is_escaped);

}  // namespace powercut::lab
