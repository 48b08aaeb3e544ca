// Walks the indirect blocks of one inode without extents: 12 direct blocks, then a single, a double
// and a triple indirect block, as ext2 has them.
//
//   block area   0 ... 11   12        13        14         (32-bit block numbers; 0: a hole)
//                direct     single    double    triple
//   A block of B bytes holds N = B / 4 numbers; so the file blocks below each are
//                12         N         N * N     N * N * N
//
// Nothing in an indirect block says what it is, so any block may be taken for one.  A walk ends
// whatever they hold: each level goes down one, no block is read below itself, and no more indirect
// blocks and no more mapped blocks are visited than the file system has blocks: more than that, and
// some block is mapped twice.
#pragma once

#include "reader/block_map.h"

namespace powercut {

// As walk_block_map, for an inode without kExtents.  Blocks of one indirect block that lie one
// after another on the device become one run; runs are cut off at the ends of `range`.  No block is
// unwritten.  Blocks past the file's size are visited too.  Indirect blocks have no checksum.
// Errors also kCorrupt: a size that no map can reach; a block that is below itself; more blocks
// than the file system has.
Result<bool> walk_indirect(const Volume& volume, InodeNo number, const Inode& inode,
                           const FileRange& range, const Volume::RunVisitor& run,
                           const Volume::TreeVisitor& tree = {});

}  // namespace powercut
