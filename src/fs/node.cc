#include "fs/node.h"

#include <algorithm>

#include "base/trace.h"
#include "format/ext4_disk.h"

namespace powercut::fs {
namespace {

[[maybe_unused]] const MutantNames kNodeMutants{"fs.node.no_tid"};

// Behind bg_itable_unused the table may never have been written.
bool was_ever_stored(const Core& core, InodeNo number) {
  const std::uint32_t per_group = core.shape.inodes_per_group;
  const GroupDescriptor& stored = core.groups->descriptor((number.value() - 1) / per_group);
  return (number.value() - 1) % per_group < per_group - std::min(per_group, stored.itable_unused);
}

}  // namespace

Result<TableSlot> NodeTable::slot_of(InodeNo number) const {
  const Superblock& shape = core_.shape;
  if (number.value() == 0 || number.value() > shape.inode_count) {
    return fail(Errc::kInvalid, "inode: no such number", number.value());
  }
  const std::uint32_t group = (number.value() - 1) / shape.inodes_per_group;
  const std::uint32_t index = (number.value() - 1) % shape.inodes_per_group;
  const BlockNo block =
      core_.groups->descriptor(group).inode_table + index / shape.inodes_per_block();
  return TableSlot{TRY(core_.buffers->get(block)),
                   index % shape.inodes_per_block() * shape.inode_bytes};
}

Result<BufferRef> NodeTable::table_block(InodeNo number) {
  return TRY(slot_of(number)).block;
}

// The file system has no users any more, so no lock is taken.
NodeTable::~NodeTable() {
  for (const NodeRef& node : by_use_) node->window.give_back();
}

NodeRef NodeTable::find(InodeNo number) {
  Lock lock(mutex_);
  const auto found = by_number_.find(number.value());
  if (found == by_number_.end()) return nullptr;
  by_use_.splice(by_use_.begin(), by_use_, found->second);
  return *found->second;
}

NodeRef NodeTable::add(NodeRef made) {
  std::vector<NodeRef> dropped;  // ends after the lock: a window takes a group's mutex
  Lock lock(mutex_);
  const auto found = by_number_.find(made->number.value());
  if (found != by_number_.end()) return *found->second;
  by_use_.push_front(made);
  by_number_.emplace(made->number.value(), by_use_.begin());
  trim(dropped);
  return made;
}

// Looks at a few of those used longest ago: those that somebody holds stay.
void NodeTable::trim(std::vector<NodeRef>& dropped) {
  constexpr int kLooks = 8;
  for (int i = 0; i < kLooks && by_use_.size() > nodes_max_; ++i) {
    const auto last = std::prev(by_use_.end());
    if (last->use_count() > 1) {
      by_use_.splice(by_use_.begin(), by_use_, last);
      continue;
    }
    by_number_.erase((*last)->number.value());
    dropped.push_back(std::move(*last));
    by_use_.erase(last);
  }
}

Result<NodeRef> NodeTable::get(InodeNo number) {
  if (NodeRef node = find(number); node != nullptr) return node;
  return noted(core_, read(number));
}

Result<NodeRef> NodeTable::read(InodeNo number) {
  TableSlot slot = TRY(slot_of(number));
  const Content content = slot.block->snapshot();
  const Bytes stored = content.bytes().subspan(slot.offset, core_.shape.inode_bytes);
  const auto inode = TRY(Inode::parse(stored, number, core_.shape));
  if (inode.links == 0 && inode.mode == 0) {
    return fail(Errc::kNotFound, "inode: in no use", number.value());
  }
  auto node = std::make_shared<Node>(number, std::move(slot), inode,
                                     std::vector<std::uint8_t>(stored.begin(), stored.end()));
  // A node of it may have been dropped whose changes are not durable yet.
  if (core_.journal != nullptr && !mutant("fs.node.no_tid")) {
    const Tid newest = core_.journal->newest();
    node->changed_tid.set(newest);
    node->data_tid.set(newest);
  }
  return add(std::move(node));
}

Result<NodeRef> NodeTable::create(Handle& handle, InodeNo number, const Inode& inode) {
  TableSlot slot = TRY(slot_of(number));
  const Content content = slot.block->snapshot();
  // The first 128 bytes are the same in every form; the checksum of an old inode does not matter.
  const auto old = TRY(load<disk::InodeBase>(content.bytes(), slot.offset));
  if (was_ever_stored(core_, number) && old.links.value() != 0) {
    return noted<NodeRef>(
        core_, fail(Errc::kCorrupt, "inode bitmap: an inode in use is free", number.value()));
  }
  Inode made = inode;
  made.generation = old.generation + 1;
  drop(number);
  NodeRef node = add(std::make_shared<Node>(number, std::move(slot), made,
                                            std::vector<std::uint8_t>(core_.shape.inode_bytes)));
  node->changed_tid.set(handle.tid());
  node->data_tid.set(handle.tid());  // that it is there is needed to read it
  return node;
}

void NodeTable::store(Handle& handle, Node& node) {
  Inode* const inode = &node.inode;
  const MutableBytes stored = node.stored;
  handle.change(node.slot.block, [&](MutableBytes block) {
    // Under the block's lock: another orphan that goes changes this inode there, too.
    if (const auto next = node.next_orphan.get()) inode->delete_time = *next;
    inode->encode(stored, node.number, core_.shape);
    copy_bytes(stored, block.subspan(node.slot.offset, stored.size()));
  });
  node.changed_tid.set(handle.tid());
}

void NodeTable::drop(InodeNo number) {
  NodeRef dropped;  // ends after the lock
  Lock lock(mutex_);
  const auto found = by_number_.find(number.value());
  if (found == by_number_.end()) return;
  dropped = std::move(*found->second);
  by_use_.erase(found->second);
  by_number_.erase(found);
}

std::size_t NodeTable::size() const {
  Lock lock(mutex_);
  return by_use_.size();
}

LockTwo::LockTwo(Node& a, Node& b)
    : first_(a.number < b.number ? a : b), second_(a.number < b.number ? b : a) {
  first_.lock.lock();
  if (&first_ != &second_) second_.lock.lock();
}

LockTwo::~LockTwo() {
  if (&first_ != &second_) second_.lock.unlock();
  first_.lock.unlock();
}

LockFour::LockFour(Node& a, Node& b, Node& c, Node& d) : nodes_{&a, &b, &c, &d} {
  std::ranges::sort(nodes_, {}, [](const Node* node) { return node->number; });
  const Node* last = nullptr;
  for (Node*& node : nodes_) {
    if (node == last) {
      node = nullptr;
      continue;
    }
    last = node;
    node->lock.lock();
  }
}

LockFour::~LockFour() {
  for (Node* node : nodes_) {
    if (node != nullptr) node->lock.unlock();
  }
}

}  // namespace powercut::fs
