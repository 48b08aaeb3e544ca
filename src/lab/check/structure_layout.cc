#include "lab/check/structure_layout.h"

#include <algorithm>

namespace powercut::lab {
namespace {

// The superblock with all that may change while the layout stays as zero.
std::array<std::uint8_t, kSuperblockBytes> lasting_part(const Superblock& superblock) {
  Superblock part = superblock;
  part.free_blocks = 0;
  part.free_inodes = 0;
  part.mount_seconds = part.write_seconds = part.check_seconds = 0;
  part.mount_count = 0;
  part.state = 0;
  part.incompat &= ~static_cast<std::uint32_t>(Ext4Incompat::kRecover);
  part.ro_compat &= ~static_cast<std::uint32_t>(Ext4RoCompat::kOrphanPresent);
  part.last_mounted_bytes = {};
  part.label_bytes = {};
  part.last_orphan = InodeNo();
  part.kilobytes_written = 0;
  part.overhead_clusters = 0;
  part.error_count = 0;
  part.first_error = part.last_error = {};
  part.checksum = 0;
  std::array<std::uint8_t, kSuperblockBytes> bytes{};
  part.encode(bytes);
  return bytes;
}

bool has_same_places(const GroupDescriptor& a, const GroupDescriptor& b) {
  return a.block_bitmap == b.block_bitmap && a.inode_bitmap == b.inode_bitmap &&
         a.inode_table == b.inode_table;
}

}  // namespace

Result<Superblock> Layout::read_superblock(const StateImage& image) {
  const std::uint64_t bytes = image.block_count() * image.block_bytes();
  if (bytes < kSuperblockOffset + kSuperblockBytes) {
    return fail(Errc::kCorrupt, "superblock: the image is too small for one", bytes);
  }
  const BlockNo place(kSuperblockOffset / image.block_bytes());
  const std::size_t offset = kSuperblockOffset % image.block_bytes();
  if (image.block_bytes() < kSuperblockBytes) {
    return fail(Errc::kInvalid, "superblock: blocks smaller than ext4 has", image.block_bytes());
  }
  const auto superblock =
      TRY(Superblock::parse(image.bytes(place).subspan(offset, kSuperblockBytes), bytes));
  if (superblock.block_bytes() != image.block_bytes()) {
    return fail(Errc::kInvalid, "superblock: blocks of another size than the image's",
                superblock.block_bytes());
  }
  if (superblock.has(Ext4RoCompat::kBigalloc)) {
    return fail(Errc::kUnsupported, "superblock: bigalloc is not known to this judge");
  }
  // The names in encrypted directories are no names.
  if (superblock.has(Ext4Incompat::kEncrypt)) {
    return fail(Errc::kUnsupported, "superblock: encrypt is not known to this judge");
  }
  if (superblock.has(Ext4RoCompat::kSharedBlocks)) {
    return fail(Errc::kUnsupported, "superblock: shared_blocks is not known to this judge");
  }
  return superblock;
}

Result<GroupDescriptor> Layout::read_group(const StateImage& image, const Superblock& superblock,
                                           std::uint32_t group) {
  const std::uint32_t per_block = superblock.descriptors_per_block();
  const BlockNo place = superblock.descriptor_block(group / per_block);
  if (place.value() >= image.block_count()) {
    return fail(Errc::kCorrupt, "group descriptor: out of the file system", group);
  }
  const std::size_t offset = std::size_t{group % per_block} * superblock.descriptor_bytes;
  return GroupDescriptor::parse(image.bytes(place).subspan(offset, superblock.descriptor_bytes),
                                group, superblock);
}

Result<Layout> Layout::make(const StateImage& image) {
  Layout layout;
  layout.superblock_ = TRY(read_superblock(image));
  layout.lasting_ = lasting_part(layout.superblock_);
  const std::uint32_t groups = layout.superblock_.group_count();
  layout.groups_.reserve(groups);
  for (std::uint32_t group = 0; group < groups; ++group) {
    layout.groups_.push_back(TRY(read_group(image, layout.superblock_, group)));
  }
  layout.places_.resize(image.block_count());
  TRY(layout.add_tables());
  TRY(layout.add_groups());
  return layout;
}

Result<void> Layout::add(BlockNo first, std::uint64_t count, Place place) {
  for (std::uint64_t i = 0; i < count; ++i) {
    if (is_fixed(first + i)) {
      return fail(Errc::kCorrupt, "group descriptors: two structures on one block",
                  (first + i).value());
    }
    fixed_blocks_.push_back(first + i);
    places_[(first + i).value()] = place;
  }
  return {};
}

// Superblocks and descriptor tables lie at the front of their groups.
Result<void> Layout::add_tables() {
  TRY(add(superblock_.superblock_block(0), 1, {FixedRole::kSuperblock, 0}));
  for (std::uint32_t i = 0; i < superblock_.descriptor_block_count(); ++i) {
    const BlockNo block = superblock_.descriptor_block(i);
    if (superblock_.contains(block)) TRY(add(block, 1, {FixedRole::kDescriptors, i}));
  }
  const std::uint64_t most = std::uint64_t{2} + superblock_.descriptor_block_count() +
                             superblock_.reserved_descriptor_blocks;
  for (std::uint32_t group = 0; group < group_count(); ++group) {
    const BlockNo first = superblock_.first_block_of(group);
    const std::uint64_t end = std::min(most, superblock_.block_count_of(group));
    for (std::uint64_t i = 0; i < end; ++i) {
      const bool is_table = superblock_.fixed_block(first + i) != Superblock::Fixed::kNone;
      if (is_table && !is_fixed(first + i)) TRY(add(first + i, 1, {FixedRole::kUnread, group}));
    }
  }
  return {};
}

Result<void> Layout::add_groups() {
  for (std::uint32_t group = 0; group < group_count(); ++group) {
    const GroupDescriptor& descriptor = groups_[group];
    TRY(add(descriptor.block_bitmap, 1, {FixedRole::kBlockBitmap, group}));
    TRY(add(descriptor.inode_bitmap, 1, {FixedRole::kInodeBitmap, group}));
    TRY(add(descriptor.inode_table, superblock_.inode_table_blocks(),
            {FixedRole::kInodeTable, group}));
  }
  const BlockNo mmp = superblock_.mmp_block;
  const bool has_mmp = superblock_.has(Ext4Incompat::kMultiMountProtection);
  if (has_mmp && superblock_.contains(mmp)) TRY(add(mmp, 1, {FixedRole::kUnread, 0}));
  return {};
}

bool Layout::fits(const Superblock& other) const {
  return lasting_part(other) == lasting_;
}

bool Layout::fits(const GroupDescriptor& other) const {
  return has_same_places(groups_[other.index], other);
}

bool Layout::has_group_checksums() const {
  return superblock_.has_metadata_checksums() || superblock_.has(Ext4RoCompat::kGroupChecksum);
}

BlockNo Layout::inode_block(InodeNo number) const {
  const std::uint32_t index = (number.value() - 1) % superblock_.inodes_per_group;
  return groups_[group_of(number)].inode_table + index / superblock_.inodes_per_block();
}

std::uint32_t Layout::inode_offset(InodeNo number) const {
  const std::uint32_t index = (number.value() - 1) % superblock_.inodes_per_group;
  return index % superblock_.inodes_per_block() * superblock_.inode_bytes;
}

bool Layout::is_nameless(InodeNo number) const {
  if (number == kRootInode) return false;
  if (number < superblock_.first_inode) return true;
  if (superblock_.has(Ext4Compat::kOrphanFile) && number == superblock_.orphan_file_inode) {
    return true;
  }
  if (!superblock_.has(Ext4RoCompat::kQuota)) return false;
  return number == superblock_.user_quota_inode || number == superblock_.group_quota_inode ||
         number == superblock_.project_quota_inode;
}

}  // namespace powercut::lab
