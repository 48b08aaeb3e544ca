// The journal (jbd2) as it lies on disk.  Data only: nothing here reads a device or decides.
//
//   log block    0      first .................................. ring end ........ s_maxlen
//              +----+------------+------+------+--------+-- - - --+---------------+
//              | SB | descriptor | data | data | commit |  ...    | fast commits  |
//              +----+------------+------+------+--------+-- - - --+---------------+
//                    the ring: after its last block comes `first` again
//
//   descriptor block, block size B, with kCsumV3:
//     offset 0    12           28       44                  B-4      B
//            +----+------------+--------+----- - - - -------+--------+
//            | H  | tag 0      | UUID   | tag 1 | tag 2 ... | tail   |
//            +----+------------+--------+----- - - - -------+--------+
//     The 16-byte UUID follows each tag that lacks kSameUuid; the last tag has kLastTag.
//     Without kCsumV2 and kCsumV3 there is no tail.
//
//   bytes of a tag       32-bit numbers   with k64Bit
//     no checksum, v1           8             12
//     kCsumV2                  10             14      two bytes that mean nothing end the tag
//     kCsumV3                  16             16
//
// All integers are big-endian, except in the fast-commit area.  Source: Linux
// Documentation/filesystems/ext4/journal.rst.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/stored_int.h"

