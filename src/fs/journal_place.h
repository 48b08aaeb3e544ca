// Where the journal of a file system lies that is to be written, and what a mount does to it first.
#pragma once

#include "block/block_device.h"
#include "format/ext4.h"
#include "format/jbd2.h"
#include "recovery/journal_map.h"

namespace powercut::fs {

// The blocks of the journal's inode.  Errors: kUnsupported: no journal inside; kCorrupt, kChecksum,
// kIo.
Result<JournalMap> find_journal(BlockDevice& device, const Superblock& shape);

// Replays and empties the log, as Linux does at a mount, and says so in both superblocks.  A log
// that is not empty although needs_recovery is not set is emptied without a look.
// Errors: kCorrupt: the recovery is refused; the log stays as it is; kUnsupported: fast commits;
// kChecksum, kIo.
Result<void> recover_journal(BlockDevice& device, const JournalMap& map, const Superblock& shape);

// The journal's superblock as it lies on the device.  Errors: as JournalSuperblock::parse; kIo.
Result<JournalSuperblock> read_journal_superblock(const BlockView& device, const JournalMap& map);

// The first transaction number beyond all that lie in the ring, and beyond what the superblock
// expects: with it, nothing old can be taken for part of the new log.  Reads the whole log.
// Errors: kIo.
Result<Tid> first_unused_tid(const BlockView& device, const JournalMap& map,
                             const JournalSuperblock& superblock);

}  // namespace powercut::fs
