// ext4 as checked values: bytes in, values out, and back.  No I/O here, and no trust in any count
// or length.  How it lies on disk: ext4_disk.h; with a worked example: docs/format-ext4.md.
//
// Words
//   group       blocks_per_group blocks with their own bitmaps and inode table
//   cluster     the unit of a block bitmap; one block without bigalloc
//   backup      a copy of superblock and descriptor table in another group
//   block area  the 60 bytes of an inode that hold an extent root, a short symlink, inline data
//               or a device number
//   extent      up to 32768 file blocks that lie one after another on the device
//   htree       an index over the names of a directory, kept in some of its blocks
//
// Invariants
//   1. `parse` is the only way from bytes to a value that is said to be checked.  It looks at the
//      checksum (metadata_csum; the older group checksum too) before it looks at anything else that
//      the checksum covers, so that damage is called kChecksum; not while fuzzing.
//   2. `encode` writes the fields known here and the checksum into an existing block, and leaves
//      all other bytes: parse, then encode into the same block, changes nothing.
//   3. A device block number in a parsed value is one of the file system; a length next to it ends
//      inside it.
//
// Source: Linux Documentation/filesystems/ext4/.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/units.h"
#include "format/ext4_features.h"

namespace powercut {

inline constexpr std::uint64_t kSuperblockOffset = 1024;  // bytes from the start of the device
inline constexpr std::size_t kSuperblockBytes = 1024;
// Of the superblock of a file system or of a journal's device.
std::uint32_t superblock_checksum(Bytes block);
inline constexpr std::size_t kBlockAreaBytes = 60;
inline constexpr std::uint16_t kExtentDepthMax = 5;

// Inodes with a meaning of their own.
inline constexpr InodeNo kBadBlocksInode{1};
inline constexpr InodeNo kRootInode{2};
inline constexpr InodeNo kResizeInode{7};

// ---- superblock
// ------------------------------------------------------------------------------------

enum class Ext4State : std::uint16_t { kValid = 1, kErrors = 2, kOrphans = 4 };  // stored, bits

using Ext4Uuid = std::array<std::uint8_t, 16>;

// What a kernel noted of an error that it found (s_first_error_*, s_last_error_*).
struct ErrorRecord {
  std::uint64_t seconds = 0;  // since 1970; 0: there was none
  InodeNo inode;
  std::uint64_t block = 0;
  std::array<std::uint8_t, 32> function_bytes{};
  std::uint32_t line = 0;
  std::uint8_t code = 0;  // ext4's number for an errno; 0: not recorded
  std::string_view function() const;
};

struct Superblock {
  std::uint64_t block_count = 0;      // s_blocks_count
  std::uint64_t reserved_blocks = 0;  // s_r_blocks_count
  // s_free_blocks_count; of blocks with bigalloc too, where the groups count clusters.
  std::uint64_t free_blocks = 0;
  std::uint32_t inode_count = 0;         // s_inodes_count
  std::uint32_t free_inodes = 0;         // s_free_inodes_count
  BlockNo first_data_block;              // s_first_data_block: 1 with blocks of 1 KiB, else 0
  std::uint32_t log_block_size = 0;      // s_log_block_size: blocks of 1024 << this bytes
  std::uint32_t log_cluster_size = 0;    // s_log_cluster_size: the same for clusters
  std::uint32_t blocks_per_group = 0;    // s_blocks_per_group
  std::uint32_t clusters_per_group = 0;  // s_clusters_per_group
  std::uint32_t inodes_per_group = 0;    // s_inodes_per_group
  std::uint64_t mount_seconds = 0;       // s_mtime, seconds since 1970
  std::uint64_t write_seconds = 0;       // s_wtime
  std::uint64_t check_seconds = 0;       // s_lastcheck
  std::uint64_t mkfs_seconds = 0;        // s_mkfs_time
  std::uint16_t mount_count = 0;         // s_mnt_count
  std::int16_t mount_count_max = -1;     // s_max_mnt_count: checked after so many; -1: never
  std::uint32_t check_interval = 0;      // s_checkinterval, seconds; 0: none
  std::uint16_t state = 0;               // s_state, Ext4State bits
  std::uint16_t error_behaviour = 0;     // s_errors: 1 continue, 2 remount read-only, 3 panic
  std::uint32_t creator_os = 0;          // s_creator_os: 0 Linux
  std::uint32_t revision = 1;            // s_rev_level: 0 knows neither features nor inode sizes
  InodeNo first_inode{11};               // s_first_ino: the first that is not reserved
  std::uint16_t inode_bytes = 256;       // s_inode_size
  std::uint16_t group_of_copy = 0;       // s_block_group_nr: the group that this copy lies in
  std::uint32_t compat = 0, incompat = 0, ro_compat = 0;
  Ext4Uuid uuid{};                                    // s_uuid
  std::array<std::uint8_t, 16> label_bytes{};         // s_volume_name
  std::array<std::uint8_t, 64> last_mounted_bytes{};  // s_last_mounted
  std::uint16_t reserved_descriptor_blocks = 0;       // s_reserved_gdt_blocks: after each table
  Ext4Uuid journal_uuid{};                            // s_journal_uuid, of an external journal
  InodeNo journal_inode;                              // s_journal_inum; 0: none inside
  std::uint32_t journal_device = 0;                   // s_journal_dev
  InodeNo last_orphan;                       // s_last_orphan: the head of the orphan list, or 0
  std::array<std::uint32_t, 4> hash_seed{};  // s_hash_seed
  std::uint8_t hash_version = 0;             // s_def_hash_version
  std::uint8_t journal_backup_type = 0;  // s_jnl_backup_type: 1 if journal_backup means something
  std::array<std::uint32_t, 17> journal_backup{};  // s_jnl_blocks: block area and size of its inode
  std::uint16_t descriptor_bytes = 32;             // s_desc_size; 32 without 64bit
  std::uint32_t default_mount_options = 0;         // s_default_mount_opts
  std::uint32_t first_meta_group = 0;              // s_first_meta_bg
  std::uint16_t extra_isize_min = 0, extra_isize_wanted = 0;  // s_min_, s_want_extra_isize
  std::uint32_t flags = 0;               // s_flags: 1 signed hash, 2 unsigned hash, 4 test system
  BlockNo mmp_block;                     // s_mmp_block
  std::uint8_t log_groups_per_flex = 0;  // s_log_groups_per_flex
  std::uint8_t checksum_type = 0;        // s_checksum_type: 1, crc32c
  std::uint64_t kilobytes_written = 0;   // s_kbytes_written
  std::uint32_t error_count = 0;         // s_error_count
  ErrorRecord first_error, last_error;
  std::uint16_t reserved_uid = 0, reserved_gid = 0;                  // s_def_resuid, s_def_resgid
  std::uint16_t mmp_interval = 0;                                    // s_mmp_interval, seconds
  InodeNo user_quota_inode, group_quota_inode, project_quota_inode;  // s_usr_, s_grp_, s_prj_
  std::uint32_t overhead_clusters = 0;                               // s_overhead_clusters
  std::array<std::uint32_t, 2> backup_groups{};                      // s_backup_bgs, sparse_super2
  std::uint32_t stored_checksum_seed = 0;  // s_checksum_seed, with metadata_csum_seed
  InodeNo orphan_file_inode;               // s_orphan_file_inum
  std::uint32_t checksum = 0;              // s_checksum, as stored

