// What the parts of an operation on names, inodes and attributes may change at most, in blocks: an
// operation reserves the sum of its parts.  Directories' are in directory.h, those of extent trees
// in extent_map.h, those of groups in groups.h.
#pragma once

#include "fs/groups.h"
#include "fs/orphans.h"

namespace powercut::fs {

// An inode, in its block of the inode table.
inline constexpr Credits kStoreCredits{1};

// An inode is taken from its group, and stored.
inline constexpr Credits kNewInodeCredits{Groups::kAllocateCredits + 1};

// A block of attributes is given up: its group's bitmap and descriptor; or it is another inode's,
// too, and only counts one less.  So at most:
inline constexpr Credits kDropAttributesCredits{Groups::kReleaseCredits + 1};

// Attributes are changed: those in the inode are stored with it; a block of them is made, the one
// before it given up, and the superblock says that there are some (ext_attr).
inline constexpr Credits kSetAttributesCredits{Groups::kAllocateCredits + 1 +
                                               kDropAttributesCredits.value() + 1};

// The last of an inode: its attributes, its place among the orphans, its bit in its group.
inline constexpr Credits kGiveUpInodeCredits{kDropAttributesCredits.value() +
                                             Orphans::kCredits.value() + Groups::kReleaseCredits};

// The last of a truncate: the end of the last block, and the place among the orphans.
inline constexpr Credits kFinishTruncateCredits{1 + Orphans::kCredits.value()};

// The sum of parts.
template <class... Parts>
constexpr Credits sum_of(Parts... parts) {
  return Credits((parts.value() + ...));
}

}  // namespace powercut::fs
