// What all parts of the writer work on: one mounted file system.
//
// Words
//   shape    the superblock as it was at the mount: geometry and features, which do not change
//            while mounted.  Its counters and lists do, and live elsewhere (groups.h, orphans.h)
//   node     an inode in memory (node.h)
//   look     the first part of an operation: may read the device, may fail, changes nothing
//   change   the second part, inside a handle: all is reserved and looked up, so it does not fail
//
// Order of every operation (rule 7): look up and hold, lock the nodes (by number), start a handle,
// check again what was looked up before the locks, change, store the nodes.  No memory of the user
// is touched with a lock or a handle held.
//
// Threads: any number; each part says what guards it.
#pragma once

#include <functional>

#include "base/wall_clock.h"
#include "buffer/buffer_cache.h"
#include "format/ext4.h"
#include "fs/damage.h"
#include "journal/journal.h"

namespace powercut::fs {

class Groups;
class NodeTable;
class Orphans;

struct Core {
  BlockDevice* device = nullptr;
  Superblock shape;
  BufferCache* buffers = nullptr;
  Journal* journal = nullptr;  // null: mounted read-only
  Groups* groups = nullptr;
  NodeTable* nodes = nullptr;
  Orphans* orphans = nullptr;
  const WallClock* wall_clock = nullptr;
  DamageNotes* damage = nullptr;  // null: nobody asks
  BufferRef superblock;           // the block that the primary superblock lies in

  std::uint32_t block_bytes() const { return shape.block_bytes(); }
  // As an inode keeps it.
  Timestamp now() const;
  // A handle of the journal.  Errors: kReadOnly: mounted so; as Journal::start().
  Result<Handle> start(Credits want) const;
};

// Passes on what a look or an operation came to; damage that it met is noted.
template <class T>
Result<T> noted(const Core& core, Result<T> outcome) {
  if (!outcome && core.damage != nullptr) core.damage->note(outcome.error());
  return outcome;
}

// Changes the superblock in that handle's transaction: one credit.  `change` may set what is not
// the shape: counters, state, the head of the orphan list, orphan_present.
void change_superblock(const Core& core, Handle& handle,
                       const std::function<void(Superblock&)>& change);
// The superblock as the running transaction has it.
Superblock superblock_now(const Core& core);

}  // namespace powercut::fs
