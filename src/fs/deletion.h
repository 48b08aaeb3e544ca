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

// An orphan with links: gives up what lies behind its size, and is no orphan any more.
Result<void> finish_truncate(Core& core, Node& node) EXCLUDES(node.lock);

}  // namespace powercut::fs
