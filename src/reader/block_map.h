// Where the blocks of one inode lie: in an extent tree or in indirect blocks.
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
// it.  An inode without a block map (inline data, short symlink, device) has no runs.
// Errors: as Volume::for_each_run.
Result<bool> walk_block_map(const Volume& volume, InodeNo number, const Inode& inode,
                            const FileRange& range, const Volume::RunVisitor& run,
                            const Volume::TreeVisitor& tree = {});

}  // namespace powercut
