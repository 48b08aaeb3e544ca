// From sums to verdicts: the rules that one inode or group must keep against the rest of the image.
#include <algorithm>

#include "format/ext4_xattr.h"
#include "lab/check/structure_state.h"

namespace powercut::lab {
namespace {

// Where a directory would have more links, it is given one (dir_nlink).
constexpr std::uint32_t kLinksMost = 65000;

// The type that directories keep for an inode.
std::uint8_t entry_type(InodeType type) {
  switch (type) {
    case InodeType::kNone: return 0;
    case InodeType::kRegular: return 1;
    case InodeType::kDirectory: return 2;
    case InodeType::kCharacterDevice: return 3;
    case InodeType::kBlockDevice: return 4;
    case InodeType::kFifo: return 5;
    case InodeType::kSocket: return 6;
    case InodeType::kSymlink: return 7;
  }
  return 0;
}

bool is_padded(Bytes bitmap, std::uint32_t first) {
  for (; first % 8 != 0 && first / 8 < bitmap.size(); ++first) {
    if (!bitmap_bit(bitmap, first)) return false;
  }
  const Bytes rest = bitmap.subspan(std::min<std::size_t>(first / 8, bitmap.size()));
  // All bytes are the first, and that is full.
  return rest.empty() ||
         (rest[0] == 0xFF && std::memcmp(rest.data(), rest.data() + 1, rest.size() - 1) == 0);
}

}  // namespace

void StructureState::judge_stale() {
  for (const InodeNo number : stale_inodes_) {
    InodeCell& inode = cell(number);
    inode.is_stale = false;
    const std::uint64_t wrong = judge(number);
    wrong_inodes_ += std::uint64_t{wrong != 0} - std::uint64_t{inode.wrong != 0};
    inode.wrong = wrong;
    note_parent(number);
  }
  stale_inodes_.clear();
  for (const std::uint32_t group : stale_groups_) {
    GroupCell& cell = groups_[group];
    cell.is_stale = false;
    const std::uint64_t wrong = judge(cell);
    wrong_groups_ += std::uint64_t{wrong != 0} - std::uint64_t{cell.wrong != 0};
    cell.wrong = wrong;
  }
  stale_groups_.clear();
  has_cycle_ = false;
  if (is_clean()) has_cycle_ = !follow_to_root();
}

std::uint64_t StructureState::judge(InodeNo number) const {
  const InodeCell& inode = cell(number);
  std::uint64_t wrong = judge_mark(number);
  const bool is_readable = !inode.record || inode.record->is_readable;
  if (inode.record && !inode.record->flaws.empty()) wrong |= bit_of(StructureRule::kInode);
  if (inode.in_orphan_file > 1 || (inode.in_orphan_file != 0 && inode.is_listed) ||
      (inode.is_orphan() && is_readable && (!inode.record || !inode.record->is_used))) {
    wrong |= bit_of(StructureRule::kOrphanFile);
  }
  if (is_readable) wrong |= judge_names(number);
  return wrong;
}

// The bitmap against the table.  Of an inode that cannot be read neither is known to be wrong.
std::uint64_t StructureState::judge_mark(InodeNo number) const {
  const InodeCell& inode = cell(number);
  if (inode.record && !inode.record->is_readable) return 0;
  const bool is_reserved = number < superblock_->first_inode;
  const bool is_used = is_reserved || (inode.record && inode.record->is_used);
  if (is_used && !inode.is_marked) return bit_of(StructureRule::kInodeNotMarked);
  if (!is_used && inode.is_marked) return bit_of(StructureRule::kInodeMarkedUnused);
  return 0;
}

std::uint64_t StructureState::judge_names(InodeNo number) const {
  const InodeCell& cell = this->cell(number);
  const bool is_used = cell.record && cell.record->is_used;
  if (!is_used) {
    std::uint64_t wrong = 0;
    if (cell.sums.entries != 0) wrong |= bit_of(StructureRule::kNameOfUnused);
    if (number == kRootInode) wrong |= bit_of(StructureRule::kUnattached);
    const bool has_no_time = cell.record && cell.record->inode.mode != 0 &&
                             cell.record->inode.delete_time == 0 &&
                             number >= superblock_->first_inode;
    if (has_no_time) wrong |= bit_of(StructureRule::kInodeDeleteTime);
    return wrong;
  }
  const Inode& inode = cell.record->inode;
  std::uint64_t wrong = 0;
  const bool is_value = inode.has(InodeFlag::kEaInode);
  if (inode.delete_time != 0 && inode.links != 0 && !cell.is_listed && !is_value) {
    wrong |= bit_of(StructureRule::kInodeDeleteTime);
  }
  if (cell.record->has_blocks_past_size && !cell.is_orphan()) {
    wrong |= bit_of(StructureRule::kInodePastSize);
  }
  if (is_value || cell.value_uses != 0) {
    const auto fields = ValueInode::parse(layout_->inode_bytes(image_, number));
    if (!is_value || !fields || fields->references != cell.value_uses) {
      wrong |= bit_of(StructureRule::kValueReferences);
    }
  }
  if (is_value || layout_->is_nameless(number)) {
    return cell.sums.entries == 0 ? wrong : wrong | bit_of(StructureRule::kNameOfReserved);
  }
  if (inode.links == 0) {
    return cell.sums.entries == 0 ? wrong : wrong | bit_of(StructureRule::kNameOfUnused);
  }
  const bool has_types = superblock_->has(Ext4Incompat::kFileType);
  if (!cell.sums.have_all(has_types ? entry_type(inode.type()) : 0)) {
    wrong |= bit_of(StructureRule::kEntryType);
  }
  const bool is_directory = inode.is(InodeType::kDirectory);
  const bool has_most = is_directory && cell.sums.entries > kLinksMost && inode.links == 1;
  if (inode.links != cell.sums.entries && !has_most) wrong |= bit_of(StructureRule::kLinkCount);
  if (is_directory) return wrong | judge_directory(number);
  if (cell.sums.names == 0) wrong |= bit_of(StructureRule::kUnattached);
  return wrong;
}

std::uint64_t StructureState::judge_directory(InodeNo number) const {
  const InodeCell& inode = cell(number);
  const InodeNo parent = inode.record->parent;
  if (number == kRootInode) {
    std::uint64_t wrong = 0;
    if (inode.sums.names != 0) wrong |= bit_of(StructureRule::kDirectoryParents);
    if (parent != kRootInode) wrong |= bit_of(StructureRule::kDotDot);
    return wrong;
  }
  if (inode.sums.names == 0) return bit_of(StructureRule::kUnattached);
  if (inode.sums.names > 1) return bit_of(StructureRule::kDirectoryParents);
  return parent == inode.sums.only_parent() ? 0 : bit_of(StructureRule::kDotDot);
}

std::uint64_t StructureState::judge(const GroupCell& group) const {
  const GroupDescriptor& now = group.now;
  std::uint64_t wrong = 0;
  const auto block_count = static_cast<std::uint32_t>(superblock_->block_count_of(now.index));
  if (!is_uninitialised(now, GroupFlag::kBlocksUninitialised)) {
    const Bytes bitmap = image_.bytes(now.block_bitmap);
    if (!block_bitmap_matches(bitmap, now, *superblock_)) {
      wrong |= bit_of(StructureRule::kBlockBitmapChecksum);
    }
    if (!is_padded(bitmap, block_count)) wrong |= bit_of(StructureRule::kBitmapPadding);
  }
  if (!is_uninitialised(now, GroupFlag::kInodesUninitialised)) {
    const Bytes bitmap = image_.bytes(now.inode_bitmap);
    if (!inode_bitmap_matches(bitmap, now, *superblock_)) {
      wrong |= bit_of(StructureRule::kInodeBitmapChecksum);
    }
    if (!is_padded(bitmap, superblock_->inodes_per_group)) {
      wrong |= bit_of(StructureRule::kBitmapPadding);
    }
  }
  if (now.free_blocks != block_count - group.marked_blocks) {
    wrong |= bit_of(StructureRule::kGroupFreeBlocks);
  }
  if (now.free_inodes != superblock_->inodes_per_group - group.marked_inodes) {
    wrong |= bit_of(StructureRule::kGroupFreeInodes);
  }
  if (now.used_directories != group.directories) wrong |= bit_of(StructureRule::kGroupDirectories);
  return wrong;
}

// ---- the way to the root
//
// Every directory but the root has exactly one parent when nothing else is wrong.  What does not
// reach the root then is in a cycle or below one.  Once all directories were found to reach it, a
// new cycle has a directory in it whose parent is not the one of that time.

InodeNo StructureState::parent_to_follow(InodeNo number) const {
  const InodeCell& inode = cell(number);
  const bool has_parent = inode.record && inode.record->is_directory() &&
                          inode.record->inode.links != 0 && number != kRootInode;
  return has_parent ? inode.sums.only_parent() : InodeNo();
}

void StructureState::note_parent(InodeNo number) {
  InodeCell& inode = cell(number);
  const InodeNo parent = parent_to_follow(number);
  if (parent.value() == 0) {
    inode.followed_parent = InodeNo();
  } else if (parent != inode.followed_parent && !inode.is_to_follow) {
    inode.is_to_follow = true;
    to_follow_.push_back(number);
  }
}

bool StructureState::leads_to_root(InodeNo number) const {
  std::size_t steps = 0;
  while (number != kRootInode) {
    number = parent_to_follow(number);
    if (number.value() == 0 || ++steps > inodes_.size()) return false;
  }
  return true;
}

bool StructureState::follow_to_root() {
  for (const InodeNo number : to_follow_) {
    const InodeNo parent = parent_to_follow(number);
    const bool is_new = parent.value() != 0 && parent != cell(number).followed_parent;
    if (is_new && !leads_to_root(number)) return false;
  }
  for (const InodeNo number : to_follow_) {
    cell(number).is_to_follow = false;
    cell(number).followed_parent = parent_to_follow(number);
  }
  to_follow_.clear();
  return true;
}

}  // namespace powercut::lab
