// Content that lies in the inode itself (inline_data): the block area holds the first 60 bytes, the
// attribute "system.data" in the inode the rest.
#pragma once

#include "reader/volume.h"

namespace powercut {

// The content of an inode with kInlineData as far as it is stored: at most inode.size bytes, the
// rest reads as zero.  For a directory the block area holds the parent's number in its first 4
// bytes, then records; the rest holds records again.
// Errors: kCorrupt: no "system.data"; kIo.
Result<std::vector<std::uint8_t>> read_inline_data(const Volume& volume, InodeNo number,
                                                   const Inode& inode);

// Calls visit for every entry of a directory with kInlineData, with "." and ".." as a directory in
// blocks has them.  Returns false if the visitor stopped it.  Errors: as Volume::for_each_entry;
// kCorrupt also for a size that is not that of what is stored.
Result<bool> walk_inline_directory(const Volume& volume, InodeNo number, const Inode& inode,
                                   const Volume::EntryVisitor& visit);

}  // namespace powercut
