// What the parsers and encoders of descriptor, revoke and commit blocks share.  Private to them.
#pragma once

#include "format/jbd2.h"

namespace powercut {

// The words of the three errors of a block header, so that an error names its block.
struct HeaderWords {
  const char* magic;
  const char* type;
  const char* tid;
};

// `block` must be one whole log block that begins with this header.
Result<void> check_journal_header(Bytes block, const JournalFormat& format, JournalBlockType type,
                                  Tid expected, const HeaderWords& words);
// Zeroes `block` (one whole log block: CHECK) and writes the header.
void begin_journal_block(MutableBytes block, const JournalFormat& format, JournalBlockType type,
                         Tid tid);
// Writes the checksum at the end of a descriptor or revoke block, if the format has one.
void seal_tail(MutableBytes block, const JournalFormat& format);

}  // namespace powercut
