// ext4's structures as they lie on disk.  Data only: no function here reads a device or decides.
//
//   device     0       1024     2048                                    (block size B)
//              +-------+--------+---------+----------------------------------------------+
//              | boot  |   SB   |   ...   | group descriptors, bitmaps, inode tables ...  |
//              +-------+--------+---------+----------------------------------------------+
//     SB lies at byte 1024 whatever B is; the group descriptors begin in the block after it.
//
//   extent block              0        12        24              B-4      B
//                             +--------+---------+---- - - ------+--------+
//                             | header | entry 0 | entry 1 ...   |  tail  |
//                             +--------+---------+---- - - ------+--------+
//
//   directory block, linear   0         rec_len      ...            B-12    B
//                             +---------+---------+---- - - ------+--------+
//                             | entry 0 | entry 1 | ...           |  tail  |
//                             +---------+---------+---- - - ------+--------+
//
//   directory block, htree    0   12   24     32                        B-8     B
//     root                    +---+----+------+-------+---- - - -------+--------+
//                             | . | .. | info | limit | hash, block ... |  tail  |
//                             +---+----+------+-------+---- - - -------+--------+
//     inner node              an unused entry of B bytes in front, limit at 8
//     Entry 0 has no hash; limit and count are in its place.
//
// The tails are there with metadata_csum only.  All integers are little-endian (the journal's are
// big-endian: see jbd2_disk.h).  The kernel's names stand in the comments.
// Source: Linux Documentation/filesystems/ext4/ (super, group_descr, inodes, ifork, directory).
#pragma once

#include <array>

#include "base/bytes.h"
#include "base/stored_int.h"

