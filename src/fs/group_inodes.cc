// Inodes: in which group a new one lies, and how it is given back.
#include <algorithm>

#include "base/crc32c.h"
#include "fs/groups.h"

namespace powercut::fs {

// Near its directory, where blocks are free, too.
std::uint32_t Groups::group_for_file(std::uint32_t parent_group) const {
  std::uint32_t with_inode = parent_group;
  for (std::uint32_t i = 0; i < group_count(); ++i) {
    const std::uint32_t at = (parent_group + i) % group_count();
    const Group& group = *groups_[at];
    if (group.is_damaged || group.free_inodes == 0) continue;
    if (group.free_blocks > 0) return at;
    if (groups_[with_inode]->free_inodes == 0) with_inode = at;
  }
  return with_inode;
}

// Those of the root spread: to the group with the fewest directories among those that have at least
// the average of free inodes and blocks.  Others stay near their parent while there is room for
// what will be in them.
std::uint32_t Groups::group_for_directory(InodeNo parent) const {
  const std::uint32_t count = group_count();
  const std::uint32_t near = (parent.value() - 1) / core_.shape.inodes_per_group;
  const std::uint32_t inodes =
      parent == kRootInode ? free_inodes() / count : core_.shape.inodes_per_group / 16;
  const std::uint64_t blocks =
      parent == kRootInode ? free_blocks() / count : core_.shape.blocks_per_group / 8;
  const Group* best = nullptr;
  for (std::uint32_t i = 0; i < count; ++i) {
    const Group& group = *groups_[(near + i) % count];
    if (group.is_damaged || group.free_inodes == 0) continue;
    if (group.free_inodes < inodes || group.free_blocks < blocks) continue;
    if (parent != kRootInode) return group.index;
    if (best == nullptr || group.directories < best->directories) best = &group;
  }
  return best != nullptr ? best->index : group_for_file(near);
}

// Both bitmaps: the first inode of a group makes its block bitmap one that was written.
Result<bool> Groups::load_for_inode(Group& group) {
  const bool has_inodes = TRY(load_inode_bitmap(group));
  return has_inodes && TRY(load_block_bitmap(group));
}

Result<InodeNo> Groups::allocate_inode(Handle& handle, InodeNo parent, bool is_directory) {
  const std::uint32_t near = (parent.value() - 1) / core_.shape.inodes_per_group;
  const std::uint32_t first = is_directory ? group_for_directory(parent) : group_for_file(near);
  for (std::uint32_t i = 0; i < group_count(); ++i) {
    Group& group = *groups_[(first + i) % group_count()];
    if (group.free_inodes == 0 || !TRY(load_for_inode(group))) continue;
    const auto index = take_inode(handle, group, is_directory);
    if (!index) continue;
    --free_inodes_;
    return InodeNo(group.index * core_.shape.inodes_per_group + *index + 1);
  }
  return fail(Errc::kNoSpace, "file system: no inode left");
}

std::optional<std::uint32_t> Groups::take_inode(Handle& handle, Group& group, bool is_directory) {
  const std::uint32_t per_group = core_.shape.inodes_per_group;
  Lock lock(group.mutex);
  std::uint32_t index = 0;
  {
    const Content bitmap = group.inode_bitmap->snapshot();
    const FreeBits bits(bitmap.bytes(), {}, per_group);
    const std::uint32_t reserved =
        group.index == 0 ? core_.shape.first_inode.value() - 1 : 0;  // never a file's
    index = bits.next_free(std::min(reserved, per_group));
  }
  if (index == per_group) return std::nullopt;
  --group.descriptor.free_inodes;
  if (is_directory) ++group.descriptor.used_directories;
  if (has_group_checksums_) {
    group.descriptor.itable_unused =
        std::min(group.descriptor.itable_unused, per_group - index - 1);
    group.descriptor.flags &=
        static_cast<std::uint16_t>(~static_cast<unsigned>(GroupFlag::kInodesUninitialised));
    if (group.descriptor.has(GroupFlag::kBlocksUninitialised)) {
      write_block_bitmap(handle, group, BitRun{}, true);
    }
  }
  write_inode_bitmap(handle, group, index, true);
  return index;
}

void Groups::write_inode_bitmap(Handle& handle, Group& group, std::uint32_t index, bool is_used) {
  const std::uint32_t seed = core_.shape.checksum_seed();
  const std::size_t covered = core_.shape.inodes_per_group / 8;
  const bool has_checksum = core_.shape.has_metadata_checksums();
  std::uint32_t checksum = 0;
  handle.change(group.inode_bitmap, [&](MutableBytes bitmap) {
    put_bits(bitmap, {index, 1}, is_used);
    if (has_checksum) checksum = crc32c(seed, Bytes(bitmap).first(covered));
  });
  if (has_checksum) group.descriptor.inode_bitmap_checksum = checksum;
  write_descriptor(handle, group);
}

Result<void> Groups::release_inode(Handle& handle, InodeNo number, bool is_directory) {
  if (number < core_.shape.first_inode || number.value() > core_.shape.inode_count) {
    return noted<void>(core_, fail(Errc::kCorrupt, "inode: one that is no file's", number.value()));
  }
  const std::uint32_t per_group = core_.shape.inodes_per_group;
  Group& group = *groups_[(number.value() - 1) / per_group];
  const std::uint32_t index = (number.value() - 1) % per_group;
  if (!TRY(load_inode_bitmap(group))) {
    return noted<void>(core_, fail(Errc::kChecksum, "inode bitmap: damaged", group.index));
  }
  Lock lock(group.mutex);
  const bool is_used = bitmap_bit(group.inode_bitmap->snapshot().bytes(), index);
  if (!is_used || (is_directory && group.descriptor.used_directories == 0)) {
    return noted<void>(
        core_, fail(Errc::kCorrupt, "inode bitmap: an inode in use is free", number.value()));
  }
  ++group.descriptor.free_inodes;
  if (is_directory) --group.descriptor.used_directories;
  write_inode_bitmap(handle, group, index, false);
  ++free_inodes_;
  return {};
}

}  // namespace powercut::fs
