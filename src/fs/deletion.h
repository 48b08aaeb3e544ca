// The end of an inode: its blocks are given up, and then itself.
//
// Invariants
//   1. An inode that is being given up is an orphan, so that a power cut between two of the
//      transactions that this takes leaves to recovery what is not done.
//   2. A node whose inode was given up has no links and no blocks; whoever still holds it finds
//      that out under its lock.
//
// Threads: any.
#pragma once

#include "fs/node.h"

namespace powercut::fs {

// Whether this writer can give it up.  Errors: kUnsupported: blocks mapped by indirect blocks;
// attributes whose values are in inodes.
Result<void> check_can_be_deleted(Core& core, const Node& node) REQUIRES_SHARED(node.lock);

// Deletes the inode if it has no links and is not open.  True if it did.
// Errors: damage, and those of the device: it stays an orphan.
Result<bool> delete_if_unused(Core& core, const NodeRef& node);

// The same, and what cannot be deleted here is left to finish_deletions(): in an atomic section it
// may take more than is left of that (no error), or the device may fail.
Result<void> delete_now_or_later(Core& core, const NodeRef& node);
// Tries once more what could not be deleted: after a section, and before an unmount.
void finish_deletions(Core& core);

// An orphan with links: gives up what lies behind its size, and is no orphan any more.
Result<void> finish_truncate(Core& core, Node& node) EXCLUDES(node.lock);

}  // namespace powercut::fs