namespace powercut::disk {

inline constexpr std::uint16_t kExt4Magic = 0xEF53;
inline constexpr std::uint32_t kLogBlockSizeMax = 6;  // 64 KiB
inline constexpr std::uint16_t kExtentMagic = 0xF30A;
inline constexpr std::uint8_t kExt4ChecksumCrc32c = 1;
inline constexpr std::uint8_t kDirectoryTailType = 0xDE;
inline constexpr std::uint16_t kUnwrittenBase = 32768;  // lengths above it: unwritten, less this

struct SuperBlock {
  Le32 inode_count;                                   // s_inodes_count
  Le32 block_count_low;                               // s_blocks_count_lo
  Le32 reserved_blocks_low;                           // s_r_blocks_count_lo
  Le32 free_blocks_low;                               // s_free_blocks_count_lo
  Le32 free_inodes;                                   // s_free_inodes_count
  Le32 first_data_block;                              // s_first_data_block
  Le32 log_block_size;                                // s_log_block_size: block = 1024 << this
  Le32 log_cluster_size;                              // s_log_cluster_size
  Le32 blocks_per_group;                              // s_blocks_per_group
  Le32 clusters_per_group;                            // s_clusters_per_group
  Le32 inodes_per_group;                              // s_inodes_per_group
  Le32 mount_time;                                    // s_mtime
  Le32 write_time;                                    // s_wtime
  Le16 mount_count;                                   // s_mnt_count
  Le16 mount_count_max;                               // s_max_mnt_count
  Le16 magic;                                         // s_magic
  Le16 state;                                         // s_state
  Le16 error_behaviour;                               // s_errors
  Le16 minor_revision;                                // s_minor_rev_level
  Le32 check_time;                                    // s_lastcheck
  Le32 check_interval;                                // s_checkinterval
  Le32 creator_os;                                    // s_creator_os
  Le32 revision;                                      // s_rev_level
  Le16 reserved_uid;                                  // s_def_resuid
  Le16 reserved_gid;                                  // s_def_resgid
  Le32 first_inode;                                   // s_first_ino
  Le16 inode_bytes;                                   // s_inode_size
  Le16 group_of_copy;                                 // s_block_group_nr
  Le32 compat;                                        // s_feature_compat
  Le32 incompat;                                      // s_feature_incompat
  Le32 ro_compat;                                     // s_feature_ro_compat
  std::array<std::uint8_t, 16> uuid;                  // s_uuid
  std::array<std::uint8_t, 16> label;                 // s_volume_name
  std::array<std::uint8_t, 64> last_mounted;          // s_last_mounted
  Le32 algorithms;                                    // s_algorithm_usage_bitmap
  std::uint8_t prealloc_blocks;                       // s_prealloc_blocks
  std::uint8_t prealloc_directory_blocks;             // s_prealloc_dir_blocks
  Le16 reserved_descriptor_blocks;                    // s_reserved_gdt_blocks
  std::array<std::uint8_t, 16> journal_uuid;          // s_journal_uuid
  Le32 journal_inode;                                 // s_journal_inum
  Le32 journal_device;                                // s_journal_dev
  Le32 last_orphan;                                   // s_last_orphan
  std::array<Le32, 4> hash_seed;                      // s_hash_seed
  std::uint8_t hash_version;                          // s_def_hash_version
  std::uint8_t journal_backup_type;                   // s_jnl_backup_type
  Le16 descriptor_bytes;                              // s_desc_size
  Le32 default_mount_options;                         // s_default_mount_opts
  Le32 first_meta_group;                              // s_first_meta_bg
  Le32 mkfs_time;                                     // s_mkfs_time
  std::array<Le32, 17> journal_backup;                // s_jnl_blocks
  Le32 block_count_high;                              // s_blocks_count_hi
  Le32 reserved_blocks_high;                          // s_r_blocks_count_hi
  Le32 free_blocks_high;                              // s_free_blocks_count_hi
  Le16 extra_isize_min;                               // s_min_extra_isize
  Le16 extra_isize_wanted;                            // s_want_extra_isize
  Le32 flags;                                         // s_flags
  Le16 raid_stride;                                   // s_raid_stride
  Le16 mmp_interval;                                  // s_mmp_interval
  Le64 mmp_block;                                     // s_mmp_block
  Le32 raid_stripe_width;                             // s_raid_stripe_width
  std::uint8_t log_groups_per_flex;                   // s_log_groups_per_flex
  std::uint8_t checksum_type;                         // s_checksum_type
  std::uint8_t encryption_level;                      // s_encryption_level
  std::uint8_t reserved_pad;                          // s_reserved_pad
  Le64 kilobytes_written;                             // s_kbytes_written
  Le32 snapshot_inode;                                // s_snapshot_inum
  Le32 snapshot_id;                                   // s_snapshot_id
  Le64 snapshot_reserved;                             // s_snapshot_r_blocks_count
  Le32 snapshot_list;                                 // s_snapshot_list
  Le32 error_count;                                   // s_error_count
  Le32 first_error_time;                              // s_first_error_time
  Le32 first_error_inode;                             // s_first_error_ino
  Le64 first_error_block;                             // s_first_error_block
  std::array<std::uint8_t, 32> first_error_function;  // s_first_error_func
  Le32 first_error_line;                              // s_first_error_line
  Le32 last_error_time;                               // s_last_error_time
  Le32 last_error_inode;                              // s_last_error_ino
  Le32 last_error_line;                               // s_last_error_line
  Le64 last_error_block;                              // s_last_error_block
  std::array<std::uint8_t, 32> last_error_function;   // s_last_error_func
  std::array<std::uint8_t, 64> mount_options;         // s_mount_opts
  Le32 user_quota_inode;                              // s_usr_quota_inum
  Le32 group_quota_inode;                             // s_grp_quota_inum
  Le32 overhead_clusters;                             // s_overhead_clusters
  std::array<Le32, 2> backup_groups;                  // s_backup_bgs
  std::array<std::uint8_t, 4> encryption_algorithms;  // s_encrypt_algos
  std::array<std::uint8_t, 16> encryption_salt;       // s_encrypt_pw_salt
  Le32 lost_found_inode;                              // s_lpf_ino
  Le32 project_quota_inode;                           // s_prj_quota_inum
  Le32 checksum_seed;                                 // s_checksum_seed
  std::uint8_t write_time_high;                       // s_wtime_hi
  std::uint8_t mount_time_high;                       // s_mtime_hi
  std::uint8_t mkfs_time_high;                        // s_mkfs_time_hi
  std::uint8_t check_time_high;                       // s_lastcheck_hi
  std::uint8_t first_error_time_high;                 // s_first_error_time_hi
  std::uint8_t last_error_time_high;                  // s_last_error_time_hi
  std::uint8_t first_error_code;                      // s_first_error_errcode
  std::uint8_t last_error_code;                       // s_last_error_errcode
  Le16 encoding;                                      // s_encoding
  Le16 encoding_flags;                                // s_encoding_flags
  Le32 orphan_file_inode;                             // s_orphan_file_inum
  std::array<std::uint8_t, 376> reserved;             // s_reserved
  Le32 checksum;                                      // s_checksum: crc32c(~0, all before it)
};
static_assert(sizeof(SuperBlock) == 1024 && Stored<SuperBlock>);
STORED_AT(SuperBlock, inode_count, 0x0);
STORED_AT(SuperBlock, block_count_low, 0x4);
STORED_AT(SuperBlock, reserved_blocks_low, 0x8);
STORED_AT(SuperBlock, free_blocks_low, 0xC);
STORED_AT(SuperBlock, free_inodes, 0x10);
STORED_AT(SuperBlock, first_data_block, 0x14);
STORED_AT(SuperBlock, log_block_size, 0x18);
STORED_AT(SuperBlock, log_cluster_size, 0x1C);
STORED_AT(SuperBlock, blocks_per_group, 0x20);
STORED_AT(SuperBlock, clusters_per_group, 0x24);
STORED_AT(SuperBlock, inodes_per_group, 0x28);
STORED_AT(SuperBlock, mount_time, 0x2C);
STORED_AT(SuperBlock, write_time, 0x30);
STORED_AT(SuperBlock, mount_count, 0x34);
STORED_AT(SuperBlock, mount_count_max, 0x36);
STORED_AT(SuperBlock, magic, 0x38);
STORED_AT(SuperBlock, state, 0x3A);
STORED_AT(SuperBlock, error_behaviour, 0x3C);
STORED_AT(SuperBlock, minor_revision, 0x3E);
STORED_AT(SuperBlock, check_time, 0x40);
STORED_AT(SuperBlock, check_interval, 0x44);
STORED_AT(SuperBlock, creator_os, 0x48);
STORED_AT(SuperBlock, revision, 0x4C);
STORED_AT(SuperBlock, reserved_uid, 0x50);
STORED_AT(SuperBlock, reserved_gid, 0x52);
STORED_AT(SuperBlock, first_inode, 0x54);
STORED_AT(SuperBlock, inode_bytes, 0x58);
STORED_AT(SuperBlock, group_of_copy, 0x5A);
STORED_AT(SuperBlock, compat, 0x5C);
STORED_AT(SuperBlock, incompat, 0x60);
STORED_AT(SuperBlock, ro_compat, 0x64);
STORED_AT(SuperBlock, uuid, 0x68);
STORED_AT(SuperBlock, label, 0x78);
STORED_AT(SuperBlock, last_mounted, 0x88);
STORED_AT(SuperBlock, algorithms, 0xC8);
STORED_AT(SuperBlock, prealloc_blocks, 0xCC);
STORED_AT(SuperBlock, prealloc_directory_blocks, 0xCD);
STORED_AT(SuperBlock, reserved_descriptor_blocks, 0xCE);
STORED_AT(SuperBlock, journal_uuid, 0xD0);
STORED_AT(SuperBlock, journal_inode, 0xE0);
STORED_AT(SuperBlock, journal_device, 0xE4);
STORED_AT(SuperBlock, last_orphan, 0xE8);
STORED_AT(SuperBlock, hash_seed, 0xEC);
STORED_AT(SuperBlock, hash_version, 0xFC);
STORED_AT(SuperBlock, journal_backup_type, 0xFD);
STORED_AT(SuperBlock, descriptor_bytes, 0xFE);
STORED_AT(SuperBlock, default_mount_options, 0x100);
STORED_AT(SuperBlock, first_meta_group, 0x104);
STORED_AT(SuperBlock, mkfs_time, 0x108);
STORED_AT(SuperBlock, journal_backup, 0x10C);
STORED_AT(SuperBlock, block_count_high, 0x150);
STORED_AT(SuperBlock, reserved_blocks_high, 0x154);
STORED_AT(SuperBlock, free_blocks_high, 0x158);
STORED_AT(SuperBlock, extra_isize_min, 0x15C);
STORED_AT(SuperBlock, extra_isize_wanted, 0x15E);
STORED_AT(SuperBlock, flags, 0x160);
STORED_AT(SuperBlock, raid_stride, 0x164);
STORED_AT(SuperBlock, mmp_interval, 0x166);
STORED_AT(SuperBlock, mmp_block, 0x168);
STORED_AT(SuperBlock, raid_stripe_width, 0x170);
STORED_AT(SuperBlock, log_groups_per_flex, 0x174);
STORED_AT(SuperBlock, checksum_type, 0x175);
STORED_AT(SuperBlock, encryption_level, 0x176);
STORED_AT(SuperBlock, reserved_pad, 0x177);
STORED_AT(SuperBlock, kilobytes_written, 0x178);
STORED_AT(SuperBlock, snapshot_inode, 0x180);
STORED_AT(SuperBlock, snapshot_id, 0x184);
STORED_AT(SuperBlock, snapshot_reserved, 0x188);
STORED_AT(SuperBlock, snapshot_list, 0x190);
STORED_AT(SuperBlock, error_count, 0x194);
STORED_AT(SuperBlock, first_error_time, 0x198);
STORED_AT(SuperBlock, first_error_inode, 0x19C);
STORED_AT(SuperBlock, first_error_block, 0x1A0);
STORED_AT(SuperBlock, first_error_function, 0x1A8);
STORED_AT(SuperBlock, first_error_line, 0x1C8);
STORED_AT(SuperBlock, last_error_time, 0x1CC);
STORED_AT(SuperBlock, last_error_inode, 0x1D0);
STORED_AT(SuperBlock, last_error_line, 0x1D4);
STORED_AT(SuperBlock, last_error_block, 0x1D8);
STORED_AT(SuperBlock, last_error_function, 0x1E0);
STORED_AT(SuperBlock, mount_options, 0x200);
STORED_AT(SuperBlock, user_quota_inode, 0x240);
STORED_AT(SuperBlock, group_quota_inode, 0x244);
STORED_AT(SuperBlock, overhead_clusters, 0x248);
STORED_AT(SuperBlock, backup_groups, 0x24C);
STORED_AT(SuperBlock, encryption_algorithms, 0x254);
STORED_AT(SuperBlock, encryption_salt, 0x258);
STORED_AT(SuperBlock, lost_found_inode, 0x268);
STORED_AT(SuperBlock, project_quota_inode, 0x26C);
STORED_AT(SuperBlock, checksum_seed, 0x270);
STORED_AT(SuperBlock, write_time_high, 0x274);
STORED_AT(SuperBlock, mount_time_high, 0x275);
STORED_AT(SuperBlock, mkfs_time_high, 0x276);
STORED_AT(SuperBlock, check_time_high, 0x277);
STORED_AT(SuperBlock, first_error_time_high, 0x278);
STORED_AT(SuperBlock, last_error_time_high, 0x279);
STORED_AT(SuperBlock, first_error_code, 0x27A);
STORED_AT(SuperBlock, last_error_code, 0x27B);
STORED_AT(SuperBlock, encoding, 0x27C);
STORED_AT(SuperBlock, encoding_flags, 0x27E);
STORED_AT(SuperBlock, orphan_file_inode, 0x280);
STORED_AT(SuperBlock, reserved, 0x284);
STORED_AT(SuperBlock, checksum, 0x3FC);

// The first 32 bytes of a group descriptor: all of it without the 64bit feature.
struct GroupDesc {
  Le32 block_bitmap_low;           // bg_block_bitmap_lo
  Le32 inode_bitmap_low;           // bg_inode_bitmap_lo
  Le32 inode_table_low;            // bg_inode_table_lo
  Le16 free_blocks_low;            // bg_free_blocks_count_lo
  Le16 free_inodes_low;            // bg_free_inodes_count_lo
  Le16 used_directories_low;       // bg_used_dirs_count_lo
  Le16 flags;                      // bg_flags
  Le32 exclude_bitmap_low;         // bg_exclude_bitmap_lo
  Le16 block_bitmap_checksum_low;  // bg_block_bitmap_csum_lo
  Le16 inode_bitmap_checksum_low;  // bg_inode_bitmap_csum_lo
  Le16 itable_unused_low;          // bg_itable_unused_lo
  Le16 checksum;                   // bg_checksum
};
static_assert(sizeof(GroupDesc) == 32 && Stored<GroupDesc>);
STORED_AT(GroupDesc, block_bitmap_low, 0x0);
STORED_AT(GroupDesc, inode_bitmap_low, 0x4);
STORED_AT(GroupDesc, inode_table_low, 0x8);
STORED_AT(GroupDesc, free_blocks_low, 0xC);
STORED_AT(GroupDesc, free_inodes_low, 0xE);
STORED_AT(GroupDesc, used_directories_low, 0x10);
STORED_AT(GroupDesc, flags, 0x12);
STORED_AT(GroupDesc, exclude_bitmap_low, 0x14);
STORED_AT(GroupDesc, block_bitmap_checksum_low, 0x18);
STORED_AT(GroupDesc, inode_bitmap_checksum_low, 0x1A);
STORED_AT(GroupDesc, itable_unused_low, 0x1C);
STORED_AT(GroupDesc, checksum, 0x1E);

// What follows it with the 64bit feature.
struct GroupDescHigh {
  Le32 block_bitmap_high;           // bg_block_bitmap_hi
  Le32 inode_bitmap_high;           // bg_inode_bitmap_hi
  Le32 inode_table_high;            // bg_inode_table_hi
  Le16 free_blocks_high;            // bg_free_blocks_count_hi
  Le16 free_inodes_high;            // bg_free_inodes_count_hi
  Le16 used_directories_high;       // bg_used_dirs_count_hi
  Le16 itable_unused_high;          // bg_itable_unused_hi
  Le32 exclude_bitmap_high;         // bg_exclude_bitmap_hi
  Le16 block_bitmap_checksum_high;  // bg_block_bitmap_csum_hi
  Le16 inode_bitmap_checksum_high;  // bg_inode_bitmap_csum_hi
  Le32 reserved;                    // bg_reserved
};
static_assert(sizeof(GroupDescHigh) == 32 && Stored<GroupDescHigh>);
STORED_AT(GroupDescHigh, block_bitmap_high, 0x0);
STORED_AT(GroupDescHigh, inode_bitmap_high, 0x4);
STORED_AT(GroupDescHigh, inode_table_high, 0x8);
STORED_AT(GroupDescHigh, free_blocks_high, 0xC);
STORED_AT(GroupDescHigh, free_inodes_high, 0xE);
STORED_AT(GroupDescHigh, used_directories_high, 0x10);
STORED_AT(GroupDescHigh, itable_unused_high, 0x12);
STORED_AT(GroupDescHigh, exclude_bitmap_high, 0x14);
STORED_AT(GroupDescHigh, block_bitmap_checksum_high, 0x18);
STORED_AT(GroupDescHigh, inode_bitmap_checksum_high, 0x1A);
STORED_AT(GroupDescHigh, reserved, 0x1C);

// The first 128 bytes of an inode: all of it in the oldest file systems.
struct InodeBase {
  Le16 mode;         // i_mode
  Le16 uid_low;      // i_uid
  Le32 size_low;     // i_size_lo
  Le32 access_time;  // i_atime
  Le32 change_time;  // i_ctime
  Le32 modify_time;  // i_mtime
  Le32 delete_time;  // i_dtime; the next orphan while the inode is on the orphan list
  Le16 gid_low;      // i_gid
  Le16 links;        // i_links_count
  Le32 sectors_low;  // i_blocks_lo
  Le32 flags;        // i_flags
  Le32 version_low;  // osd1.linux1.l_i_version
  std::array<std::uint8_t, 60> block_area;  // i_block
  Le32 generation;                          // i_generation
  Le32 xattr_block_low;                     // i_file_acl_lo
  Le32 size_high;                           // i_size_high
  Le32 fragment_address;                    // i_obso_faddr
  Le16 sectors_high;                        // osd2.linux2.l_i_blocks_high
  Le16 xattr_block_high;                    // osd2.linux2.l_i_file_acl_high
  Le16 uid_high;                            // osd2.linux2.l_i_uid_high
  Le16 gid_high;                            // osd2.linux2.l_i_gid_high
  Le16 checksum_low;                        // osd2.linux2.l_i_checksum_lo
  Le16 reserved;                            // osd2.linux2.l_i_reserved
};
static_assert(sizeof(InodeBase) == 128 && Stored<InodeBase>);
STORED_AT(InodeBase, mode, 0x0);
STORED_AT(InodeBase, uid_low, 0x2);
STORED_AT(InodeBase, size_low, 0x4);
STORED_AT(InodeBase, access_time, 0x8);
STORED_AT(InodeBase, change_time, 0xC);
STORED_AT(InodeBase, modify_time, 0x10);
STORED_AT(InodeBase, delete_time, 0x14);
STORED_AT(InodeBase, gid_low, 0x18);
STORED_AT(InodeBase, links, 0x1A);
STORED_AT(InodeBase, sectors_low, 0x1C);
STORED_AT(InodeBase, flags, 0x20);
STORED_AT(InodeBase, version_low, 0x24);
STORED_AT(InodeBase, block_area, 0x28);
STORED_AT(InodeBase, generation, 0x64);
STORED_AT(InodeBase, xattr_block_low, 0x68);
STORED_AT(InodeBase, size_high, 0x6C);
STORED_AT(InodeBase, fragment_address, 0x70);
STORED_AT(InodeBase, sectors_high, 0x74);
STORED_AT(InodeBase, xattr_block_high, 0x76);
STORED_AT(InodeBase, uid_high, 0x78);
STORED_AT(InodeBase, gid_high, 0x7A);
STORED_AT(InodeBase, checksum_low, 0x7C);
STORED_AT(InodeBase, reserved, 0x7E);

// What may follow it; only the first `extra_bytes` of it mean anything.  Offsets from byte 128.
struct InodeExtra {
  Le16 extra_bytes;        // i_extra_isize
  Le16 checksum_high;      // i_checksum_hi
  Le32 change_time_extra;  // i_ctime_extra: nanoseconds << 2, and 2 bits more of seconds
  Le32 modify_time_extra;  // i_mtime_extra
  Le32 access_time_extra;  // i_atime_extra
  Le32 create_time;        // i_crtime
  Le32 create_time_extra;  // i_crtime_extra
  Le32 version_high;       // i_version_hi
  Le32 project;            // i_projid
};
static_assert(sizeof(InodeExtra) == 32 && Stored<InodeExtra>);
STORED_AT(InodeExtra, extra_bytes, 0x0);
STORED_AT(InodeExtra, checksum_high, 0x2);
STORED_AT(InodeExtra, change_time_extra, 0x4);
STORED_AT(InodeExtra, modify_time_extra, 0x8);
STORED_AT(InodeExtra, access_time_extra, 0xC);
STORED_AT(InodeExtra, create_time, 0x10);
STORED_AT(InodeExtra, create_time_extra, 0x14);
STORED_AT(InodeExtra, version_high, 0x18);
STORED_AT(InodeExtra, project, 0x1C);

struct ExtentHeader {
  Le16 magic;       // eh_magic
  Le16 entries;     // eh_entries
  Le16 capacity;    // eh_max
  Le16 depth;       // eh_depth: 0 in a leaf
  Le32 generation;  // eh_generation
};
static_assert(sizeof(ExtentHeader) == 12 && Stored<ExtentHeader>);
STORED_AT(ExtentHeader, magic, 0x0);
STORED_AT(ExtentHeader, entries, 0x2);
STORED_AT(ExtentHeader, capacity, 0x4);
STORED_AT(ExtentHeader, depth, 0x6);
STORED_AT(ExtentHeader, generation, 0x8);

struct ExtentIndexEntry {
  Le32 file_block;  // ei_block
  Le32 node_low;    // ei_leaf_lo
  Le16 node_high;   // ei_leaf_hi
  Le16 unused;      // ei_unused
};
static_assert(sizeof(ExtentIndexEntry) == 12 && Stored<ExtentIndexEntry>);
STORED_AT(ExtentIndexEntry, file_block, 0x0);
STORED_AT(ExtentIndexEntry, node_low, 0x4);
STORED_AT(ExtentIndexEntry, node_high, 0x8);
STORED_AT(ExtentIndexEntry, unused, 0xA);

struct ExtentLeafEntry {
  Le32 file_block;   // ee_block
  Le16 length;       // ee_len
  Le16 device_high;  // ee_start_hi
  Le32 device_low;   // ee_start_lo
};
static_assert(sizeof(ExtentLeafEntry) == 12 && Stored<ExtentLeafEntry>);
STORED_AT(ExtentLeafEntry, file_block, 0x0);
STORED_AT(ExtentLeafEntry, length, 0x4);
STORED_AT(ExtentLeafEntry, device_high, 0x6);
STORED_AT(ExtentLeafEntry, device_low, 0x8);

struct ExtentTail {
  Le32 checksum;  // et_checksum, right after the slots: at 12 + 12 * eh_max
};
static_assert(sizeof(ExtentTail) == 4 && Stored<ExtentTail>);
STORED_AT(ExtentTail, checksum, 0x0);

// The fixed part of a directory entry; the name follows.  Without the filetype feature the byte
// `file_type` is the (always zero) high half of the name's length.
struct DirEntry {
  Le32 inode;               // inode; 0: unused
  Le16 record_bytes;        // rec_len
  std::uint8_t name_bytes;  // name_len
  std::uint8_t file_type;   // file_type
};
static_assert(sizeof(DirEntry) == 8 && Stored<DirEntry>);
STORED_AT(DirEntry, inode, 0x0);
STORED_AT(DirEntry, record_bytes, 0x4);
STORED_AT(DirEntry, name_bytes, 0x6);
STORED_AT(DirEntry, file_type, 0x7);

struct DirTail {
  Le32 zero_inode;         // det_reserved_zero1
  Le16 record_bytes;       // det_rec_len: 12
  std::uint8_t zero_name;  // det_reserved_zero2
  std::uint8_t file_type;  // det_reserved_ft: 0xDE
  Le32 checksum;           // det_checksum
};
static_assert(sizeof(DirTail) == 12 && Stored<DirTail>);
STORED_AT(DirTail, zero_inode, 0x0);
STORED_AT(DirTail, record_bytes, 0x4);
STORED_AT(DirTail, zero_name, 0x6);
STORED_AT(DirTail, file_type, 0x7);
STORED_AT(DirTail, checksum, 0x8);

struct HtreeRootBlock {
  DirEntry dot;                             // dot
  std::array<std::uint8_t, 4> dot_name;     // dot_name
  DirEntry dotdot;                          // dotdot
  std::array<std::uint8_t, 4> dotdot_name;  // dotdot_name
  Le32 reserved_zero;                       // info.reserved_zero
  std::uint8_t hash_version;                // info.hash_version
  std::uint8_t info_bytes;                  // info.info_length: 8
  std::uint8_t indirect_levels;             // info.indirect_levels
  std::uint8_t unused_flags;                // info.unused_flags
};
static_assert(sizeof(HtreeRootBlock) == 32 && Stored<HtreeRootBlock>);
STORED_AT(HtreeRootBlock, dot, 0x0);
STORED_AT(HtreeRootBlock, dot_name, 0x8);
STORED_AT(HtreeRootBlock, dotdot, 0xC);
STORED_AT(HtreeRootBlock, dotdot_name, 0x14);
STORED_AT(HtreeRootBlock, reserved_zero, 0x18);
STORED_AT(HtreeRootBlock, hash_version, 0x1C);
STORED_AT(HtreeRootBlock, info_bytes, 0x1D);
STORED_AT(HtreeRootBlock, indirect_levels, 0x1E);
STORED_AT(HtreeRootBlock, unused_flags, 0x1F);

// In the place of the first entry's hash.
struct HtreeLimit {
  Le16 limit;  // limit: entries that fit, this one included
  Le16 count;  // count: entries there are, this one included
};
static_assert(sizeof(HtreeLimit) == 4 && Stored<HtreeLimit>);
STORED_AT(HtreeLimit, limit, 0x0);
STORED_AT(HtreeLimit, count, 0x2);

struct HtreeSlot {
  Le32 hash;   // hash
  Le32 block;  // block: a file block of the directory
};
static_assert(sizeof(HtreeSlot) == 8 && Stored<HtreeSlot>);
STORED_AT(HtreeSlot, hash, 0x0);
STORED_AT(HtreeSlot, block, 0x4);

struct HtreeTail {
  Le32 reserved;  // dt_reserved
  Le32 checksum;  // dt_checksum
};
static_assert(sizeof(HtreeTail) == 8 && Stored<HtreeTail>);
STORED_AT(HtreeTail, reserved, 0x0);
STORED_AT(HtreeTail, checksum, 0x4);

inline constexpr std::uint32_t kOrphanMagic = 0x0B10CA04;
struct OrphanTail {  // at the end of each block of the orphan file
  Le32 magic;        // ob_magic
  Le32 checksum;     // ob_checksum
};
static_assert(sizeof(OrphanTail) == 8 && Stored<OrphanTail>);
STORED_AT(OrphanTail, magic, 0x0);
STORED_AT(OrphanTail, checksum, 0x4);

inline constexpr std::uint32_t kMmpMagic = 0x004D4D50;
struct MmpRecord {
  Le32 magic;                               // mmp_magic
  Le32 sequence;                            // mmp_seq
  Le64 time;                                // mmp_time
  std::array<std::uint8_t, 64> node;        // mmp_nodename
  std::array<std::uint8_t, 32> device;      // mmp_bdevname
  Le16 check_interval;                      // mmp_check_interval
  Le16 reserved1;                           // mmp_pad1
  std::array<std::uint8_t, 904> reserved2;  // mmp_pad2
  Le32 checksum;                            // mmp_checksum: crc32c(seed, all before it)
};
static_assert(sizeof(MmpRecord) == 1024 && Stored<MmpRecord>);
STORED_AT(MmpRecord, magic, 0x0);
STORED_AT(MmpRecord, sequence, 0x4);
STORED_AT(MmpRecord, time, 0x8);
STORED_AT(MmpRecord, node, 0x10);
STORED_AT(MmpRecord, device, 0x50);
STORED_AT(MmpRecord, check_interval, 0x70);
STORED_AT(MmpRecord, reserved1, 0x72);
STORED_AT(MmpRecord, reserved2, 0x74);
STORED_AT(MmpRecord, checksum, 0x3FC);

// Extended attributes.  In an inode they begin at byte 128 + i_extra_isize with XattrBodyHeader, in
// a block of their own with XattrBlockHeader; then come entries, each followed by its name and
// padded to 4 bytes, and 4 zero bytes.  Values lie behind, the first at the end.
inline constexpr std::uint32_t kXattrMagic = 0xEA020000;
struct XattrBodyHeader {
  Le32 magic;  // h_magic
};
static_assert(sizeof(XattrBodyHeader) == 4 && Stored<XattrBodyHeader>);
STORED_AT(XattrBodyHeader, magic, 0x0);

struct XattrBlockHeader {
  Le32 magic;                             // h_magic
  Le32 references;                        // h_refcount
  Le32 block_count;                       // h_blocks: 1
  Le32 hash;                              // h_hash
  Le32 checksum;                          // h_checksum
  std::array<std::uint8_t, 12> reserved;  // h_reserved
};
static_assert(sizeof(XattrBlockHeader) == 32 && Stored<XattrBlockHeader>);
STORED_AT(XattrBlockHeader, magic, 0x0);
STORED_AT(XattrBlockHeader, references, 0x4);
STORED_AT(XattrBlockHeader, block_count, 0x8);
STORED_AT(XattrBlockHeader, hash, 0xC);
STORED_AT(XattrBlockHeader, checksum, 0x10);
STORED_AT(XattrBlockHeader, reserved, 0x14);

struct XattrEntry {
  std::uint8_t name_bytes;  // e_name_len
  std::uint8_t name_index;  // e_name_index
  Le16 value_offset;        // e_value_offs: from the first entry, in a block from its start
  Le32 value_inode;         // e_value_inum
  Le32 value_bytes;         // e_value_size
  Le32 hash;                // e_hash
};
static_assert(sizeof(XattrEntry) == 16 && Stored<XattrEntry>);
STORED_AT(XattrEntry, name_bytes, 0x0);
STORED_AT(XattrEntry, name_index, 0x1);
STORED_AT(XattrEntry, value_offset, 0x2);
STORED_AT(XattrEntry, value_inode, 0x4);
STORED_AT(XattrEntry, value_bytes, 0x8);
STORED_AT(XattrEntry, hash, 0xC);

// An ACL as the value of an attribute: its version, then entries.  Those for a named user or group
// have an id.
inline constexpr std::uint32_t kAclVersion = 1;
struct AclEntry {
  Le16 tag;          // e_tag
  Le16 permissions;  // e_perm
};
static_assert(sizeof(AclEntry) == 4 && Stored<AclEntry>);
STORED_AT(AclEntry, tag, 0x0);
STORED_AT(AclEntry, permissions, 0x2);

struct AclNamedEntry {
  AclEntry entry;
  Le32 id;  // e_id
};
static_assert(sizeof(AclNamedEntry) == 8 && Stored<AclNamedEntry>);
STORED_AT(AclNamedEntry, entry, 0x0);
STORED_AT(AclNamedEntry, id, 0x4);

}  // namespace powercut::disk
