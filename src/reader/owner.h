// To whom a block belongs.
#pragma once

#include <string>

#include "reader/volume.h"

namespace powercut {

enum class OwnerKind : std::uint8_t {
  kUnknown,           // could not be read (the text says why)
  kFree,              // no structure and no inode claims it
  kSuperblock,        // superblock or one of its backups
  kGroupDescriptors,  // the table, a backup, or blocks reserved for its growth
  kBlockBitmap,
  kInodeBitmap,
  kInodeTable,
  kJournal,
  kFileData,
  kDirectory,
  kExtentTree,
  kXattr,
  kSymlink,
};
std::string_view owner_kind_name(OwnerKind kind);

struct Owner {
  OwnerKind kind = OwnerKind::kUnknown;
  InodeNo inode;             // the inode concerned; the first inode of the block for kInodeTable
  FileBlock file_block;      // kFileData, kDirectory, kJournal, kSymlink
  std::string path;          // absolute; empty where there is none
  bool is_unlinked = false;  // an open file without a name: links 0
  std::string note;          // for kUnknown: why
  // "/w/h0 (inode 14) offset 0x1000", "inode bitmap of group 3", "inode 12 (unlinked) offset 0x0".
  std::string describe(std::uint32_t block_bytes) const;
};

// Looks for the owner of `block` in `volume` (which may lie on a RecoveredView: metadata must be read
// as of the transaction concerned).  Visits at most `inodes_max` inodes and directory entries;
// damage on the way is skipped, and makes the answer kUnknown only if nothing claims the block.
Owner find_owner(const Volume& volume, BlockNo block, std::uint64_t inodes_max = 4'000'000);

}  // namespace powercut
