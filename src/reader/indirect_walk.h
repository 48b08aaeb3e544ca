// Walks the indirect blocks of one inode without extents: 12 direct blocks, then a single, a double
// and a triple indirect block, as ext2 has them.
#pragma once

#include "reader/block_map.h"

namespace powercut {

// As walk_block_map, for an inode without kExtents.  Blocks that lie one after another on the
// device become one run, up to a bound; no block is unwritten.  Indirect blocks have no checksum.
Result<bool> walk_indirect(const Volume& volume, InodeNo number, const Inode& inode,
                           const FileRange& range, const Volume::RunVisitor& run,
                           const Volume::TreeVisitor& tree = {});

}  // namespace powercut
