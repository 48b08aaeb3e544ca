// From changed blocks to what must be read or judged anew.
#include "lab/check/structure_state.h"

#include <algorithm>
#include <bit>

namespace powercut::lab {
namespace {

// A good image claims each block once.  Beyond this many times over, nothing is to be learnt from
// sums, and they would take memory and time without end.
constexpr std::uint64_t kClaimsMost = 4;
constexpr std::uint64_t kFactsMost = std::uint64_t{256} << 20;  // bytes

// Calls `visit(first, end)` for the runs of bits, whole words, in which two bitmaps differ.
template <class Visit>
void for_each_difference(Bytes before, Bytes after, Visit visit) {
  for (std::size_t at = 0; at + sizeof(std::uint64_t) <= after.size();
       at += sizeof(std::uint64_t)) {
    if (std::memcmp(before.data() + at, after.data() + at, sizeof(std::uint64_t)) == 0) continue;
    visit(static_cast<std::uint32_t>(at * 8),
          static_cast<std::uint32_t>((at + sizeof(std::uint64_t)) * 8));
  }
}

}  // namespace

bool StructureState::settle() {
  if (changed_.empty()) return is_clean();
  if (!can_follow() || facts_.memory_bytes() > kFactsMost) {
    rebuild();
    return is_clean();
  }
  for (const BlockNo block : changed_) {
    is_changed_[block.value()] = 0;
    take_in(block);
  }
  changed_.clear();
  if (is_lost_ || !work()) rebuild();
  return is_clean();
}

bool StructureState::is_clean() const {
  if (!can_follow()) return false;
  const bool has_stray_orphans =
      orphan_file_entries_ != 0 && !superblock_->has(Ext4RoCompat::kOrphanPresent);
  return blocks_.wrong_count() == 0 && wrong_inodes_ == 0 && wrong_groups_ == 0 &&
         wrong_attributes_ == 0 && names_.doubled_count() == 0 && orphan_list_flaw_ == nullptr &&
         !has_stray_orphans && !has_cycle_;
}

void StructureState::forget() {
  facts_.clear();
  changed_.clear();
  is_changed_.assign(image_.block_count(), 0);
  is_lost_ = has_too_many_claims_ = false;
  blocks_ = BlockLedger(image_.block_count());
  names_ = NameLedger();
  inodes_.clear();
  groups_.clear();
  attributes_.clear();
  readers_.clear();
  valued_attributes_.clear();
  orphan_list_.clear();
  orphan_list_flaw_ = nullptr;
  is_orphan_list_stale_ = true;
  orphan_file_entries_ = 0;
  dirty_inodes_.clear();
  stale_inodes_.clear();
  to_follow_.clear();
  stale_attributes_.clear();
  stale_groups_.clear();
  wrong_inodes_ = wrong_groups_ = wrong_attributes_ = 0;
  has_cycle_ = false;
}

void StructureState::rebuild() {
  forget();
  layout_.reset();
  known_.resize(image_.block_count());
  for (std::uint64_t i = 0; i < known_.size(); ++i) known_[i] = image_.at(BlockNo(i));
  auto layout = Layout::make(image_);
  if (!layout) return;
  layout_ = std::move(*layout);
  superblock_ = layout_->superblock();
  for (const BlockNo block : layout_->fixed_blocks()) blocks_.claim(block, 1);
  claims_most_ = blocks_.claim_count() + kClaimsMost * superblock_->block_count;
  inodes_.resize(std::size_t{superblock_->inode_count} + 1);
  begin_groups();
  has_too_many_claims_ = !work();
}

void StructureState::begin_groups() {
  groups_.resize(layout_->group_count());
  for (std::uint32_t group = 0; group < groups_.size(); ++group) {
    GroupCell& cell = groups_[group];
    cell.now = layout_->group(group);
    cell.read_end = cell.now.inodes_to_read(*superblock_);
    cell.is_stale = true;
    stale_groups_.push_back(group);
    put_marks(group, FixedRole::kBlockBitmap, 0, ~0u);
    put_marks(group, FixedRole::kInodeBitmap, 0, ~0u);
    const std::uint32_t first = group * superblock_->inodes_per_group + 1;
    for (std::uint32_t i = 0; i < superblock_->inodes_per_group; ++i) {
      const InodeNo number(first + i);
      if (i < cell.read_end) set_dirty(number);
    }
  }
  // An inode in which nothing is stored is judged too: the root must be there.
  for (std::uint32_t i = 1; i <= superblock_->first_inode.value(); ++i) set_stale(InodeNo(i));
}

void StructureState::take_in(BlockNo block) {
  const ContentId from = known_[block.value()];
  const ContentId to = image_.at(block);
  if (from == to) return;
  known_[block.value()] = to;
  take_in_fixed(block, from, to);
  if (const auto found = readers_.find(block.value()); found != readers_.end()) {
    for (const std::uint32_t reader : found->second) set_dirty(InodeNo(reader));
  }
  if (const auto found = attributes_.find(block.value()); found != attributes_.end()) {
    set_stale(found->second, block);
  }
}

void StructureState::take_in_fixed(BlockNo block, ContentId from, ContentId to) {
  switch (layout_->role(block)) {
    case FixedRole::kNone:
    case FixedRole::kUnread: return;
    case FixedRole::kSuperblock: return take_in_superblock();
    case FixedRole::kDescriptors: return take_in_descriptors(block, from, to);
    case FixedRole::kBlockBitmap:
    case FixedRole::kInodeBitmap: return take_in_bitmap(block, from, to);
    case FixedRole::kInodeTable: return take_in_table(block, from, to);
  }
}

void StructureState::take_in_superblock() {
  const auto superblock = Layout::read_superblock(image_);
  if (!superblock || !layout_->fits(*superblock)) {
    is_lost_ = true;
    return;
  }
  is_orphan_list_stale_ =
      is_orphan_list_stale_ || superblock->last_orphan != superblock_->last_orphan;
  superblock_ = *superblock;
}

void StructureState::take_in_descriptors(BlockNo block, ContentId from, ContentId to) {
  const std::uint32_t per_block = superblock_->descriptors_per_block();
  const std::size_t bytes = superblock_->descriptor_bytes;
  const Bytes before = image_.pool().bytes(from), after = image_.pool().bytes(to);
  const std::uint32_t first = layout_->index(block) * per_block;
  for (std::uint32_t i = 0; i < per_block && first + i < groups_.size(); ++i) {
    if (std::memcmp(before.data() + i * bytes, after.data() + i * bytes, bytes) == 0) continue;
    const auto descriptor = Layout::read_group(image_, *superblock_, first + i);
    if (!descriptor || !layout_->fits(*descriptor)) {
      is_lost_ = true;
      return;
    }
    put_descriptor(*descriptor);
  }
}

void StructureState::put_descriptor(const GroupDescriptor& descriptor) {
  GroupCell& group = groups_[descriptor.index];
  const bool had_blocks = is_uninitialised(group.now, GroupFlag::kBlocksUninitialised);
  const bool had_inodes = is_uninitialised(group.now, GroupFlag::kInodesUninitialised);
  group.now = descriptor;
  if (!group.is_stale) stale_groups_.push_back(descriptor.index);
  group.is_stale = true;
  if (had_blocks != is_uninitialised(descriptor, GroupFlag::kBlocksUninitialised)) {
    put_marks(descriptor.index, FixedRole::kBlockBitmap, 0, ~0u);
  }
  if (had_inodes != is_uninitialised(descriptor, GroupFlag::kInodesUninitialised)) {
    put_marks(descriptor.index, FixedRole::kInodeBitmap, 0, ~0u);
  }
  const std::uint32_t end = descriptor.inodes_to_read(*superblock_);
  const std::uint32_t base = descriptor.index * superblock_->inodes_per_group + 1;
  for (std::uint32_t i = std::min(end, group.read_end); i < std::max(end, group.read_end); ++i) {
    set_dirty(InodeNo(base + i));
  }
  if (end != group.read_end) is_orphan_list_stale_ = true;
  group.read_end = end;
}

void StructureState::take_in_bitmap(BlockNo block, ContentId from, ContentId to) {
  const std::uint32_t group = layout_->index(block);
  const FixedRole role = layout_->role(block);
  if (!groups_[group].is_stale) stale_groups_.push_back(group);
  groups_[group].is_stale = true;
  for_each_difference(
      image_.pool().bytes(from), image_.pool().bytes(to),
      [&](std::uint32_t first, std::uint32_t end) { put_marks(group, role, first, end); });
}

bool StructureState::is_uninitialised(const GroupDescriptor& group, GroupFlag flag) const {
  return layout_->has_group_checksums() && group.has(flag);
}

// Takes over bits [first, end) of a bitmap as it is now.  Of one that was never written, the fixed
// blocks are marked and no inode is.
void StructureState::put_marks(std::uint32_t group, FixedRole role, std::uint32_t first,
                               std::uint32_t end) {
  const GroupDescriptor& now = groups_[group].now;
  if (role == FixedRole::kInodeBitmap) {
    const bool is_written = !is_uninitialised(now, GroupFlag::kInodesUninitialised);
    const Bytes bitmap = image_.bytes(now.inode_bitmap);
    const std::uint32_t base = group * superblock_->inodes_per_group + 1;
    for (std::uint32_t i = first; i < std::min(end, superblock_->inodes_per_group); ++i) {
      mark_inode(group, InodeNo(base + i), is_written && bitmap_bit(bitmap, i));
    }
    return;
  }
  const bool is_written = !is_uninitialised(now, GroupFlag::kBlocksUninitialised);
  const Bytes bitmap = image_.bytes(now.block_bitmap);
  const BlockNo base = superblock_->first_block_of(group);
  const auto count = static_cast<std::uint32_t>(superblock_->block_count_of(group));
  for (std::uint32_t i = first; i < std::min(end, count); ++i) {
    const bool is_marked = is_written ? bitmap_bit(bitmap, i) : layout_->is_fixed(base + i);
    mark_block(group, base + i, is_marked);
  }
}

void StructureState::mark_block(std::uint32_t group, BlockNo block, bool is_marked) {
  if (blocks_.is_marked(block) == is_marked) return;
  blocks_.mark(block, is_marked);
  groups_[group].marked_blocks += is_marked ? 1u : ~0u;
}

void StructureState::mark_inode(std::uint32_t group, InodeNo number, bool is_marked) {
  if (cell(number).is_marked == is_marked) return;
  cell(number).is_marked = is_marked;
  groups_[group].marked_inodes += is_marked ? 1u : ~0u;
  set_stale(number);
}

void StructureState::take_in_table(BlockNo block, ContentId from, ContentId to) {
  const std::uint32_t group = layout_->index(block);
  const std::uint32_t bytes = superblock_->inode_bytes;
  const std::uint32_t per_block = superblock_->inodes_per_block();
  const auto table_index = static_cast<std::uint32_t>(block - layout_->group(group).inode_table);
  const std::uint32_t first = table_index * per_block;
  const Bytes before = image_.pool().bytes(from), after = image_.pool().bytes(to);
  for (std::uint32_t i = 0; i < per_block && first + i < groups_[group].read_end; ++i) {
    const std::size_t at = std::size_t{i} * bytes;
    if (std::memcmp(before.data() + at, after.data() + at, bytes) == 0) continue;
    set_dirty(InodeNo(group * superblock_->inodes_per_group + first + i + 1));
  }
}

}  // namespace powercut::lab