  // `block` is the 1024 bytes of the superblock or of a backup; `device_bytes` the length of what
  // it stands on. Errors: kCorrupt (magic, sizes, counts, more blocks than the device), kChecksum,
  // kUnsupported (an incompat feature, by its name in `detail`; a block size over 64 KiB).
  static Result<Superblock> parse(Bytes block, std::uint64_t device_bytes);
  void encode(MutableBytes block) const;

  bool has(Ext4Compat feature) const { return (compat & static_cast<std::uint32_t>(feature)) != 0; }
  bool has(Ext4Incompat feature) const {
    return (incompat & static_cast<std::uint32_t>(feature)) != 0;
  }
  bool has(Ext4RoCompat feature) const {
    return (ro_compat & static_cast<std::uint32_t>(feature)) != 0;
  }
  bool has(Ext4State bit) const { return (state & static_cast<std::uint16_t>(bit)) != 0; }
  bool has_metadata_checksums() const { return has(Ext4RoCompat::kMetadataChecksum); }
  bool needs_recovery() const { return has(Ext4Incompat::kRecover); }
  std::string_view label() const;
  std::string_view last_mounted() const;

  // Sizes and counts that follow.
  std::uint32_t block_bytes() const { return std::uint32_t{1024} << log_block_size; }
  std::uint32_t blocks_per_cluster() const {
    return std::uint32_t{1} << (log_cluster_size - log_block_size);
  }
  std::uint32_t group_count() const;
  std::uint32_t descriptors_per_block() const { return block_bytes() / descriptor_bytes; }
  std::uint32_t descriptor_block_count() const;
  std::uint32_t inodes_per_block() const { return block_bytes() / inode_bytes; }
  std::uint32_t inode_table_blocks() const { return inodes_per_group / inodes_per_block(); }
  // What the checksums of metadata begin with: of the UUID, or as stored.
  std::uint32_t checksum_seed() const;

