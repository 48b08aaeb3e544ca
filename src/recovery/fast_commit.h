// The fast-commit area: recognised, and refused by name.
//
// It lies behind the ring and holds little-endian records (tag, length, value).  Linux replays it
// after the ring if its first record is a head with the tid that comes after the last whole
// transaction; anything else there is left over.  To ignore such an area would drop what was
// fsynced.
#pragma once

#include "format/jbd2.h"
#include "recovery/log_reader.h"

namespace powercut {

// Errors: kUnsupported: there are fast commits after `next_tid`'s predecessor (`where` is the tid);
// reading the device.  Without the feature nothing is read.
Result<void> refuse_fast_commits(const LogReader& reader, const JournalSuperblock& superblock,
                                 Tid next_tid);

}  // namespace powercut