namespace powercut::disk {

struct JournalHeader {
  Be32 magic;     // h_magic
  Be32 type;      // h_blocktype
  Be32 sequence;  // h_sequence
};
static_assert(sizeof(JournalHeader) == 12 && alignof(JournalHeader) == 1);
STORED_AT(JournalHeader, magic, 0x0);
STORED_AT(JournalHeader, type, 0x4);
STORED_AT(JournalHeader, sequence, 0x8);

struct JournalSuperblock {
  JournalHeader header;                  // s_header; its sequence means nothing
  Be32 block_bytes;                      // s_blocksize
  Be32 log_block_count;                  // s_maxlen
  Be32 first;                            // s_first
  Be32 sequence;                         // s_sequence
  Be32 start;                            // s_start
  Be32 error;                            // s_errno
  Be32 compat;                           // s_feature_compat: here ends version 1
  Be32 incompat;                         // s_feature_incompat
  Be32 ro_compat;                        // s_feature_ro_compat
  std::array<std::uint8_t, 16> uuid;     // s_uuid
  Be32 user_count;                       // s_nr_users
  Be32 dynamic_superblock;               // s_dynsuper
  Be32 transaction_blocks_max;           // s_max_transaction
  Be32 transaction_data_blocks_max;      // s_max_trans_data
  std::uint8_t checksum_type;            // s_checksum_type
  std::array<std::uint8_t, 3> padding1;  // s_padding2
  Be32 fast_commit_block_count;          // s_num_fc_blks
  Be32 head;                             // s_head
  std::array<Be32, 40> padding2;         // s_padding
  Be32 checksum;                         // s_checksum
  std::array<std::uint8_t, 768> users;   // s_users: 48 UUIDs
};
static_assert(sizeof(JournalSuperblock) == 1024 && alignof(JournalSuperblock) == 1);
STORED_AT(JournalSuperblock, header, 0x0);
STORED_AT(JournalSuperblock, block_bytes, 0xC);
STORED_AT(JournalSuperblock, log_block_count, 0x10);
STORED_AT(JournalSuperblock, first, 0x14);
STORED_AT(JournalSuperblock, sequence, 0x18);
STORED_AT(JournalSuperblock, start, 0x1C);
STORED_AT(JournalSuperblock, error, 0x20);
STORED_AT(JournalSuperblock, compat, 0x24);
STORED_AT(JournalSuperblock, incompat, 0x28);
STORED_AT(JournalSuperblock, ro_compat, 0x2C);
STORED_AT(JournalSuperblock, uuid, 0x30);
STORED_AT(JournalSuperblock, user_count, 0x40);
STORED_AT(JournalSuperblock, dynamic_superblock, 0x44);
STORED_AT(JournalSuperblock, transaction_blocks_max, 0x48);
STORED_AT(JournalSuperblock, transaction_data_blocks_max, 0x4C);
STORED_AT(JournalSuperblock, checksum_type, 0x50);
STORED_AT(JournalSuperblock, padding1, 0x51);
STORED_AT(JournalSuperblock, fast_commit_block_count, 0x54);
STORED_AT(JournalSuperblock, head, 0x58);
STORED_AT(JournalSuperblock, padding2, 0x5C);
STORED_AT(JournalSuperblock, checksum, 0xFC);
STORED_AT(JournalSuperblock, users, 0x100);

inline constexpr std::uint8_t kChecksumTypeCrc32 = 1;  // commit blocks with v1
inline constexpr std::uint8_t kChecksumSizeCrc32 = 4;
inline constexpr std::uint8_t kChecksumTypeCrc32c = 4;  // s_checksum_type with v2 and v3
inline constexpr std::uint32_t kDefaultFastCommitBlocks = 256;

// The flags of a tag.  Stored in 16 bits; with kCsumV3 they are the low half of a 32-bit field.
enum class TagFlag : std::uint16_t {
  kEscaped = 1,   // the first four bytes of the data block are the magic, and zero in the log
  kSameUuid = 2,  // no UUID follows this tag
  kDeleted = 4,   // never written by Linux
  kLastTag = 8,
};

struct Tag8 {
  Be32 block_low;  // t_blocknr
  Be16 checksum;   // t_checksum: kCsumV2 only, the low 16 bits
  Be16 flags;      // t_flags
};
static_assert(sizeof(Tag8) == 8 && alignof(Tag8) == 1);
STORED_AT(Tag8, block_low, 0x0);
STORED_AT(Tag8, checksum, 0x4);
STORED_AT(Tag8, flags, 0x6);

struct Tag10 {  // kCsumV2
  Tag8 low;
  std::array<std::uint8_t, 2> unused;
};
static_assert(sizeof(Tag10) == 10 && alignof(Tag10) == 1);
STORED_AT(Tag10, low, 0x0);
STORED_AT(Tag10, unused, 0x8);

struct Tag12 {  // k64Bit
  Tag8 low;
  Be32 block_high;  // t_blocknr_high
};
static_assert(sizeof(Tag12) == 12 && alignof(Tag12) == 1);
STORED_AT(Tag12, low, 0x0);
STORED_AT(Tag12, block_high, 0x8);

struct Tag14 {  // kCsumV2 and k64Bit
  Tag12 wide;
  std::array<std::uint8_t, 2> unused;
};
static_assert(sizeof(Tag14) == 14 && alignof(Tag14) == 1);
STORED_AT(Tag14, wide, 0x0);
STORED_AT(Tag14, unused, 0xC);

struct Tag16 {      // kCsumV3, with and without k64Bit
  Be32 block_low;   // t_blocknr
  Be16 flags_high;  // upper half of t_flags: written as zero, not read
  Be16 flags;       // lower half of t_flags
  Be32 block_high;  // t_blocknr_high: read with k64Bit only
  Be32 checksum;    // t_checksum
};
static_assert(sizeof(Tag16) == 16 && alignof(Tag16) == 1);
STORED_AT(Tag16, block_low, 0x0);
STORED_AT(Tag16, flags_high, 0x4);
STORED_AT(Tag16, flags, 0x6);
STORED_AT(Tag16, block_high, 0x8);
STORED_AT(Tag16, checksum, 0xC);

struct BlockTail {  // the last four bytes of a descriptor or revoke block, with v2 and v3
  Be32 checksum;    // t_checksum, r_checksum
};
static_assert(sizeof(BlockTail) == 4 && alignof(BlockTail) == 1);
STORED_AT(BlockTail, checksum, 0x0);

struct RevokeHeader {
  JournalHeader header;  // r_header
  Be32 used_bytes;       // r_count: bytes in use, this header included
};
static_assert(sizeof(RevokeHeader) == 16 && alignof(RevokeHeader) == 1);
STORED_AT(RevokeHeader, header, 0x0);
STORED_AT(RevokeHeader, used_bytes, 0xC);

struct CommitBlock {
  JournalHeader header;
  std::uint8_t checksum_type;           // h_chksum_type
  std::uint8_t checksum_size;           // h_chksum_size
  std::array<std::uint8_t, 2> padding;  // h_padding
  std::array<Be32, 8> checksums;        // h_chksum: only the first is in use
  Be64 seconds;                         // h_commit_sec
  Be32 nanoseconds;                     // h_commit_nsec
};
static_assert(sizeof(CommitBlock) == 60 && alignof(CommitBlock) == 1);
STORED_AT(CommitBlock, header, 0x0);
STORED_AT(CommitBlock, checksum_type, 0xC);
STORED_AT(CommitBlock, checksum_size, 0xD);
STORED_AT(CommitBlock, padding, 0xE);
STORED_AT(CommitBlock, checksums, 0x10);
STORED_AT(CommitBlock, seconds, 0x30);
STORED_AT(CommitBlock, nanoseconds, 0x38);

// What Linux takes for the header of a torn commit block: the structure and what pads it.
inline constexpr std::size_t kCommitHeadBytes = 64;

// The records of the fast-commit area.  Little-endian.  Each begins with its tag and the number of
// bytes that follow; none goes past the end of its block.
struct FastCommitTagHeader {
  Le16 tag;     // fc_tag
  Le16 length;  // fc_len: bytes of what follows
};
static_assert(sizeof(FastCommitTagHeader) == 4 && alignof(FastCommitTagHeader) == 1);
STORED_AT(FastCommitTagHeader, tag, 0x0);
STORED_AT(FastCommitTagHeader, length, 0x2);

struct FastCommitHead {
  Le16 tag;       // fc_tag
  Le16 length;    // fc_len
  Le32 features;  // fc_features: 0
  Le32 tid;       // fc_tid
};
static_assert(sizeof(FastCommitHead) == 12 && alignof(FastCommitHead) == 1);
STORED_AT(FastCommitHead, tag, 0x0);
STORED_AT(FastCommitHead, length, 0x2);
STORED_AT(FastCommitHead, features, 0x4);
STORED_AT(FastCommitHead, tid, 0x8);

struct FastCommitTail {  // what follows the header of a tail; the rest of its block is unused
  Le32 tid;              // fc_tid
  Le32 checksum;         // fc_crc: crc32c(0, all since the last tail, up to here)
};
static_assert(sizeof(FastCommitTail) == 8 && alignof(FastCommitTail) == 1);
STORED_AT(FastCommitTail, tid, 0x0);
STORED_AT(FastCommitTail, checksum, 0x4);

struct FastCommitAddRange {
  Le32 inode;        // fc_ino
  Le32 file_block;   // ee_block of fc_ex, an extent
  Le16 count;        // ee_len; above 32768: unwritten, less this
  Le16 device_high;  // ee_start_hi
  Le32 device_low;   // ee_start_lo
};
static_assert(sizeof(FastCommitAddRange) == 16 && alignof(FastCommitAddRange) == 1);
STORED_AT(FastCommitAddRange, inode, 0x0);
STORED_AT(FastCommitAddRange, file_block, 0x4);
STORED_AT(FastCommitAddRange, count, 0x8);
STORED_AT(FastCommitAddRange, device_high, 0xA);
STORED_AT(FastCommitAddRange, device_low, 0xC);

struct FastCommitDeleteRange {
  Le32 inode;       // fc_ino
  Le32 file_block;  // fc_lblk
  Le32 count;       // fc_len
};
static_assert(sizeof(FastCommitDeleteRange) == 12 && alignof(FastCommitDeleteRange) == 1);
STORED_AT(FastCommitDeleteRange, inode, 0x0);
STORED_AT(FastCommitDeleteRange, file_block, 0x4);
STORED_AT(FastCommitDeleteRange, count, 0x8);

struct FastCommitName {  // kCreate, kLink, kUnlink: the name follows, up to the record's end
  Le32 parent;           // fc_parent_ino
  Le32 inode;            // fc_ino
};
static_assert(sizeof(FastCommitName) == 8 && alignof(FastCommitName) == 1);
STORED_AT(FastCommitName, parent, 0x0);
STORED_AT(FastCommitName, inode, 0x4);

inline constexpr std::uint16_t kFastCommitHeadTag = 9;
inline constexpr std::uint16_t kFastCommitUnwrittenBase = 32768;

}  // namespace powercut::disk