  // Where things lie (ext4_layout.cc).  `group` < group_count().
  BlockNo first_block_of(std::uint32_t group) const;
  std::uint64_t block_count_of(std::uint32_t group) const;
  std::uint32_t group_of(BlockNo block) const;  // `block` >= first_data_block
  bool has_superblock(std::uint32_t group) const;
  // The block with the superblock's copy in `group`, which has one.
  BlockNo superblock_block(std::uint32_t group) const;
  // The block of the primary descriptor table with index `index` < descriptor_block_count().
  BlockNo descriptor_block(std::uint32_t index) const;
  // Whether `block` is superblock, descriptor table or table reserve of its group, by position.
  enum class Fixed : std::uint8_t { kNone, kSuperblock, kDescriptors, kReservedDescriptors };
  Fixed fixed_block(BlockNo block) const;
  // True if [first, first + count) lies in the file system.
  bool contains(BlockNo first, std::uint64_t count = 1) const {
    return first >= first_data_block && first.value() < block_count &&
           count <= block_count - first.value();
  }
};

// ---- group descriptors
// -----------------------------------------------------------------------------

enum class GroupFlag : std::uint16_t {  // stored
  kInodesUninitialised = 1,             // EXT4_BG_INODE_UNINIT: the inode bitmap was never written
  kBlocksUninitialised = 2,             // EXT4_BG_BLOCK_UNINIT: the same of the block bitmap
  kInodeTableZeroed = 4,                // EXT4_BG_INODE_ZEROED
};

struct GroupDescriptor {
  std::uint32_t index = 0;                  // the group; not stored
  BlockNo block_bitmap;                     // bg_block_bitmap
  BlockNo inode_bitmap;                     // bg_inode_bitmap
  BlockNo inode_table;                      // bg_inode_table: the first of its blocks
  std::uint32_t free_blocks = 0;            // bg_free_blocks_count; of clusters
  std::uint32_t free_inodes = 0;            // bg_free_inodes_count
  std::uint32_t used_directories = 0;       // bg_used_dirs_count
  std::uint16_t flags = 0;                  // bg_flags
  std::uint32_t block_bitmap_checksum = 0;  // bg_block_bitmap_csum; 16 bits without 64bit
  std::uint32_t inode_bitmap_checksum = 0;  // bg_inode_bitmap_csum
  std::uint32_t itable_unused = 0;  // bg_itable_unused: inodes at the end that were never used
  std::uint16_t checksum = 0;       // bg_checksum, as stored

