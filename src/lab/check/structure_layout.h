// Where the fixed structures of a file system lie, as superblock and group descriptors say.
//
// Words
//   fixed      superblocks, descriptor tables, their reserve, bitmaps, inode tables, the
//   multi-mount
//              block: blocks that belong to no inode
//   role       what a fixed block is read as
//
// What changes while a file system is in use (counts, times, state) is no part of a layout; all
// that tells where and how to read is, so a judge that sees another layout begins anew.
// Threads: const.
#pragma once

#include <vector>

#include "format/ext4.h"
#include "lab/check/state_judge.h"

namespace powercut::lab {

enum class FixedRole : std::uint8_t {
  kNone,         // not fixed
  kUnread,       // fixed, but nothing that a mount reads: copies, reserve
  kSuperblock,   // the primary
  kDescriptors,  // of the primary table
  kBlockBitmap,
  kInodeBitmap,
  kInodeTable,
};

class Layout {
 public:
  // Errors: as Superblock::parse and GroupDescriptor::parse; kCorrupt: two structures on one block;
  // kUnsupported: bigalloc, encryption, shared blocks; kInvalid: the image's blocks have another
  // size.
  static Result<Layout> make(const StateImage& image);
  // The superblock alone, as `make` takes it.
  static Result<Superblock> read_superblock(const StateImage& image);
  // The descriptor of a group; its checksum is looked at.
  static Result<GroupDescriptor> read_group(const StateImage& image, const Superblock& superblock,
                                            std::uint32_t group);

  // Whether both lead to the same layout (the descriptors' part: the same group).
  bool fits(const Superblock& other) const;
  bool fits(const GroupDescriptor& other) const;

  const Superblock& superblock() const { return superblock_; }
  std::uint32_t group_count() const { return static_cast<std::uint32_t>(groups_.size()); }
  // Only the places in it are meant; counts and flags are those of the image it was made of.
  const GroupDescriptor& group(std::uint32_t index) const { return groups_[index]; }
  FixedRole role(BlockNo block) const { return places_[block.value()].role; }
  // Of a bitmap or a table's block: the group.  Of a descriptor block: its index in the table.
  std::uint32_t index(BlockNo block) const { return places_[block.value()].index; }
  // Each once.
  const std::vector<BlockNo>& fixed_blocks() const { return fixed_blocks_; }
  bool is_fixed(BlockNo block) const { return role(block) != FixedRole::kNone; }
  bool has_group_checksums() const;

  // Where an inode is stored; `number` is one of the file system.
  BlockNo inode_block(InodeNo number) const;
  std::uint32_t inode_offset(InodeNo number) const;  // bytes, in that block
  Bytes inode_bytes(const StateImage& image, InodeNo number) const {
    return image.bytes(inode_block(number)).subspan(inode_offset(number), superblock_.inode_bytes);
  }
  std::uint32_t group_of(InodeNo number) const {
    return (number.value() - 1) / superblock_.inodes_per_group;
  }
  bool has_inode(InodeNo number) const {
    return number.value() != 0 && number.value() <= superblock_.inode_count;
  }
  // Inodes that need no name: the reserved ones but the root, the orphan file, quota.
  bool is_nameless(InodeNo number) const;

 private:
  struct Place {
    FixedRole role = FixedRole::kNone;
    std::uint32_t index = 0;
  };
  Result<void> add(BlockNo first, std::uint64_t count, Place place);
  Result<void> add_tables();
  Result<void> add_groups();

  Superblock superblock_;
  std::array<std::uint8_t, kSuperblockBytes> lasting_{};  // the superblock without what changes
  std::vector<GroupDescriptor> groups_;
  std::vector<Place> places_;  // by block
  std::vector<BlockNo> fixed_blocks_;
};

}  // namespace powercut::lab
