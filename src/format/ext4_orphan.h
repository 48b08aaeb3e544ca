// One block of the orphan file (feature orphan_file): the numbers of inodes that recovery must
// delete or truncate, in any slot; a slot in no use is 0.
//
// Source: Linux Documentation/filesystems/ext4/orphan.rst, and blocks that Linux 6.18 wrote.
#pragma once

#include "format/ext4.h"

namespace powercut {

struct OrphanBlock {
  std::vector<InodeNo> slots;  // all of them, orphans_per_block(); 0: in no use

  // `place` is the block's number, which its checksum covers; `owner` is the orphan file.
  // Errors: kCorrupt (magic, a number that is no inode of a file), kChecksum; `where` is `place`.
  static Result<OrphanBlock> parse(Bytes block, BlockNo place, const OwnerSeed& owner,
                                   const Superblock& superblock);
  // As many slots as the block has are the caller's to give.
  void encode(MutableBytes block, BlockNo place, const OwnerSeed& owner,
              const Superblock& superblock) const;
};

std::uint32_t orphans_per_block(const Superblock& superblock);

// Whether recovery may treat it as an orphan: an inode, and not one of the reserved ones.
bool can_be_orphan(InodeNo number, const Superblock& superblock);

}  // namespace powercut
