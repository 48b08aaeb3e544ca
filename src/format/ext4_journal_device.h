// The ext4 superblock of an external journal (mke2fs -O journal_dev): a device that is nothing but
// a journal.  Its other fields mean nothing, so it is no Superblock.
//
//   blocks of 1 KiB   0: boot   1: this superblock   2: the journal's superblock   3 ...: the ring
//   larger blocks     0: boot, and this superblock   1: the journal's superblock   2 ...: the ring
//
// Source: Linux Documentation/filesystems/ext4/journal.rst, and what mke2fs 1.47 writes.
#pragma once

#include "format/ext4.h"

namespace powercut {

struct JournalDeviceSuperblock {
  std::uint32_t log_block_size = 0;  // s_log_block_size: blocks of 1024 << this bytes
  std::uint64_t block_count = 0;     // s_blocks_count
  Ext4Uuid uuid{};                   // s_uuid: what the file system's s_journal_uuid says
  std::uint32_t checksum = 0;        // s_checksum, as stored

  // `block` is the 1024 bytes at kSuperblockOffset.
  // Errors: kInvalid (no ext4 superblock, or without journal_dev), kCorrupt (block count),
  // kChecksum (with metadata_csum), kUnsupported (a block size over 64 KiB, a checksum other than
  // crc32c).
  static Result<JournalDeviceSuperblock> parse(Bytes block);
  void encode(MutableBytes block) const;

  std::uint32_t block_bytes() const { return std::uint32_t{1024} << log_block_size; }
  // The block with the journal's own superblock: log block 0.
  BlockNo journal_block() const { return BlockNo(log_block_size == 0 ? 2 : 1); }
};

}  // namespace powercut
