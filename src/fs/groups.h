// Which blocks and inodes are in use: the groups' bitmaps and counters.
//
// Words
//   run         blocks that lie one after another
//   goal        where the caller would like them: the search begins there
//   reserved    blocks that only root may use (s_r_blocks_count); not handed out
//
// Invariants
//   1. A bitmap, its checksum and its group's counters change in the same transaction.
//   2. The sums over all groups are known at any time without reading (free_blocks()), and are put
//      into the superblock at the cut of each transaction that changed them.
//   3. A block that was freed may be used again in the same transaction: everything is journalled,
//      so nothing is overwritten before the freeing is durable.
//
// Threads: any.  Each group has a mutex (rank kGroup), one held at a time.
#pragma once

#include <memory>
#include <vector>

#include "base/sync.h"
#include "fs/core.h"

namespace powercut::fs {

struct BlockRun {
  BlockNo first;
  std::uint32_t count = 0;
};

class Groups {
 public:
  // Reads the descriptors.  Errors: kCorrupt, kChecksum, kIo.
  static Result<std::unique_ptr<Groups>> load(Core& core);

  // Loads the bitmaps that allocating `blocks` near `goal` (and one inode near `parent`, if not 0)
  // will need, so that the handle needs no device.  Errors: kNoSpace, kIo, kChecksum.
  Result<void> prepare(BlockNo goal, std::uint32_t blocks, InodeNo parent = InodeNo(0));

  // One run of 1 to `want` blocks, at `goal` if it is free there, else the best near it.
  // 3 credits at most (bitmap, descriptor, and a bitmap that is used for the first time).
  // Errors: kNoSpace; kCorrupt, kChecksum (a group whose bitmap is damaged is passed over), kIo.
  Result<BlockRun> allocate(Handle& handle, BlockNo goal, std::uint32_t want);
  // Blocks of one or more groups; 2 credits for each group.  Freeing a free block is damage:
  // kCorrupt, and nothing of that group is freed.
  Result<void> release(Handle& handle, BlockRun run);

  // 3 credits (bitmap, descriptor, a bitmap used for the first time).  The inode's slot in the
  // table is the caller's to write.  Files go near their parent, directories spread out.
  Result<InodeNo> allocate_inode(Handle& handle, InodeNo parent, bool is_directory);
  Result<void> release_inode(Handle& handle, InodeNo number, bool is_directory);

  std::uint64_t free_blocks() const;       // all, reserved ones included
  std::uint64_t available_blocks() const;  // to be handed out
  std::uint32_t free_inodes() const;
  const GroupDescriptor& descriptor(std::uint32_t group) const;  // places only: they do not change
};

}  // namespace powercut::fs
