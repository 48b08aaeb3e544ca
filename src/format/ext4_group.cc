// Group descriptors and the bitmaps they speak of.
#include "base/crc32c.h"
#include "base/fuzzing.h"
#include "format/ext4.h"
#include "format/ext4_disk.h"

namespace powercut {
namespace {

bool has_high_part(const Superblock& superblock) {
  return superblock.descriptor_bytes >= sizeof(disk::GroupDesc) + sizeof(disk::GroupDescHigh);
}

bool has_group_checksums(const Superblock& superblock) {
  return superblock.has_metadata_checksums() || superblock.has(Ext4RoCompat::kGroupChecksum);
}

// Of the group's number and the descriptor without its checksum: with metadata_csum the low half of
// a crc32c in which the checksum counts as zero; with uninit_bg a crc16 that leaves it out.
std::uint16_t checksum_of(Bytes stored, std::uint32_t index, const Superblock& superblock) {
  constexpr std::size_t kAt = offsetof(disk::GroupDesc, checksum);
  constexpr std::size_t kAfter = kAt + sizeof(Le16);
  const Le32 number(index);
  if (superblock.has_metadata_checksums()) {
    std::uint32_t crc = crc32c(superblock.checksum_seed(), bytes_of(number));
    crc = crc32c(crc, stored.first(kAt));
    crc = crc32c(crc, bytes_of(Le16(0)));
    return static_cast<std::uint16_t>(crc32c(crc, stored.subspan(kAfter)));
  }
  std::uint16_t crc = crc16(0xFFFF, superblock.uuid);
  crc = crc16(crc, bytes_of(number));
  crc = crc16(crc, stored.first(kAt));
  return crc16(crc, stored.subspan(kAfter));
}

void take_high(const disk::GroupDescHigh& stored, GroupDescriptor& values) {
  const auto with_high = [](BlockNo low, std::uint32_t high) {
    return BlockNo(low.value() | (std::uint64_t{high} << 32));
  };
  values.block_bitmap = with_high(values.block_bitmap, stored.block_bitmap_high);
  values.inode_bitmap = with_high(values.inode_bitmap, stored.inode_bitmap_high);
  values.inode_table = with_high(values.inode_table, stored.inode_table_high);
  values.free_blocks |= std::uint32_t{stored.free_blocks_high} << 16;
  values.free_inodes |= std::uint32_t{stored.free_inodes_high} << 16;
  values.used_directories |= std::uint32_t{stored.used_directories_high} << 16;
  values.itable_unused |= std::uint32_t{stored.itable_unused_high} << 16;
  values.block_bitmap_checksum |= std::uint32_t{stored.block_bitmap_checksum_high} << 16;
  values.inode_bitmap_checksum |= std::uint32_t{stored.inode_bitmap_checksum_high} << 16;
}

Result<void> check(const GroupDescriptor& values, const Superblock& superblock) {
  if (!superblock.contains(values.block_bitmap)) {
    return fail(Errc::kCorrupt, "group descriptor: block bitmap out of the file system",
                values.index);
  }
  if (!superblock.contains(values.inode_bitmap)) {
    return fail(Errc::kCorrupt, "group descriptor: inode bitmap out of the file system",
                values.index);
  }
  if (!superblock.contains(values.inode_table, superblock.inode_table_blocks())) {
    return fail(Errc::kCorrupt, "group descriptor: inode table out of the file system",
                values.index);
  }
  const std::uint32_t inodes = superblock.inodes_per_group;
  if (values.free_blocks > superblock.clusters_per_group || values.free_inodes > inodes ||
      values.used_directories > inodes || values.itable_unused > inodes) {
    return fail(Errc::kCorrupt, "group descriptor: a count larger than the group", values.index);
  }
  return {};
}

std::uint16_t low_half(std::uint32_t value) {
  return static_cast<std::uint16_t>(value);
}
std::uint16_t high_half(std::uint32_t value) {
  return static_cast<std::uint16_t>(value >> 16);
}
std::uint32_t low_word(BlockNo block) {
  return static_cast<std::uint32_t>(block.value());
}
std::uint32_t high_word(BlockNo block) {
  return static_cast<std::uint32_t>(block.value() >> 32);
}

bool bitmap_matches(Bytes bitmap, std::uint32_t bits, std::uint32_t stored,
                    const Superblock& superblock) {
  if (is_fuzzing() || !superblock.has_metadata_checksums()) return true;
  if (bits / 8 > bitmap.size()) return false;
  const std::uint32_t crc = crc32c(superblock.checksum_seed(), bitmap.first(bits / 8));
  return has_high_part(superblock) ? crc == stored : low_half(crc) == low_half(stored);
}

}  // namespace

Result<GroupDescriptor> GroupDescriptor::parse(Bytes stored, std::uint32_t index,
                                               const Superblock& superblock) {
  if (stored.size() != superblock.descriptor_bytes) {
    return fail(Errc::kCorrupt, "group descriptor: length", index);
  }
  const auto low = TRY(load<disk::GroupDesc>(stored, 0));
  if (!is_fuzzing() && has_group_checksums(superblock) &&
      checksum_of(stored, index, superblock) != low.checksum.value()) {
    return fail(Errc::kChecksum, "group descriptor: checksum", index);
  }
  GroupDescriptor values;
  values.index = index;
  values.block_bitmap = BlockNo(low.block_bitmap_low);
  values.inode_bitmap = BlockNo(low.inode_bitmap_low);
  values.inode_table = BlockNo(low.inode_table_low);
  values.free_blocks = low.free_blocks_low;
  values.free_inodes = low.free_inodes_low;
  values.used_directories = low.used_directories_low;
  values.flags = low.flags;
  values.block_bitmap_checksum = low.block_bitmap_checksum_low;
  values.inode_bitmap_checksum = low.inode_bitmap_checksum_low;
  values.itable_unused = low.itable_unused_low;
  values.checksum = low.checksum;
  if (has_high_part(superblock)) {
    take_high(TRY(load<disk::GroupDescHigh>(stored, sizeof(low))), values);
  }
  TRY(check(values, superblock));
  return values;
}

void GroupDescriptor::encode(MutableBytes stored, const Superblock& superblock) const {
  CHECK(stored.size() == superblock.descriptor_bytes, "a descriptor of another size");
  disk::GroupDesc low;
  std::memcpy(&low, stored.data(), sizeof(low));
  low.block_bitmap_low = low_word(block_bitmap);
  low.inode_bitmap_low = low_word(inode_bitmap);
  low.inode_table_low = low_word(inode_table);
  low.free_blocks_low = low_half(free_blocks);
  low.free_inodes_low = low_half(free_inodes);
  low.used_directories_low = low_half(used_directories);
  low.flags = flags;
  low.block_bitmap_checksum_low = low_half(block_bitmap_checksum);
  low.inode_bitmap_checksum_low = low_half(inode_bitmap_checksum);
  low.itable_unused_low = low_half(itable_unused);
  if (has_high_part(superblock)) {
    disk::GroupDescHigh high;
    std::memcpy(&high, stored.data() + sizeof(low), sizeof(high));
    high.block_bitmap_high = high_word(block_bitmap);
    high.inode_bitmap_high = high_word(inode_bitmap);
    high.inode_table_high = high_word(inode_table);
    high.free_blocks_high = high_half(free_blocks);
    high.free_inodes_high = high_half(free_inodes);
    high.used_directories_high = high_half(used_directories);
    high.itable_unused_high = high_half(itable_unused);
    high.block_bitmap_checksum_high = high_half(block_bitmap_checksum);
    high.inode_bitmap_checksum_high = high_half(inode_bitmap_checksum);
    store(stored, sizeof(low), high);
  }
  store(stored, 0, low);
  if (has_group_checksums(superblock)) {
    low.checksum = checksum_of(stored, index, superblock);
    store(stored, 0, low);
  }
}

std::uint32_t GroupDescriptor::inodes_to_read(const Superblock& superblock) const {
  if (!has_group_checksums(superblock)) return superblock.inodes_per_group;
  if (has(GroupFlag::kInodesUninitialised)) return 0;
  return superblock.inodes_per_group - itable_unused;
}

bool inode_bitmap_matches(Bytes bitmap, const GroupDescriptor& group,
                          const Superblock& superblock) {
  return bitmap_matches(bitmap, superblock.inodes_per_group, group.inode_bitmap_checksum,
                        superblock);
}

bool block_bitmap_matches(Bytes bitmap, const GroupDescriptor& group,
                          const Superblock& superblock) {
  return bitmap_matches(bitmap, superblock.clusters_per_group, group.block_bitmap_checksum,
                        superblock);
}

bool bitmap_bit(Bytes bitmap, std::uint32_t index) {
  if (index / 8 >= bitmap.size()) return true;
  return ((bitmap[index / 8] >> (index % 8)) & 1) != 0;
}

}  // namespace powercut
