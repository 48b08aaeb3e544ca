// What holds for inodes whatever is done to them: link counts, flags, times, what a new one has of
// its directory.
//
// Threads: REQUIRES the node's lock, as said.
#pragma once

#include "fs/node.h"

namespace powercut::fs {

inline constexpr std::uint32_t kLinksMax = 65000;  // EXT4_LINK_MAX
inline constexpr std::uint32_t kImmutableFlag = 0x10, kAppendFlag = 0x20;
inline constexpr std::uint16_t kSetUid = 04000, kSetGid = 02000, kGroupExecutes = 010;
inline constexpr std::uint16_t kPermissionBits = 07777;

// As directories say it; 0 without the filetype feature.
std::uint8_t file_type_of(const Superblock& shape, InodeType type);
// kNone: a directory does not say it.
InodeType type_of_file_type(std::uint8_t file_type);

// Whether names in it may be changed.  Errors: kNotDirectory; kNotFound: it was removed;
// kNotPermitted: immutable, or append only and `takes_away`.
Result<void> check_changeable_directory(const Node& directory, bool takes_away)
    REQUIRES_SHARED(directory.lock);
// Whether what it is may be changed.  Errors: kNotFound: it was deleted; kNotPermitted.
Result<void> check_changeable(const Node& node) REQUIRES_SHARED(node.lock);

// A directory gets another one, or loses one.  With dir_nlink a count of 1 stands for many.
// Errors: kLimit.
Result<void> check_one_more_directory(const Core& core, const Node& parent)
    REQUIRES_SHARED(parent.lock);
void count_directory_up(Node& parent) REQUIRES(parent.lock);
void count_directory_down(Node& parent) REQUIRES(parent.lock);

void names_changed(const Core& core, Node& directory) REQUIRES(directory.lock);
void inode_changed(const Core& core, Node& node) REQUIRES(node.lock);

// What a new inode in `directory` begins with: times, flags and group as it inherits them, an empty
// extent tree where it has one; one link, a directory two.
struct NewInodeWords {
  std::uint16_t mode = 0;  // type and permissions
  std::uint32_t uid = 0, gid = 0;
};
Inode new_inode(const Core& core, const Node& directory, const NewInodeWords& what)
    REQUIRES_SHARED(directory.lock);

// An empty extent tree, in the block area.
void begin_extent_tree(Inode& inode);

// Device numbers, as they lie in the block area.
void put_device(std::uint32_t major, std::uint32_t minor, Inode& inode);
struct DevicePair {
  std::uint32_t major = 0, minor = 0;
};
DevicePair device_of(const Inode& inode);

}  // namespace powercut::fs
