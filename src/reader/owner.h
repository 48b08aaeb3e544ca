// To whom a block belongs.
//
// The fixed structures are looked at first, then the descriptors of all groups, the journal, and
// the inodes in use, from the flexible group of the block on.  Only when the inode is known is a
// name looked for: the tree of directories is walked breadth first until one is found.
#pragma once

#include <string>

#include "reader/volume.h"

namespace powercut {

enum class OwnerKind : std::uint8_t {
  kUnknown,           // could not be read (the text says why)
  kFree,              // no structure and no inode claims it
  kSuperblock,        // superblock or one of its backups; the boot block; the multi-mount block
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
  // For kUnknown: why.  Else what is special: "boot block", "in use in the block bitmap" (kFree).
  std::string note;
  std::uint32_t group = 0;  // kSuperblock to kInodeTable: the group that lies or is described there
  // "/w/h0 (inode 14) offset 0x1000", "inode bitmap of group 3", "inode 12 (unlinked) offset 0x0".
  std::string describe(std::uint32_t block_bytes) const;
};

// Looks for the owner of `block` in `volume` (which may lie on a RecoveredView: metadata must be
// read as of the transaction concerned).  Visits at most `inodes_max` inodes and directory entries;
// damage on the way is skipped, and makes the answer kUnknown only if nothing claims the block.
Owner find_owner(const Volume& volume, BlockNo block, std::uint64_t inodes_max = 4'000'000);

}  // namespace powercut
