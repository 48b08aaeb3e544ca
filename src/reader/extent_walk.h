// Walks the extent tree of one inode.
//
// A tree is walked with a window of file blocks for each node: what lies in the subtree lies in the
// window, which the keys above give.  Windows of one level do not meet, and every node below the
// root has an entry in its window; so no block is visited twice, whatever the pointers say.
#pragma once

#include "reader/block_map.h"

namespace powercut {

// As walk_block_map, for an inode with kExtents.
Result<bool> walk_extents(const Volume& volume, InodeNo number, const Inode& inode,
                          const FileRange& range, const Volume::RunVisitor& run,
                          const Volume::TreeVisitor& tree = {});

}  // namespace powercut
