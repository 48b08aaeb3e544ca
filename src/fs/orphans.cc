#include "fs/orphans.h"

#include <algorithm>
#include <utility>

#include "base/trace.h"
#include "fs/deletion.h"
#include "fs/extent_map.h"

namespace powercut::fs {
namespace {

[[maybe_unused]] const MutantNames kOrphanMutants{"fs.orphans.left"};

bool has_file(const Core& core) {
  return core.shape.has(Ext4Compat::kOrphanFile) && core.shape.orphan_file_inode.value() != 0;
}

}  // namespace

Result<std::unique_ptr<Orphans>> Orphans::load(Core& core) {
  std::unique_ptr<Orphans> orphans(new Orphans(core));
  TRY(orphans->load_list());
  if (has_file(core)) TRY(orphans->load_file());
  return orphans;
}

Result<void> Orphans::load_list() {
  std::uint32_t newer = 0;
  const std::uint32_t head = superblock_now(core_).last_orphan.value();
  std::unordered_map<std::uint32_t, Listed> listed;
  for (std::uint32_t number = head; number != 0;) {
    if (!can_be_orphan(InodeNo(number), core_.shape)) {
      return fail(Errc::kCorrupt, "orphan list: no inode of a file", number);
    }
    if (listed.contains(number)) {
      return fail(Errc::kCorrupt, "orphan list: comes back to itself", newer);
    }
    const NodeRef node = TRY(core_.nodes->get(InodeNo(number)));
    SharedLock lock(node->lock);
    const std::uint32_t older = node->inode.delete_time;
    node->next_orphan.set(older);
    listed[number] = Listed{node, newer, older};
    newer = number;
    number = older;
  }
  Lock lock(mutex_);
  head_ = head;
  listed_ = std::move(listed);
  return {};
}

Result<void> Orphans::load_file() {
  const NodeRef file = TRY(core_.nodes->get(core_.shape.orphan_file_inode));
  std::vector<BlockNo> places;
  {
    SharedLock lock(file->lock);
    file_owner_ = OwnerSeed::make(core_.shape, file->number, file->inode.generation);
    const std::uint64_t count = file->inode.size / core_.block_bytes();
    if (!file->inode.is(InodeType::kRegular) || count > core_.shape.block_count) {
      return fail(Errc::kCorrupt, "orphan file: no file, or its size", file->number.value());
    }
    for (std::uint64_t i = 0; i < count; ++i) {
      const MappedRun run = TRY(find_run(core_, *file, FileBlock(i)));
      if (run.kind != MappedRun::Kind::kWritten) {
        return fail(Errc::kCorrupt, "orphan file: a hole", file->number.value());
      }
      places.push_back(run.device);
    }
  }
  Lock lock(mutex_);
  for (const BlockNo place : places) TRY(load_slots(place));
  return {};
}

Result<void> Orphans::load_slots(BlockNo place) {
  Slots slots;
  slots.buffer = TRY(core_.buffers->get(place));
  const Content content = slots.buffer->snapshot();
  slots.block = TRY(OrphanBlock::parse(content.bytes(), place, file_owner_, core_.shape));
  for (auto i = static_cast<std::uint32_t>(slots.block.slots.size()); i-- > 0;) {
    const InodeNo number = slots.block.slots[i];
    if (number.value() == 0) {
      slots.free.push_back(i);
      continue;
    }
    const NodeRef node = TRY(core_.nodes->get(number));
    if (!in_file_.try_emplace(number.value(), InFile{node, file_.size(), i}).second) {
      return fail(Errc::kCorrupt, "orphan file: an inode comes twice", number.value());
    }
  }
  file_.push_back(std::move(slots));
  return {};
}

void Orphans::add(Handle& handle, Node& node) {
  const std::uint32_t number = node.number.value();
  const NodeRef held = node.shared_from_this();
  Lock lock(mutex_);
  if (listed_.contains(number) || in_file_.contains(number)) return;
  if (add_to_file(handle, held)) return;
  node.inode.delete_time = head_;
  add_to_list(handle, held);
}

bool Orphans::add_to_file(Handle& handle, const NodeRef& node) {
  for (std::size_t i = 0; i < file_.size(); ++i) {
    if (file_[i].free.empty()) continue;
    const InFile where{node, i, file_[i].free.back()};
    file_[i].free.pop_back();
    in_file_[node->number.value()] = where;
    write_slot(handle, where, node->number);
    return true;
  }
  return false;
}

void Orphans::write_slot(Handle& handle, InFile where, InodeNo value) {
  Slots& slots = file_[where.block];
  slots.block.slots[where.slot] = value;
  const OrphanBlock& block = slots.block;
  const BlockNo place = slots.buffer->number();
  handle.change(slots.buffer,
                [&](MutableBytes bytes) { block.encode(bytes, place, file_owner_, core_.shape); });
}

void Orphans::add_to_list(Handle& handle, const NodeRef& node) {
  const std::uint32_t number = node->number.value();
  node->next_orphan.set(head_);
  if (head_ != 0) listed_[head_].newer = number;
  listed_[number] = Listed{node, 0, head_};
  head_ = number;
  change_superblock(core_, handle,
                    [&](Superblock& superblock) { superblock.last_orphan = InodeNo(number); });
}

void Orphans::remove(Handle& handle, Node& node) {
  Lock lock(mutex_);
  const auto in_file = in_file_.find(node.number.value());
  if (in_file != in_file_.end()) {
    const InFile where = in_file->second;
    in_file_.erase(in_file);
    write_slot(handle, where, InodeNo(0));
    file_[where.block].free.push_back(where.slot);
    return;
  }
  const auto listed = listed_.find(node.number.value());
  if (listed == listed_.end()) return;
  const Listed gone = std::move(listed->second);
  listed_.erase(listed);
  remove_from_list(handle, gone);
  node.next_orphan.clear();
  node.inode.delete_time = 0;
}

void Orphans::remove_from_list(Handle& handle, const Listed& gone) {
  if (gone.older != 0) listed_[gone.older].newer = gone.newer;
  if (gone.newer != 0) {
    Listed& newer = listed_[gone.newer];
    newer.older = gone.older;
    set_next(handle, newer, gone.older);
    return;
  }
  head_ = gone.older;
  change_superblock(core_, handle,
                    [&](Superblock& superblock) { superblock.last_orphan = InodeNo(gone.older); });
}

void Orphans::set_next(Handle& handle, const Listed& listed, std::uint32_t next) {
  const InodeNo number = listed.node->number;
  const TableSlot& slot = listed.node->slot;
  listed.node->next_orphan.set(next);
  handle.change(slot.block, [&](MutableBytes block) {
    const MutableBytes stored = block.subspan(slot.offset, core_.shape.inode_bytes);
    auto inode = Inode::parse(stored, number, core_.shape);
    CHECK(inode.has_value(), "an inode that was parsed when its node was made");
    inode->delete_time = next;
    inode->encode(stored, number, core_.shape);
  });
}

bool Orphans::has(InodeNo number) const {
  Lock lock(mutex_);
  return listed_.contains(number.value()) || in_file_.contains(number.value());
}

void Orphans::put_off(const NodeRef& node) {
  Lock lock(mutex_);
  put_off_.push_back(node);
}

std::vector<NodeRef> Orphans::take_put_off() {
  Lock lock(mutex_);
  return std::exchange(put_off_, {});
}

std::size_t Orphans::count() const {
  Lock lock(mutex_);
  return listed_.size() + in_file_.size();
}

std::vector<NodeRef> Orphans::all() const {
  Lock lock(mutex_);
  std::vector<NodeRef> nodes;
  for (std::uint32_t number = head_; number != 0;) {
    const Listed& listed = listed_.at(number);
    nodes.push_back(listed.node);
    number = listed.older;
  }
  const std::size_t from_file = nodes.size();
  for (const auto& [number, where] : in_file_) nodes.push_back(where.node);
  std::sort(nodes.begin() + static_cast<std::ptrdiff_t>(from_file), nodes.end(),
            [](const NodeRef& a, const NodeRef& b) { return a->number < b->number; });
  return nodes;
}

Result<void> Orphans::set_present(bool is_present) {
  if (!has_file(core_)) return {};
  constexpr auto kBit = static_cast<std::uint32_t>(Ext4RoCompat::kOrphanPresent);
  Handle handle = TRY(core_.start(Credits(1)));
  Lock lock(mutex_);
  if (!is_present && !in_file_.empty()) return {};
  change_superblock(core_, handle, [&](Superblock& superblock) {
    superblock.ro_compat = is_present ? superblock.ro_compat | kBit : superblock.ro_compat & ~kBit;
  });
  return {};
}

Result<RecoveredOrphans> recover_orphans(Core& core) {
  RecoveredOrphans recovered;
  if (mutant("fs.orphans.left")) return recovered;
  for (const NodeRef& node : core.orphans->all()) {
    trace_point("fs.orphan.recover", node->number.value());
    bool has_links = false;
    {
      SharedLock lock(node->lock);
      has_links = node->inode.links != 0;
    }
    if (has_links) {
      TRY(finish_truncate(core, *node));
      ++recovered.truncated;
    } else {
      TRY(delete_if_unused(core, node));
      ++recovered.deleted;
    }
  }
  return recovered;
}

}  // namespace powercut::fs
