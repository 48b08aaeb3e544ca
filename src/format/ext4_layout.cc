// Where superblocks and group descriptors lie: what follows from the superblock alone.
//
//   a group with a superblock:  SB | descriptor table | reserved for its growth | ...
//   with meta_bg, from meta group first_meta_group on: a meta group is as many groups as one
//   descriptor block describes; that block is in its first, second and last group, after the
//   superblock if the group has one.
#include "format/ext4.h"

namespace powercut {
namespace {

bool is_power_of(std::uint32_t value, std::uint32_t base) {
  std::uint64_t power = base;
  while (power < value) power *= base;
  return power == value;
}

}  // namespace

BlockNo Superblock::first_block_of(std::uint32_t group) const {
  return first_data_block + std::uint64_t{group} * blocks_per_group;
}

std::uint64_t Superblock::block_count_of(std::uint32_t group) const {
  const std::uint64_t first = first_block_of(group).value();
  return block_count - first < blocks_per_group ? block_count - first : blocks_per_group;
}

std::uint32_t Superblock::group_of(BlockNo block) const {
  return static_cast<std::uint32_t>((block - first_data_block) / blocks_per_group);
}

bool Superblock::has_superblock(std::uint32_t group) const {
  if (group == 0) return true;
  if (has(Ext4Compat::kSparseSuper2)) {
    return group == backup_groups[0] || group == backup_groups[1];
  }
  if (group == 1 || !has(Ext4RoCompat::kSparseSuper)) return true;
  return is_power_of(group, 3) || is_power_of(group, 5) || is_power_of(group, 7);
}

BlockNo Superblock::superblock_block(std::uint32_t group) const {
  // The primary is at byte 1024: block 1 where blocks are that small, whatever the first block is.
  if (group == 0) return BlockNo(block_bytes() == kSuperblockOffset ? 1 : 0);
  return first_block_of(group);
}

BlockNo Superblock::descriptor_block(std::uint32_t index) const {
  if (!has(Ext4Incompat::kMetaBg) || index < first_meta_group) {
    return superblock_block(0) + 1 + index;
  }
  const std::uint32_t group = index * descriptors_per_block();
  if (group == 0) return superblock_block(0) + 1;
  return first_block_of(group) + (has_superblock(group) ? 1 : 0);
}

Superblock::Fixed Superblock::fixed_block(BlockNo block) const {
  if (block <= superblock_block(0)) return Fixed::kSuperblock;  // and the boot block before it
  if (!contains(block)) return Fixed::kNone;
  const std::uint32_t group = group_of(block);
  const bool has_copy = has_superblock(group);
  const BlockNo base = group == 0 ? superblock_block(0) : first_block_of(group);
  if (has_copy && block == base) return Fixed::kSuperblock;
  const std::uint64_t after = block - base - (has_copy ? 1 : 0);

  const bool is_meta = has(Ext4Incompat::kMetaBg);
  const std::uint32_t per_meta_group = descriptors_per_block();
  if (is_meta && group / per_meta_group >= first_meta_group) {
    const std::uint32_t place = group % per_meta_group;
    const bool has_table = place == 0 || place == 1 || place == per_meta_group - 1;
    return has_table && after == 0 ? Fixed::kDescriptors : Fixed::kNone;
  }
  if (!has_copy) return Fixed::kNone;
  const std::uint64_t table = is_meta ? first_meta_group : descriptor_block_count();
  if (after < table) return Fixed::kDescriptors;
  const std::uint64_t reserve = has(Ext4Compat::kResizeInode) ? reserved_descriptor_blocks : 0;
  return after < table + reserve ? Fixed::kReservedDescriptors : Fixed::kNone;
}

}  // namespace powercut
