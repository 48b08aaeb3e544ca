// The superblock: bytes to checked values and back.
#include <algorithm>
#include <bit>

#include "base/crc32c.h"
#include "base/fuzzing.h"
#include "format/ext4.h"
#include "format/ext4_disk.h"

namespace powercut {
namespace {

constexpr std::uint32_t kFirstInodeOfRevision0 = 11;
constexpr std::uint16_t kInodeBytesOfRevision0 = 128;
constexpr std::uint16_t kSmallDescriptorBytes = 32;
constexpr std::uint16_t kLargeDescriptorBytes = 64;
constexpr std::uint16_t kDescriptorBytesMax = 1024;

std::uint32_t low_half(std::uint64_t value) {
  return static_cast<std::uint32_t>(value);
}
std::uint32_t high_half(std::uint64_t value) {
  return static_cast<std::uint32_t>(value >> 32);
}
std::uint8_t high_byte(std::uint64_t seconds) {
  return static_cast<std::uint8_t>(seconds >> 32);
}

bool has_bit(std::uint32_t word, Ext4RoCompat feature) {
  return (word & static_cast<std::uint32_t>(feature)) != 0;
}

void take_counts(const disk::SuperBlock& stored, Superblock& values) {
  values.block_count = joined(stored.block_count_low, stored.block_count_high);
  values.reserved_blocks = joined(stored.reserved_blocks_low, stored.reserved_blocks_high);
  values.free_blocks = joined(stored.free_blocks_low, stored.free_blocks_high);
  if (!values.has(Ext4Incompat::k64Bit)) {
    values.block_count = stored.block_count_low;
    values.reserved_blocks = stored.reserved_blocks_low;
    values.free_blocks = stored.free_blocks_low;
  }
  values.inode_count = stored.inode_count;
  values.free_inodes = stored.free_inodes;
  values.first_data_block = BlockNo(stored.first_data_block);
  values.log_block_size = stored.log_block_size;
  values.log_cluster_size =
      values.has(Ext4RoCompat::kBigalloc) ? stored.log_cluster_size : stored.log_block_size;
  values.blocks_per_group = stored.blocks_per_group;
  values.clusters_per_group =
      values.has(Ext4RoCompat::kBigalloc) ? stored.clusters_per_group : stored.blocks_per_group;
  values.inodes_per_group = stored.inodes_per_group;
  const bool is_dynamic = values.revision != 0;
  values.first_inode = InodeNo(is_dynamic ? stored.first_inode.value() : kFirstInodeOfRevision0);
  values.inode_bytes = is_dynamic ? stored.inode_bytes.value() : kInodeBytesOfRevision0;
  values.descriptor_bytes =
      values.has(Ext4Incompat::k64Bit) ? stored.descriptor_bytes.value() : kSmallDescriptorBytes;
}

void take_errors(const disk::SuperBlock& stored, Superblock& values) {
  values.error_count = stored.error_count;
  values.first_error = {joined(stored.first_error_time, stored.first_error_time_high),
                        InodeNo(stored.first_error_inode),
                        stored.first_error_block,
                        stored.first_error_function,
                        stored.first_error_line,
                        stored.first_error_code};
  values.last_error = {joined(stored.last_error_time, stored.last_error_time_high),
                       InodeNo(stored.last_error_inode),
                       stored.last_error_block,
                       stored.last_error_function,
                       stored.last_error_line,
                       stored.last_error_code};
}

void take_history(const disk::SuperBlock& stored, Superblock& values) {
  values.mount_seconds = joined(stored.mount_time, stored.mount_time_high);
  values.write_seconds = joined(stored.write_time, stored.write_time_high);
  values.check_seconds = joined(stored.check_time, stored.check_time_high);
  values.mkfs_seconds = joined(stored.mkfs_time, stored.mkfs_time_high);
  values.mount_count = stored.mount_count;
  values.mount_count_max = static_cast<std::int16_t>(stored.mount_count_max.value());
  values.check_interval = stored.check_interval;
  values.reserved_uid = stored.reserved_uid;
  values.reserved_gid = stored.reserved_gid;
  values.state = stored.state;
  values.error_behaviour = stored.error_behaviour;
  values.creator_os = stored.creator_os;
  values.group_of_copy = stored.group_of_copy;
  values.uuid = stored.uuid;
  values.label_bytes = stored.label;
  values.last_mounted_bytes = stored.last_mounted;
  values.default_mount_options = stored.default_mount_options;
  values.flags = stored.flags;
  values.kilobytes_written = stored.kilobytes_written;
  take_errors(stored, values);
}

void take_places(const disk::SuperBlock& stored, Superblock& values) {
  values.reserved_descriptor_blocks = stored.reserved_descriptor_blocks;
  values.journal_uuid = stored.journal_uuid;
  values.journal_inode = InodeNo(stored.journal_inode);
  values.journal_device = stored.journal_device;
  values.last_orphan = InodeNo(stored.last_orphan);
  std::copy(stored.hash_seed.begin(), stored.hash_seed.end(), values.hash_seed.begin());
  values.hash_version = stored.hash_version;
  values.journal_backup_type = stored.journal_backup_type;
  std::copy(stored.journal_backup.begin(), stored.journal_backup.end(),
            values.journal_backup.begin());
  values.first_meta_group = stored.first_meta_group;
  values.extra_isize_min = stored.extra_isize_min;
  values.extra_isize_wanted = stored.extra_isize_wanted;
  values.mmp_block = BlockNo(stored.mmp_block);
  values.mmp_interval = stored.mmp_interval;
  values.log_groups_per_flex = stored.log_groups_per_flex;
  values.checksum_type = stored.checksum_type;
  values.user_quota_inode = InodeNo(stored.user_quota_inode);
  values.group_quota_inode = InodeNo(stored.group_quota_inode);
  values.project_quota_inode = InodeNo(stored.project_quota_inode);
  values.overhead_clusters = stored.overhead_clusters;
  std::copy(stored.backup_groups.begin(), stored.backup_groups.end(), values.backup_groups.begin());
  values.stored_checksum_seed = stored.checksum_seed;
  values.orphan_file_inode = InodeNo(stored.orphan_file_inode);
  values.checksum = stored.checksum;
}

Result<void> check_features(const Superblock& values) {
  if (values.revision > 1) {
    return fail(Errc::kUnsupported, "superblock: revision", values.revision);
  }
  const auto strange = first_unreadable(values.incompat);
  if (strange) {
    return fail_with(Errc::kUnsupported, "superblock: incompatible feature", feature_name(*strange),
                     values.incompat);
  }
  if (values.has_metadata_checksums() && values.checksum_type != disk::kExt4ChecksumCrc32c) {
    return fail(Errc::kUnsupported, "superblock: checksum type other than crc32c",
                values.checksum_type);
  }
  return {};
}

// Sizes first: all else is measured with them.
Result<void> check_sizes(const Superblock& values) {
  if (values.log_block_size > disk::kLogBlockSizeMax) {
    return fail(Errc::kUnsupported, "superblock: block size over 64 KiB", values.log_block_size);
  }
  const std::uint32_t block_bytes = values.block_bytes();
  if (values.log_cluster_size < values.log_block_size || values.log_cluster_size > 20) {
    return fail(Errc::kCorrupt, "superblock: cluster size", values.log_cluster_size);
  }
  if (!std::has_single_bit(values.inode_bytes) || values.inode_bytes < kInodeBytesOfRevision0 ||
      values.inode_bytes > block_bytes) {
    return fail(Errc::kCorrupt, "superblock: inode size", values.inode_bytes);
  }
  const std::uint16_t smallest =
      values.has(Ext4Incompat::k64Bit) ? kLargeDescriptorBytes : kSmallDescriptorBytes;
  if (!std::has_single_bit(values.descriptor_bytes) || values.descriptor_bytes < smallest ||
      values.descriptor_bytes > kDescriptorBytesMax) {
    return fail(Errc::kCorrupt, "superblock: group descriptor size", values.descriptor_bytes);
  }
  const std::uint64_t first_wanted =
      block_bytes == 1024 && !values.has(Ext4RoCompat::kBigalloc) ? 1 : 0;
  if (values.first_data_block.value() != first_wanted) {
    return fail(Errc::kCorrupt, "superblock: first data block", values.first_data_block.value());
  }
  return {};
}

Result<void> check_groups(const Superblock& values) {
  const std::uint32_t bits = 8 * values.block_bytes();
  const std::uint64_t clusters = values.clusters_per_group;
  if (clusters == 0 || clusters > bits || clusters % 8 != 0) {
    return fail(Errc::kCorrupt, "superblock: clusters per group", clusters);
  }
  if (values.blocks_per_group != clusters * values.blocks_per_cluster()) {
    return fail(Errc::kCorrupt, "superblock: blocks per group", values.blocks_per_group);
  }
  const std::uint32_t inodes = values.inodes_per_group;
  if (inodes == 0 || inodes > bits || inodes % 8 != 0 || inodes % values.inodes_per_block() != 0) {
    return fail(Errc::kCorrupt, "superblock: inodes per group", inodes);
  }
  const std::uint64_t groups =
      (values.block_count - values.first_data_block.value() + values.blocks_per_group - 1) /
      values.blocks_per_group;
  if (groups > ~0u || groups * inodes != values.inode_count) {
    return fail(Errc::kCorrupt, "superblock: inode count is not groups times inodes per group",
                values.inode_count);
  }
  if (groups * values.inode_table_blocks() >= values.block_count) {
    return fail(Errc::kCorrupt, "superblock: inode tables larger than the file system",
                values.inode_count);
  }
  if (values.reserved_descriptor_blocks > values.block_bytes() / 4) {
    return fail(Errc::kCorrupt, "superblock: reserved descriptor blocks",
                values.reserved_descriptor_blocks);
  }
  return {};
}

Result<void> check_counts(const Superblock& values, std::uint64_t device_bytes) {
  if (values.block_count <= values.first_data_block.value() ||
      values.block_count > (std::uint64_t{1} << 48)) {
    return fail(Errc::kCorrupt, "superblock: block count", values.block_count);
  }
  if (values.block_count > device_bytes / values.block_bytes()) {
    return fail(Errc::kCorrupt, "superblock: more blocks than the device has", values.block_count);
  }
  TRY(check_groups(values));
  if (values.first_inode.value() < kFirstInodeOfRevision0 ||
      values.first_inode.value() > values.inode_count) {
    return fail(Errc::kCorrupt, "superblock: first inode", values.first_inode.value());
  }
  if (values.has(Ext4Incompat::kMetaBg) &&
      values.first_meta_group > values.descriptor_block_count()) {
    return fail(Errc::kCorrupt, "superblock: first meta group", values.first_meta_group);
  }
  if (values.has(Ext4Compat::kHasJournal) && values.journal_inode.value() > values.inode_count) {
    return fail(Errc::kCorrupt, "superblock: journal inode", values.journal_inode.value());
  }
  return {};
}

void put_counts(const Superblock& values, disk::SuperBlock& stored) {
  stored.block_count_low = low_half(values.block_count);
  stored.reserved_blocks_low = low_half(values.reserved_blocks);
  stored.free_blocks_low = low_half(values.free_blocks);
  if (values.has(Ext4Incompat::k64Bit)) {
    stored.block_count_high = high_half(values.block_count);
    stored.reserved_blocks_high = high_half(values.reserved_blocks);
    stored.free_blocks_high = high_half(values.free_blocks);
    stored.descriptor_bytes = values.descriptor_bytes;
  }
  stored.inode_count = values.inode_count;
  stored.free_inodes = values.free_inodes;
  stored.first_data_block = low_half(values.first_data_block.value());
  stored.log_block_size = values.log_block_size;
  stored.blocks_per_group = values.blocks_per_group;
  if (values.has(Ext4RoCompat::kBigalloc)) {
    stored.log_cluster_size = values.log_cluster_size;
    stored.clusters_per_group = values.clusters_per_group;
  }
  stored.inodes_per_group = values.inodes_per_group;
  if (values.revision != 0) {
    stored.first_inode = values.first_inode.value();
    stored.inode_bytes = values.inode_bytes;
  }
}

void put_errors(const Superblock& values, disk::SuperBlock& stored) {
  stored.error_count = values.error_count;
  stored.first_error_time = low_half(values.first_error.seconds);
  stored.first_error_time_high = high_byte(values.first_error.seconds);
  stored.first_error_inode = values.first_error.inode.value();
  stored.first_error_block = values.first_error.block;
  stored.first_error_function = values.first_error.function_bytes;
  stored.first_error_line = values.first_error.line;
  stored.first_error_code = values.first_error.code;
  stored.last_error_time = low_half(values.last_error.seconds);
  stored.last_error_time_high = high_byte(values.last_error.seconds);
  stored.last_error_inode = values.last_error.inode.value();
  stored.last_error_block = values.last_error.block;
  stored.last_error_function = values.last_error.function_bytes;
  stored.last_error_line = values.last_error.line;
  stored.last_error_code = values.last_error.code;
}

void put_history(const Superblock& values, disk::SuperBlock& stored) {
  stored.mount_time = low_half(values.mount_seconds);
  stored.mount_time_high = high_byte(values.mount_seconds);
  stored.write_time = low_half(values.write_seconds);
  stored.write_time_high = high_byte(values.write_seconds);
  stored.check_time = low_half(values.check_seconds);
  stored.check_time_high = high_byte(values.check_seconds);
  stored.mkfs_time = low_half(values.mkfs_seconds);
  stored.mkfs_time_high = high_byte(values.mkfs_seconds);
  stored.mount_count = values.mount_count;
  stored.mount_count_max = static_cast<std::uint16_t>(values.mount_count_max);
  stored.check_interval = values.check_interval;
  stored.reserved_uid = values.reserved_uid;
  stored.reserved_gid = values.reserved_gid;
  stored.state = values.state;
  stored.error_behaviour = values.error_behaviour;
  stored.creator_os = values.creator_os;
  stored.revision = values.revision;
  stored.group_of_copy = values.group_of_copy;
  stored.compat = values.compat;
  stored.incompat = values.incompat;
  stored.ro_compat = values.ro_compat;
  stored.uuid = values.uuid;
  stored.label = values.label_bytes;
  stored.last_mounted = values.last_mounted_bytes;
  stored.default_mount_options = values.default_mount_options;
  stored.flags = values.flags;
  stored.kilobytes_written = values.kilobytes_written;
  put_errors(values, stored);
}

void put_places(const Superblock& values, disk::SuperBlock& stored) {
  stored.reserved_descriptor_blocks = values.reserved_descriptor_blocks;
  stored.journal_uuid = values.journal_uuid;
  stored.journal_inode = values.journal_inode.value();
  stored.journal_device = values.journal_device;
  stored.last_orphan = values.last_orphan.value();
  std::copy(values.hash_seed.begin(), values.hash_seed.end(), stored.hash_seed.begin());
  stored.hash_version = values.hash_version;
  stored.journal_backup_type = values.journal_backup_type;
  std::copy(values.journal_backup.begin(), values.journal_backup.end(),
            stored.journal_backup.begin());
  stored.first_meta_group = values.first_meta_group;
  stored.extra_isize_min = values.extra_isize_min;
  stored.extra_isize_wanted = values.extra_isize_wanted;
  stored.mmp_block = values.mmp_block.value();
  stored.mmp_interval = values.mmp_interval;
  stored.log_groups_per_flex = values.log_groups_per_flex;
  stored.checksum_type = values.checksum_type;
  stored.user_quota_inode = values.user_quota_inode.value();
  stored.group_quota_inode = values.group_quota_inode.value();
  stored.project_quota_inode = values.project_quota_inode.value();
  stored.overhead_clusters = values.overhead_clusters;
  std::copy(values.backup_groups.begin(), values.backup_groups.end(), stored.backup_groups.begin());
  stored.checksum_seed = values.stored_checksum_seed;
  stored.orphan_file_inode = values.orphan_file_inode.value();
}

}  // namespace

std::uint32_t superblock_checksum(Bytes block) {
  return crc32c(~0u, block.first(offsetof(disk::SuperBlock, checksum)));
}

Result<Superblock> Superblock::parse(Bytes block, std::uint64_t device_bytes) {
  const auto stored = TRY(load<disk::SuperBlock>(block, 0));
  if (stored.magic.value() != disk::kExt4Magic) {
    return fail(Errc::kCorrupt, "superblock: magic", stored.magic);
  }
  Superblock values;
  values.revision = stored.revision;
  if (values.revision != 0) {
    values.compat = stored.compat;
    values.incompat = stored.incompat;
    values.ro_compat = stored.ro_compat;
  }
  if (!is_fuzzing() && has_bit(values.ro_compat, Ext4RoCompat::kMetadataChecksum) &&
      superblock_checksum(block) != stored.checksum.value()) {
    return fail(Errc::kChecksum, "superblock: checksum", stored.checksum);
  }
  take_counts(stored, values);
  take_history(stored, values);
  take_places(stored, values);
  TRY(check_features(values));
  TRY(check_sizes(values));
  TRY(check_counts(values, device_bytes));
  return values;
}

void Superblock::encode(MutableBytes block) const {
  CHECK(block.size() >= kSuperblockBytes, "a superblock is 1024 bytes");
  disk::SuperBlock stored;
  std::memcpy(&stored, block.data(), sizeof(stored));
  stored.magic = disk::kExt4Magic;
  put_counts(*this, stored);
  put_history(*this, stored);
  put_places(*this, stored);
  if (has_metadata_checksums()) stored.checksum = superblock_checksum(bytes_of(stored));
  store(block, 0, stored);
}

std::string_view ErrorRecord::function() const {
  return text_in_field(function_bytes);
}
std::string_view Superblock::label() const {
  return text_in_field(label_bytes);
}
std::string_view Superblock::last_mounted() const {
  return text_in_field(last_mounted_bytes);
}

std::uint32_t Superblock::group_count() const {
  return static_cast<std::uint32_t>(
      (block_count - first_data_block.value() + blocks_per_group - 1) / blocks_per_group);
}

std::uint32_t Superblock::descriptor_block_count() const {
  return (group_count() + descriptors_per_block() - 1) / descriptors_per_block();
}

std::uint32_t Superblock::checksum_seed() const {
  return has(Ext4Incompat::kChecksumSeed) ? stored_checksum_seed : crc32c(~0u, uuid);
}

}  // namespace powercut
