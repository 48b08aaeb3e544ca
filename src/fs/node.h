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

#include <array>
#include <atomic>
#include <list>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/sync.h"
#include "fs/core.h"
#include "fs/groups.h"

namespace powercut::fs {

// A transaction, or none; may be read without a lock.
class LastTid {
 public:
  void set(Tid tid) { value_.store(kIsSet | tid.value(), std::memory_order_release); }
  std::optional<Tid> get() const {
    const std::uint64_t value = value_.load(std::memory_order_acquire);
    if (value == 0) return std::nullopt;
    return Tid(static_cast<std::uint32_t>(value));
  }

 private:
  static constexpr std::uint64_t kIsSet = std::uint64_t{1} << 32;
  std::atomic<std::uint64_t> value_{0};
};

// Where an inode lies in the inode table.
struct TableSlot {
  BufferRef block;           // loaded
  std::uint32_t offset = 0;  // bytes
};

// What i_dtime of an inode in the orphan list says; nothing while it is not in it.
class NextOrphan {
 public:
  void set(std::uint32_t number) { value_.store(kIsSet | number, std::memory_order_release); }
  void clear() { value_.store(0, std::memory_order_release); }
  std::optional<std::uint32_t> get() const {
    const std::uint64_t value = value_.load(std::memory_order_acquire);
    if (value == 0) return std::nullopt;
    return static_cast<std::uint32_t>(value);
  }

 private:
  static constexpr std::uint64_t kIsSet = std::uint64_t{1} << 32;
  std::atomic<std::uint64_t> value_{0};
};

class Node : public std::enable_shared_from_this<Node> {
 public:
  Node(InodeNo its_number, TableSlot its_slot, Inode its_inode,
       std::vector<std::uint8_t> its_stored)
      : number(its_number),
        slot(std::move(its_slot)),
        lock(LockRank::kInode, its_number.value()),
        inode(its_inode),
        stored(std::move(its_stored)) {}

  const InodeNo number;
  const TableSlot slot;
  mutable SharedMutex lock;
  Inode inode GUARDED_BY(lock);
  // The whole inode as in the table: what is behind the fixed part (attributes) is changed here.
  std::vector<std::uint8_t> stored GUARDED_BY(lock);
  // Free blocks kept behind the end of a file that grows.
  GrowthWindow window GUARDED_BY(lock);
  // Opens by users: an inode without links goes when the last ends.
  std::atomic<std::uint32_t> opens{0};
  // The newest transactions that changed it, and its content or size, or later ones: for fsync and
  // fdatasync.  store() sets the first.
  LastTid changed_tid, data_tid;
  // Changed by Orphans, under its own lock; goes before what `inode` says.
  NextOrphan next_orphan;
};

using NodeRef = std::shared_ptr<Node>;

class NodeTable {
 public:
  // At most `nodes_max` that nobody holds are kept.
  NodeTable(Core& core, std::size_t nodes_max) : core_(core), nodes_max_(nodes_max) {}
  // Nodes that are still held may be dropped later, and used for nothing else.
  ~NodeTable() NO_THREAD_SAFETY_ANALYSIS;
  NodeTable(const NodeTable&) = delete;
  NodeTable& operator=(const NodeTable&) = delete;

  // The inode, read if need be.  Errors: kInvalid: no such number; kNotFound: an inode in no use;
  // kCorrupt, kChecksum, kIo.
  Result<NodeRef> get(InodeNo number);
  // A node for an inode that was just allocated; the old content of its slot is not looked at,
  // but for its generation, from which the new one goes on.  What is behind the fixed part is
  // zero.  It is not stored yet; the caller has it alone (NewNodeLock) until it gives it a name.
  // Errors: as table_block(); kCorrupt: an inode that is in use, so its bit must stay set.
  Result<NodeRef> create(Handle& handle, InodeNo number, const Inode& inode);
  // Puts the node into the inode table.  One credit.
  void store(Handle& handle, Node& node) REQUIRES(node.lock);
  // The node's inode was freed: the table forgets it.
  void drop(InodeNo number);
  // The block of the inode table that holds it, loaded: so that create() needs no device.
  // Errors: kInvalid: no such number; kIo.
  Result<BufferRef> table_block(InodeNo number);
  std::size_t size() const;

  // Held while a directory is moved to another one: nothing else changes which is in which.
  Mutex rename_lock{LockRank::kRename};

 private:
  Result<TableSlot> slot_of(InodeNo number) const;
  // The node of that number: the one that is there already, or `made`.
  NodeRef add(NodeRef made);
  NodeRef find(InodeNo number);
  Result<NodeRef> read(InodeNo number);
  void trim(std::vector<NodeRef>& dropped) REQUIRES(mutex_);

  Core& core_;
  const std::size_t nodes_max_;
  mutable Mutex mutex_{LockRank::kBufferTable};
  // Used last first.
  std::list<NodeRef> by_use_ GUARDED_BY(mutex_);
  std::unordered_map<std::uint32_t, std::list<NodeRef>::iterator> by_number_ GUARDED_BY(mutex_);
};

// Locks two nodes exclusively, the one with the smaller number first; they may be the same.
class SCOPED_CAPABILITY LockTwo {
 public:
  LockTwo(Node& a, Node& b) ACQUIRE(a.lock, b.lock) NO_THREAD_SAFETY_ANALYSIS;
  ~LockTwo() RELEASE() NO_THREAD_SAFETY_ANALYSIS;
  LockTwo(const LockTwo&) = delete;
  LockTwo& operator=(const LockTwo&) = delete;

 private:
  Node& first_;
  Node& second_;
};

// Locks up to four nodes exclusively, by rising number; any of them may be the same.
class SCOPED_CAPABILITY LockFour {
 public:
  LockFour(Node& a, Node& b, Node& c, Node& d)
      ACQUIRE(a.lock, b.lock, c.lock, d.lock) NO_THREAD_SAFETY_ANALYSIS;
  ~LockFour() RELEASE() NO_THREAD_SAFETY_ANALYSIS;
  LockFour(const LockFour&) = delete;
  LockFour& operator=(const LockFour&) = delete;

 private:
  std::array<Node*, 4> nodes_;  // null: the same as the one in front
};

// Stands for the lock of a node that nobody else can reach yet (NodeTable::create()): made inside a
// handle, where no node is locked any more.
class SCOPED_CAPABILITY NewNodeLock {
 public:
  explicit NewNodeLock(const Node& node) ACQUIRE(node.lock) NO_THREAD_SAFETY_ANALYSIS {
    static_cast<void>(node);
  }
  ~NewNodeLock() RELEASE() NO_THREAD_SAFETY_ANALYSIS {}
  NewNodeLock(const NewNodeLock&) = delete;
  NewNodeLock& operator=(const NewNodeLock&) = delete;
};

}  // namespace powercut::fs
