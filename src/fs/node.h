// Inodes in memory, one object for each inode that is in use or was lately.
//
// Invariants
//   1. There is at most one Node for an inode number at any time.
//   2. `inode` and `stored` are read with the node's lock shared and changed with it exclusive and
//   a
//      handle; store() puts them into the inode table in that handle's transaction.
//   3. A node that a NodeRef holds stays.  Without links and without opens it is an orphan until
//   its
//      blocks are given up (operations of orphans.h).
//
// Threads: NodeTable: any.  Two nodes are locked in the order of their numbers (lock_two()).
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/sync.h"
#include "fs/core.h"

namespace powercut::fs {

class Node {
 public:
  Node(InodeNo its_number, Inode its_inode, std::vector<std::uint8_t> its_stored)
      : number(its_number),
        lock(LockRank::kInode, its_number.value()),
        inode(its_inode),
        stored(std::move(its_stored)) {}

  const InodeNo number;
  mutable SharedMutex lock;
  Inode inode GUARDED_BY(lock);
  // The whole inode as in the table: what is behind the fixed part (attributes) is changed here.
  std::vector<std::uint8_t> stored GUARDED_BY(lock);
  // Where the next block of a file that grows would best lie; 0: nothing known.
  BlockNo next_goal GUARDED_BY(lock);
  // Opens by users: an inode without links goes when the last ends.
  std::atomic<std::uint32_t> opens{0};
  // The newest transactions that changed it, and its content or size: for fsync and fdatasync.
  std::atomic<std::uint32_t> changed_tid{0}, data_tid{0};
};

using NodeRef = std::shared_ptr<Node>;

class NodeTable {
 public:
  // At most `nodes_max` that nobody holds are kept.
  NodeTable(Core& core, std::size_t nodes_max);

  // The inode, read if need be.  Errors: kInvalid: no such number; kNotFound: an inode in no use;
  // kCorrupt, kChecksum, kIo.
  Result<NodeRef> get(InodeNo number);
  // A node for an inode that was just allocated; the old content of its slot is not looked at,
  // but for its generation.  The caller has it alone until it gives it a name.
  Result<NodeRef> create(Handle& handle, InodeNo number, const Inode& inode);
  // Puts the node into the inode table.  One credit.  REQUIRES: node.lock exclusive.
  void store(Handle& handle, Node& node);
  // The node's inode was freed: the table forgets it.
  void drop(InodeNo number);
  // The block of the inode table that holds it, loaded: to be called before a handle, so that
  // store() needs no device.
  Result<BufferRef> table_block(InodeNo number);

 private:
  struct Place {
    BlockNo block;
    std::uint32_t offset = 0;  // bytes
  };
  Result<Place> place_of(InodeNo number) const;

  Core& core_;
  const std::size_t nodes_max_;
  Mutex mutex_{LockRank::kBufferTable};
  std::list<NodeRef> by_use_ GUARDED_BY(mutex_);
  std::unordered_map<std::uint32_t, std::list<NodeRef>::iterator> by_number_ GUARDED_BY(mutex_);
};

}  // namespace powercut::fs