  // `stored` is one descriptor, superblock.descriptor_bytes long.
  // Errors: kCorrupt (a pointer out of the file system, counts over the group's), kChecksum
  // (metadata_csum: crc32c; uninit_bg: crc16); `where` is the group.
  static Result<GroupDescriptor> parse(Bytes stored, std::uint32_t index,
                                       const Superblock& superblock);
  void encode(MutableBytes stored, const Superblock& superblock) const;
  bool has(GroupFlag flag) const { return (flags & static_cast<std::uint16_t>(flag)) != 0; }
  // Inodes at the front of the table that may be in use: the others need not be read.
  std::uint32_t inodes_to_read(const Superblock& superblock) const;
};

// Whether a bitmap block is what its group's descriptor says.  Always true without metadata_csum.
bool inode_bitmap_matches(Bytes bitmap, const GroupDescriptor& group, const Superblock& superblock);
bool block_bitmap_matches(Bytes bitmap, const GroupDescriptor& group, const Superblock& superblock);
// Bit `index` of a bitmap; past its end it counts as set.
bool bitmap_bit(Bytes bitmap, std::uint32_t index);

// ---- inodes
// ----------------------------------------------------------------------------------------

enum class InodeType : std::uint8_t {  // the upper four bits of i_mode
  kNone = 0x0,
  kFifo = 0x1,
  kCharacterDevice = 0x2,
  kDirectory = 0x4,
  kBlockDevice = 0x6,
  kRegular = 0x8,
  kSymlink = 0xA,
  kSocket = 0xC,
};

enum class InodeFlag : std::uint32_t {  // stored; those that a reader needs
  kEncrypted = 0x800,
  kIndexed = 0x1000,  // EXT4_INDEX_FL: an htree directory
  kJournalData = 0x4000,
  kHugeFile = 0x40000,  // i_blocks counts file-system blocks
  kExtents = 0x80000,
  kVerity = 0x100000,
  kEaInode = 0x200000,  // holds the value of an extended attribute
  kInlineData = 0x10000000,
  kCaseFold = 0x40000000,
};

struct Timestamp {
  std::int64_t seconds = 0;       // since 1970
  std::uint32_t nanoseconds = 0;  // 30 bits as stored
  friend bool operator==(const Timestamp&, const Timestamp&) = default;
};

struct Inode {
  std::uint16_t mode = 0;          // i_mode
  std::uint32_t uid = 0, gid = 0;  // i_uid, i_gid
  std::uint64_t size = 0;          // i_size, bytes
  Timestamp access_time, change_time, modify_time,
      create_time;                // i_atime, i_ctime, i_mtime, i_crtime
  std::uint32_t delete_time = 0;  // i_dtime; the next orphan's number while on the orphan list
  std::uint16_t links = 0;        // i_links_count
  std::uint64_t sectors = 0;      // i_blocks: of 512 bytes, or blocks with kHugeFile
  std::uint32_t flags = 0;        // i_flags
  std::uint32_t generation = 0;   // i_generation
  std::array<std::uint8_t, kBlockAreaBytes> block_area{};  // i_block
  BlockNo xattr_block;                                     // i_file_acl; 0: none
  std::uint16_t extra_bytes = 0;                           // i_extra_isize
  std::uint32_t project = 0;                               // i_projid, where extra_bytes reach it
  std::uint32_t checksum = 0;  // i_checksum, as stored; 16 bits where extra_bytes do not reach on

  // `stored` is one inode, superblock.inode_bytes long.  An inode that is all zero was never
  // written: it parses without a checksum, to a value of type kNone. Errors: kCorrupt (sizes, a
  // pointer out of the file system), kChecksum; `where` is `number`.
  static Result<Inode> parse(Bytes stored, InodeNo number, const Superblock& superblock);
  void encode(MutableBytes stored, InodeNo number, const Superblock& superblock) const;

