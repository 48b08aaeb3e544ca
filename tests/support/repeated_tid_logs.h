// Logs in which a tid comes more than once, written as a line of text, one word a part:
//
//   "0 1 2c 2 3"    transactions 0 and 1; transaction 2, its commit block damaged; blocks with the
//                   tid of 2 once more, and their commit block; transaction 3
//
// A part is a transaction of one block (part i logs pool block +i).  Behind its tid, counted from
// the first, letters say what is wrong with it:
//   c  a flipped bit in the commit block's checksum      t  one behind the commit block's header
//   d  one in the descriptor                             x  one in the data block
//   n  no commit block                                   o  a commit time before that of part 0
//   e  a commit time a second after that of part 0
//   r  revokes pool block +0                             R  the same; the count goes past the block
//   Q  the same; the count ends with the block, where with v2 and v3 its checksum is
//   s  v1: its commit block's sum is over all blocks of that tid so far
#pragma once

#include "tests/support/damaged_logs.h"

namespace powercut::testing {

// Named "tids TEXT".
std::vector<DamagedLog> repeated_tid_logs();

}  // namespace powercut::testing
