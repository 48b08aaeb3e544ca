// Walks the blocks and entries of one directory, linear or htree, in the order of its blocks.
#pragma once

#include "reader/volume.h"

namespace powercut {

// Called with each block before it is read; false stops the walk.
using DirectoryBlockVisitor = std::function<bool(BlockNo)>;

// Returns false if a visitor stopped it.  At most as many blocks as the file system has are read.
// Errors: kInvalid: no directory; else as Volume::for_each_entry.
Result<bool> walk_directory(const Volume& volume, InodeNo number, const Inode& inode,
                            const Volume::EntryVisitor& visit,
                            const DirectoryBlockVisitor& block = {});

}  // namespace powercut
