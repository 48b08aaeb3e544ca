// Inodes that recovery must finish with: those without links that are still open, and those that
// are being truncated.
//
// Words
//   list   begins at s_last_orphan, the newest first; each inode has the number of the next in
//          i_dtime
//   file   with the feature orphan_file: slots in the blocks of an inode of their own, used first
//
// Invariants
//   1. An inode that is an orphan here is one on the disk, in the same transaction.
//   2. The i_dtime of an inode in the list is the list's, not its node's: another orphan's going
//      changes it, and the node's lock is not held then.  So Node::next_orphan has it, and whoever
//      stores the inode takes it from there (NodeTable::store()), under the lock of the block.
//   3. The node of an orphan stays in memory.
//   4. With orphan_file the superblock says orphan_present while the file system is mounted, and
//      afterwards if a slot is in use.
//
// Threads: any.  A mutex (rank kOrphans), not held over the device.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "format/ext4_orphan.h"
#include "fs/node.h"

namespace powercut::fs {

class Orphans {
 public:
  // Reads the list and the file.  Errors: kCorrupt: a list that comes back to itself, or an inode
  // in it that cannot be an orphan; kChecksum, kIo.
  static Result<std::unique_ptr<Orphans>> load(Core& core);

  // Credits of add() and of remove(): the superblock and the inode in front of it in the list; or a
  // block of the file.  The node's own inode is not counted.
  static constexpr Credits kCredits{2};
  // The caller stores the node in the same handle.  Nothing happens if it is an orphan already.
  void add(Handle& handle, Node& node) REQUIRES(node.lock) EXCLUDES(mutex_);
  void add(Handle& handle, const NodeRef& node) REQUIRES(node->lock) NO_THREAD_SAFETY_ANALYSIS {
    add(handle, *node);  // the same lock by another name
  }
  // The same; nothing happens if it is none.
  void remove(Handle& handle, Node& node) REQUIRES(node.lock) EXCLUDES(mutex_);
  bool has(InodeNo number) const EXCLUDES(mutex_);
  // One without links that could not be deleted; all of these, once.
  void put_off(const NodeRef& node) EXCLUDES(mutex_);
  std::vector<NodeRef> take_put_off() EXCLUDES(mutex_);
  std::size_t count() const EXCLUDES(mutex_);
  // All of them, those of the list first, the newest first.
  std::vector<NodeRef> all() const EXCLUDES(mutex_);

  // Says in the superblock that there may be orphans in the file, or that there are none (only if
  // that is so).  Nothing without orphan_file.
  Result<void> set_present(bool is_present) EXCLUDES(mutex_);

 private:
  struct Listed {
    NodeRef node;
    std::uint32_t newer = 0, older = 0;
  };
  struct Slots {
    BufferRef buffer;
    OrphanBlock block;
    std::vector<std::uint32_t> free;
  };
  struct InFile {
    NodeRef node;
    std::size_t block = 0;
    std::uint32_t slot = 0;
  };
  explicit Orphans(Core& core) : core_(core) {}
  Result<void> load_list() EXCLUDES(mutex_);
  Result<void> load_file() EXCLUDES(mutex_);
  Result<void> load_slots(BlockNo place) REQUIRES(mutex_);
  bool add_to_file(Handle& handle, const NodeRef& node) REQUIRES(mutex_);
  void write_slot(Handle& handle, InFile where, InodeNo value) REQUIRES(mutex_);
  void add_to_list(Handle& handle, const NodeRef& node) REQUIRES(mutex_);
  void remove_from_list(Handle& handle, const Listed& gone) REQUIRES(mutex_);
  void set_next(Handle& handle, const Listed& listed, std::uint32_t next) REQUIRES(mutex_);

  Core& core_;
  OwnerSeed file_owner_;
  mutable Mutex mutex_{LockRank::kOrphans};
  std::uint32_t head_ GUARDED_BY(mutex_) = 0;
  std::unordered_map<std::uint32_t, Listed> listed_ GUARDED_BY(mutex_);
  std::vector<Slots> file_ GUARDED_BY(mutex_);
  std::unordered_map<std::uint32_t, InFile> in_file_ GUARDED_BY(mutex_);
  std::vector<NodeRef> put_off_ GUARDED_BY(mutex_);
};

// Finishes at a mount what orphans were left: those without links are deleted, the others truncated
// to their size; each in transactions of its own.  Errors: damage, and those of the device; what
// was finished before stays finished.
struct RecoveredOrphans {
  std::uint64_t deleted = 0, truncated = 0;
};
Result<RecoveredOrphans> recover_orphans(Core& core);

}  // namespace powercut::fs