  InodeType type() const { return static_cast<InodeType>(mode >> 12); }
  bool is(InodeType wanted) const { return type() == wanted; }
  bool has(InodeFlag flag) const { return (flags & static_cast<std::uint32_t>(flag)) != 0; }
  // A symlink whose target is in the block area.
  bool is_short_symlink() const;
  // Whether the block area leads to data blocks: not for devices, short symlinks and inline data.
  bool has_block_map() const;
};

// What the checksums of one inode's blocks begin with: the seed, its number and its generation.
struct OwnerSeed {
  InodeNo inode;
  std::uint32_t seed = 0;
  static OwnerSeed make(const Superblock& superblock, InodeNo number, std::uint32_t generation);
};

// ---- extent trees
// ----------------------------------------------------------------------------------

struct Extent {
  FileBlock file;
  BlockNo device;
  std::uint32_t count = 0;  // blocks: 1 to 32768, unwritten ones to 32767
  bool is_unwritten = false;
  friend bool operator==(const Extent&, const Extent&) = default;
};

struct ExtentIndex {
  FileBlock file;  // no block of the subtree comes before it
  BlockNo node;
  friend bool operator==(const ExtentIndex&, const ExtentIndex&) = default;
};

// A node: a leaf (depth 0) has extents, an inner node has children.  Both in ascending order of
// file blocks and without overlap.
struct ExtentNode {
  std::uint16_t depth = 0;
  std::uint16_t capacity = 0;    // eh_max
  std::uint32_t generation = 0;  // eh_generation
  std::vector<Extent> extents;
  std::vector<ExtentIndex> children;

  // `area` is an inode's block area.  Errors: kCorrupt; `where` is the inode.
  static Result<ExtentNode> parse_root(Bytes area, InodeNo number, const Superblock& superblock);
  // `block` is one block; `place` its number, for errors.  A node that is not the root has entries.
  // Errors: kCorrupt (also another depth than `depth`), kChecksum; `where` is `place`.
  static Result<ExtentNode> parse_block(Bytes block, BlockNo place, std::uint16_t depth,
                                        const OwnerSeed& owner, const Superblock& superblock);
  // A capacity or a number of entries that does not fit is a mistake of the caller.
  void encode_root(MutableBytes area) const;
  void encode_block(MutableBytes block, const OwnerSeed& owner, const Superblock& superblock) const;
};

// ---- directories
// -----------------------------------------------------------------------------------

inline constexpr std::uint8_t kDirectoryFileType = 2;

struct DirectoryRecord {
  InodeNo inode;                   // 0: unused
  std::uint32_t record_bytes = 0;  // up to the next record
  std::uint8_t file_type = 0;      // 0 without the filetype feature
  std::string name;                // 1 to 255 bytes; may be empty or old where unused
};

// A linear directory block: its records fill it up to the tail.
struct DirectoryBlock {
  std::vector<DirectoryRecord> records;

  // `place` is the block's number, for errors.
  // Errors: kCorrupt (lengths, an inode past the last, a name with '/' or a zero byte), kChecksum
  // (also where the tail is missing).
  static Result<DirectoryBlock> parse(Bytes block, BlockNo place, const OwnerSeed& owner,
                                      const Superblock& superblock);
  // Records that do not fill the block exactly are a mistake of the caller.
  void encode(MutableBytes block, const OwnerSeed& owner, const Superblock& superblock) const;
};

struct HtreeEntry {
  std::uint32_t hash = 0;  // names with this hash and above, up to the next entry's; 0 in the first
  FileBlock block;         // of the directory
  friend bool operator==(const HtreeEntry&, const HtreeEntry&) = default;
};

// The first block of an htree directory.
struct HtreeRoot {
  InodeNo self, parent;  // of "." and ".."
  std::uint8_t hash_version = 0;
  std::uint8_t indirect_levels = 0;  // inner levels under the root: 0, 1; 2 with large_dir
  std::uint8_t flags = 0;
  std::vector<HtreeEntry> entries;  // at least one

  // Errors: kCorrupt, kChecksum; as DirectoryBlock.
  static Result<HtreeRoot> parse(Bytes block, BlockNo place, const OwnerSeed& owner,
                                 const Superblock& superblock);
  void encode(MutableBytes block, const OwnerSeed& owner, const Superblock& superblock) const;
};

// An inner block of an htree.
struct HtreeNode {
  std::vector<HtreeEntry> entries;
  static Result<HtreeNode> parse(Bytes block, BlockNo place, const OwnerSeed& owner,
                                 const Superblock& superblock);
  void encode(MutableBytes block, const OwnerSeed& owner, const Superblock& superblock) const;
};

// Whether a block of an indexed directory, not its first, is an inner node of the htree: one unused
// record as long as the block.
bool looks_like_htree_node(Bytes block);

}  // namespace powercut
