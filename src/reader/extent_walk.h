// Walks the extent tree of one inode.
//
// A tree is walked with a window of file blocks for each node: what lies in the subtree lies in the
// window, which the keys above give.  Windows of one level do not meet, and every node below the
// root has an entry in its window; so no block is visited twice, whatever the pointers say.
#pragma once

#include "reader/volume.h"

namespace powercut {

// [first, end) of file blocks.
struct FileRange {
  std::uint64_t first = 0;
  std::uint64_t end = std::uint64_t{1} << 32;
};

// Calls `run` for the runs that meet `range`, whole, in ascending order, and `tree` (if given) for
// the tree's blocks on the way to them, before they are read.  Returns false if a visitor stopped
// it. Errors: as Volume::for_each_run.
Result<bool> walk_extents(const Volume& volume, InodeNo number, const Inode& inode,
                          const FileRange& range, const Volume::RunVisitor& run,
                          const Volume::TreeVisitor& tree = {});

}  // namespace powercut
