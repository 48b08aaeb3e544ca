// From dirty inodes to sums: records are made anew, and what they contribute is exchanged.
#include <algorithm>

#include "format/ext4_orphan.h"
#include "lab/check/structure_state.h"

namespace powercut::lab {

// Reads what is dirty and judges what is stale.  False if blocks are claimed too many times over.
bool StructureState::work() {
  const bool is_list_broken = orphan_list_flaw_ != nullptr;
  do {
    if (is_orphan_list_stale_ || is_list_broken) walk_orphan_list();
    if (!read_dirty()) return false;
  } while (is_orphan_list_stale_ || !dirty_inodes_.empty());
  // A value's content may have changed, whoever reads it.
  for (const std::uint64_t block : valued_attributes_) {
    set_stale(attributes_.at(block), BlockNo(block));
  }
  const std::vector<BlockNo> stale = std::move(stale_attributes_);
  stale_attributes_.clear();
  for (const BlockNo block : stale) judge_attributes(block);
  if (blocks_.claim_count() > claims_most_) return false;
  judge_stale();
  return true;
}

// Orphans that come to light meanwhile make more inodes dirty; those are read too.
bool StructureState::read_dirty() {
  while (!dirty_inodes_.empty()) {
    const InodeNo number = dirty_inodes_.back();
    dirty_inodes_.pop_back();
    cell(number).is_dirty = false;
    remake(number);
    if (blocks_.claim_count() > claims_most_) return false;
  }
  return true;
}

void StructureState::set_dirty(InodeNo number) {
  InodeCell& inode = cell(number);
  if (inode.is_listed) is_orphan_list_stale_ = true;
  if (inode.is_dirty) return;
  inode.is_dirty = true;
  dirty_inodes_.push_back(number);
}

void StructureState::set_stale(InodeNo number) {
  if (cell(number).is_stale) return;
  cell(number).is_stale = true;
  stale_inodes_.push_back(number);
}

void StructureState::set_stale(AttributeCell& cell, BlockNo block) {
  if (cell.is_stale) return;
  cell.is_stale = true;
  stale_attributes_.push_back(block);
}

void StructureState::remake(InodeNo number) {
  const std::uint32_t index = (number.value() - 1) % superblock_->inodes_per_group;
  std::unique_ptr<InodeRecord> record;
  if (index < groups_[layout_->group_of(number)].read_end) {
    record = read_record(context(), {number, cell(number).is_orphan(), cell(number).record.get()});
  }
  replace(number, std::move(record));
}

void StructureState::replace(InodeNo number, std::unique_ptr<InodeRecord> record) {
  static const InodeRecord kNothing;
  InodeCell& inode = cell(number);
  set_stale(number);
  if (!inode.record && !record) return;
  const InodeRecord& before = inode.record ? *inode.record : kNothing;
  const InodeRecord& after = record ? *record : kNothing;
  replace_claims(before, after);
  replace_parts(number, before, after);
  if (before.orphans != after.orphans) replace_orphans(before, after);
  if (before.values != after.values) {
    for (const InodeNo value : after.values) use_value(value, true);
    for (const InodeNo value : before.values) use_value(value, false);
  }
  if (before.attribute_block != after.attribute_block) {
    if (after.attribute_block.value() != 0) use_attributes(after.attribute_block, true);
    if (before.attribute_block.value() != 0) use_attributes(before.attribute_block, false);
  }
  if (before.reads != after.reads) replace_readers(number, before, after);
  if (before.is_directory() != after.is_directory()) {
    const std::uint32_t group = layout_->group_of(number);
    groups_[group].directories += after.is_directory() ? 1u : ~0u;
    if (!groups_[group].is_stale) stale_groups_.push_back(group);
    groups_[group].is_stale = true;
  }
  inode.record = std::move(record);
}

// Runs that both have at their ends stay; of a run that became longer or shorter only the
// difference moves.
void StructureState::replace_claims(const InodeRecord& before, const InodeRecord& after) {
  if (before.nodes != after.nodes) {
    for (const BlockNo node : before.nodes) blocks_.unclaim(node, 1);
    for (const BlockNo node : after.nodes) blocks_.claim(node, 1);
  }
  std::span<const MappedRun> old = before.runs, now = after.runs;
  while (!old.empty() && !now.empty() && old.front() == now.front()) {
    old = old.subspan(1);
    now = now.subspan(1);
  }
  while (!old.empty() && !now.empty() && old.back() == now.back()) {
    old = old.first(old.size() - 1);
    now = now.first(now.size() - 1);
  }
  std::uint32_t both = 0;  // blocks at the front of the first runs that stay
  if (!old.empty() && !now.empty() && old.front().device == now.front().device) {
    both = std::min(old.front().count, now.front().count);
  }
  for (std::size_t i = 0; i < old.size(); ++i) {
    const std::uint32_t kept = i == 0 ? both : 0;
    blocks_.unclaim(old[i].device + kept, old[i].count - kept);
  }
  for (std::size_t i = 0; i < now.size(); ++i) {
    const std::uint32_t kept = i == 0 ? both : 0;
    blocks_.claim(now[i].device + kept, now[i].count - kept);
  }
}

void StructureState::replace_parts(InodeNo number, const InodeRecord& before,
                                   const InodeRecord& after) {
  static const DirectoryFacts kNone;
  for (std::size_t i = 0; i < std::max(before.parts.size(), after.parts.size()); ++i) {
    const DirectoryFacts* const old = i < before.parts.size() ? before.parts[i].facts : &kNone;
    const DirectoryFacts* const now = i < after.parts.size() ? after.parts[i].facts : &kNone;
    if (old != now) replace_entries(number, *old, *now);
  }
}

// Both are in order, so what they share is found in one pass.
void StructureState::replace_entries(InodeNo directory, const DirectoryFacts& before,
                                     const DirectoryFacts& after) {
  auto old = before.entries.begin(), now = after.entries.begin();
  while (old != before.entries.end() || now != after.entries.end()) {
    const bool takes = now == after.entries.end() || (old != before.entries.end() && *old < *now);
    if (takes) {
      take_entry(directory, *old++);
    } else if (old == before.entries.end() || *now < *old) {
      add_entry(directory, *now++);
    } else {
      ++old;
      ++now;
    }
  }
}

void StructureState::add_entry(InodeNo directory, const EntryFact& entry) {
  cell(entry.inode).sums.add(entry.kind, entry.type, directory);
  names_.add(name_key(directory, entry.name_hash));
  set_stale(entry.inode);
}

void StructureState::take_entry(InodeNo directory, const EntryFact& entry) {
  cell(entry.inode).sums.take(entry.kind, entry.type, directory);
  names_.take(name_key(directory, entry.name_hash));
  set_stale(entry.inode);
}

void StructureState::replace_orphans(const InodeRecord& before, const InodeRecord& after) {
  const auto put = [this](const InodeRecord& record, bool is_there) {
    for (const OrphanFacts* const facts : record.orphans) {
      for (const InodeNo number : facts->inodes) {
        InodeCell& inode = cell(number);
        const bool was_orphan = inode.is_orphan();
        inode.in_orphan_file += is_there ? 1u : ~0u;
        if (was_orphan != inode.is_orphan()) set_dirty(number);
        set_stale(number);
      }
      orphan_file_entries_ += facts->inodes.size() * (is_there ? 1 : ~std::uint64_t{0});
    }
  };
  put(after, true);
  put(before, false);
}

void StructureState::replace_readers(InodeNo number, const InodeRecord& before,
                                     const InodeRecord& after) {
  for (const BlockNo block : before.reads) {
    const auto found = readers_.find(block.value());
    std::vector<std::uint32_t>& readers = found->second;
    *std::ranges::find(readers, number.value()) = readers.back();
    readers.pop_back();
    if (readers.empty()) readers_.erase(found);
  }
  for (const BlockNo block : after.reads) readers_[block.value()].push_back(number.value());
}

void StructureState::use_value(InodeNo number, bool is_used) {
  cell(number).value_uses += is_used ? 1u : ~0u;
  set_stale(number);
}

void StructureState::use_attributes(BlockNo block, bool is_used) {
  AttributeCell& attributes = attributes_[block.value()];
  attributes.users += is_used ? 1u : ~0u;
  set_stale(attributes, block);
}

void StructureState::judge_attributes(BlockNo block) {
  static const AttributeFacts kNone;
  AttributeCell& attributes = attributes_.at(block.value());
  attributes.is_stale = false;
  const bool is_used = attributes.users != 0;
  const AttributeFacts& before = attributes.facts != nullptr ? *attributes.facts : kNone;
  const AttributeFacts& after = is_used ? facts_.attributes(image_, block, *superblock_) : kNone;
  if (is_used != attributes.is_claimed) {
    if (is_used) blocks_.claim(block, 1);
    if (!is_used) blocks_.unclaim(block, 1);
    attributes.is_claimed = is_used;
  }
  if (&before != &after) {
    for (const ValueUse& use : after.values) use_value(use.inode, true);
    for (const ValueUse& use : before.values) use_value(use.inode, false);
    attributes.facts = &after;
  }
  attributes.value_flaw = nullptr;
  std::vector<BlockNo> reads;  // not needed: these are judged at every settle
  for (const ValueUse& use : after.values) {
    const char* const flaw = flaw_of_value(context(), use, {}, reads);
    if (attributes.value_flaw == nullptr) attributes.value_flaw = flaw;
  }
  std::uint64_t wrong = 0;
  if (is_used && (after.flaw != nullptr || attributes.value_flaw != nullptr)) {
    wrong |= bit_of(StructureRule::kAttributeBlock);
  } else if (is_used && after.references != attributes.users) {
    wrong |= bit_of(StructureRule::kAttributeReferences);
  }
  wrong_attributes_ += std::uint64_t{wrong != 0} - std::uint64_t{attributes.wrong != 0};
  attributes.wrong = wrong;
  if (after.values.empty()) {
    valued_attributes_.erase(block.value());
  } else {
    valued_attributes_.insert(block.value());
  }
  if (!is_used) attributes_.erase(block.value());
}

// The list begins in the superblock and goes on in the inodes' time of deletion.
void StructureState::walk_orphan_list() {
  is_orphan_list_stale_ = false;
  std::vector<InodeNo> list;
  const std::vector<InodeNo> before = std::move(orphan_list_);
  for (const InodeNo number : before) cell(number).is_listed = false;
  orphan_list_flaw_ = nullptr;
  for (InodeNo number = superblock_->last_orphan; number.value() != 0;) {
    if (!can_be_orphan(number, *superblock_)) {
      orphan_list_flaw_ = "orphan list: no inode of a file";
      break;
    }
    if (cell(number).is_listed) {
      orphan_list_flaw_ = "orphan list: comes back to itself";
      break;
    }
    const std::uint32_t index = (number.value() - 1) % superblock_->inodes_per_group;
    const auto inode = Inode::parse(layout_->inode_bytes(image_, number), number, *superblock_);
    if (!inode || index >= groups_[layout_->group_of(number)].read_end) {
      orphan_list_flaw_ = "orphan list: an inode that cannot be read";
      break;
    }
    cell(number).is_listed = true;
    list.push_back(number);
    number = InodeNo(inode->delete_time);
  }
  orphan_list_ = std::move(list);
  if (orphan_list_ == before) return;
  for (const InodeNo number : before) set_dirty(number);
  for (const InodeNo number : orphan_list_) set_dirty(number);
  is_orphan_list_stale_ = false;  // the walk itself is no reason to walk again
}

}  // namespace powercut::lab
