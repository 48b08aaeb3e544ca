// Where attributes lie in an inode or in a block: entries from the front, values from the end.
//
// Threads: pure functions.
#pragma once

#include <vector>

#include "format/ext4_xattr.h"

namespace powercut::fs {

// Bytes for entries, their end, and values.
std::size_t body_room(const Superblock& shape, const Inode& inode);
std::size_t block_room(const Superblock& shape);
bool fits(const std::vector<XattrEntry>& entries, std::size_t room);
// As Linux looks for them.
void sort_for_block(std::vector<XattrEntry>& entries);

// Writes the attributes behind the fixed part of the inode; none: their magic goes, too.
void write_body(const Superblock& shape, const Inode& inode, std::vector<XattrEntry> entries,
                MutableBytes stored);
// Writes a block that one inode has.
void write_block(const Superblock& shape, BlockNo place, std::vector<XattrEntry> entries,
                 MutableBytes block);

}  // namespace powercut::fs
