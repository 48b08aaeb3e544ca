#include "reader/owner.h"

#include <algorithm>
#include <string>

#include "base/stored_int.h"
#include "reader/block_map.h"
#include "reader/inode_scan.h"
#include "reader/path_walk.h"

namespace powercut {
namespace {

constexpr std::size_t kDoubleIndirectAt = 13 * 4;  // in the block area of a file without extents

std::string text_of(const Error& error) {
  return std::string(error.what) + " " + std::to_string(error.where) + " (" +
         std::string(errc_name(error.code)) + ")";
}

class OwnerSearch {
 public:
  OwnerSearch(const Volume& volume, BlockNo block, std::uint64_t visits_max)
      : volume_(volume), superblock_(volume.superblock()), block_(block), budget_(visits_max) {}

  Owner run() {
    if (block_.value() >= superblock_.block_count) {
      found_.note = "past the end of the file system";
      return found_;
    }
    if (is_fixed() || is_group_metadata() || is_of_special_inode() || is_of_some_inode()) {
      return found_;
    }
    if (budget_.is_spent()) {
      found_.note = "not found in as many inodes and entries as were allowed";
    } else if (!damage_.empty()) {
      found_.note = "claimed by nothing that could be read; not read: " + damage_;
    } else {
      found_.kind = OwnerKind::kFree;
      if (is_in_use_by_bitmap()) found_.note = "in use in the block bitmap";
    }
    return found_;
  }

 private:
  bool found(OwnerKind kind) {
    found_.kind = kind;
    return true;
  }

  bool is_fixed() {
    if (block_ >= superblock_.first_data_block) found_.group = superblock_.group_of(block_);
    switch (superblock_.fixed_block(block_)) {
      case Superblock::Fixed::kNone: break;
      case Superblock::Fixed::kSuperblock:
        if (block_ < superblock_.superblock_block(0)) found_.note = "boot block";
        return found(OwnerKind::kSuperblock);
      case Superblock::Fixed::kReservedDescriptors:
        found_.note = "reserved for growth";
        return found(OwnerKind::kGroupDescriptors);
      case Superblock::Fixed::kDescriptors: return found(OwnerKind::kGroupDescriptors);
    }
    if (superblock_.has(Ext4Incompat::kMultiMountProtection) && block_ == superblock_.mmp_block) {
      found_.note = "multiple mount protection";
      return found(OwnerKind::kSuperblock);
    }
    return false;
  }

  // The i-th group in the order of the search: from the flexible group of the block on, since
  // inodes are near their blocks.
  std::uint32_t nth_group(std::uint32_t i) const {
    const std::uint32_t own =
        block_ < superblock_.first_data_block ? 0 : superblock_.group_of(block_);
    const bool is_flex = superblock_.has(Ext4Incompat::kFlexBg);
    const std::uint32_t log =
        is_flex ? std::min<std::uint32_t>(superblock_.log_groups_per_flex, 31) : 0;
    const std::uint64_t first = (own >> log) << log;
    return static_cast<std::uint32_t>((first + i) % superblock_.group_count());
  }

  bool is_group_metadata() {
    for (std::uint32_t i = 0; i < superblock_.group_count() && budget_.spend(); ++i) {
      const std::uint32_t index = nth_group(i);
      const auto group = volume_.group(index);
      if (!group) {
        note_damage(group.error());
      } else if (is_metadata_of(*group)) {
        found_.group = index;
        return true;
      }
    }
    return false;
  }

  bool is_metadata_of(const GroupDescriptor& group) {
    if (block_ == group.block_bitmap) return found(OwnerKind::kBlockBitmap);
    if (block_ == group.inode_bitmap) return found(OwnerKind::kInodeBitmap);
    if (block_ < group.inode_table) return false;
    const std::uint64_t offset = block_ - group.inode_table;
    if (offset >= superblock_.inode_table_blocks()) return false;
    const auto first = static_cast<std::uint32_t>(offset) * superblock_.inodes_per_block();
    found_.inode = InodeNo(group.index * superblock_.inodes_per_group + first + 1);
    return found(OwnerKind::kInodeTable);
  }

  // The journal, which is asked for most often, and the double indirect block of the resize inode,
  // which no extent leads to.
  bool is_of_special_inode() {
    if (superblock_.has(Ext4Compat::kHasJournal) && superblock_.journal_inode.value() != 0) {
      const auto journal = volume_.inode(superblock_.journal_inode);
      if (journal && is_of(superblock_.journal_inode, *journal)) return true;
    }
    if (!superblock_.has(Ext4Compat::kResizeInode)) return false;
    const auto resize = volume_.inode(kResizeInode);
    if (!resize || resize->has(InodeFlag::kExtents)) return false;
    const auto stored = load<Le32>(resize->block_area, kDoubleIndirectAt);
    if (!stored || block_.value() != stored->value() || stored->value() == 0) return false;
    found_.inode = kResizeInode;
    found_.note = "list of the blocks reserved for growth";
    return found(OwnerKind::kGroupDescriptors);
  }

  bool is_of_some_inode() {
    for (std::uint32_t i = 0; i < superblock_.group_count() && !budget_.is_spent(); ++i) {
      const auto one = [&](InodeNo number, const Result<Inode>& inode) {
        if (!budget_.spend()) return false;
        if (inode) return !is_of(number, *inode);
        note_damage(inode.error());
        return true;
      };
      const std::uint32_t group = nth_group(i);
      const auto scanned = scan_group(volume_, group, InUse::kByBitmap, one);
      if (!scanned) {
        note_damage(scanned.error());
        ignore_error(scan_group(volume_, group, InUse::kByContent, one),
                     "the group cannot be read; noted above");
      }
      if (is_found()) return true;
    }
    return false;
  }

  bool is_found() const { return found_.kind != OwnerKind::kUnknown; }

  // Whether `inode` claims the block; then `found_` says how, and with which name.
  bool is_of(InodeNo number, const Inode& inode) {
    if (inode.xattr_block == block_) {
      found(OwnerKind::kXattr);
    } else {
      const auto tree = [&](BlockNo block) {
        if (block == block_) found(OwnerKind::kExtentTree);
        return !is_found() && budget_.spend();
      };
      const auto run = [&](const FileRun& candidate) {
        if (block_ < candidate.device || block_ - candidate.device >= candidate.count) return true;
        found_.file_block = candidate.file + (block_ - candidate.device);
        found(kind_of_content(number, inode));
        return false;
      };
      const auto walked = walk_block_map(volume_, number, inode, FileRange{}, run, tree);
      // The resize inode's blocks are known by their place.
      if (!walked && number != kResizeInode) note_damage(walked.error());
    }
    if (!is_found()) return false;
    found_.inode = number;
    name(number, inode);
    return true;
  }

  OwnerKind kind_of_content(InodeNo number, const Inode& inode) const {
    if (superblock_.has(Ext4Compat::kHasJournal) && number == superblock_.journal_inode) {
      return OwnerKind::kJournal;
    }
    if (inode.is(InodeType::kDirectory)) return OwnerKind::kDirectory;
    if (inode.is(InodeType::kSymlink)) return OwnerKind::kSymlink;
    if (inode.has(InodeFlag::kEaInode)) return OwnerKind::kXattr;
    return OwnerKind::kFileData;
  }

  void name(InodeNo number, const Inode& inode) {
    if (const char* role = role_of(number, inode)) {
      found_.note = role;
    } else if (inode.links == 0) {
      found_.is_unlinked = true;
    } else {
      found_.path = path_of(volume_, number, budget_);
    }
  }

  // What an inode is that has no name by its nature, or nothing.
  const char* role_of(InodeNo number, const Inode& inode) const {
    if (superblock_.has(Ext4Compat::kHasJournal) && number == superblock_.journal_inode) {
      return "journal";
    }
    if (superblock_.has(Ext4Compat::kOrphanFile) && number == superblock_.orphan_file_inode) {
      return "orphan file";
    }
    if (number == superblock_.user_quota_inode) return "user quota";
    if (number == superblock_.group_quota_inode) return "group quota";
    if (number == superblock_.project_quota_inode) return "project quota";
    if (inode.has(InodeFlag::kEaInode)) return "value of an extended attribute";
    if (number == kBadBlocksInode) return "bad blocks";
    if (number == kResizeInode) return "reserved descriptor blocks";
    return nullptr;
  }

  // False also where the bitmap cannot be read or is not written yet.
  bool is_in_use_by_bitmap() const {
    const std::uint32_t index = superblock_.group_of(block_);
    const auto group = volume_.group(index);
    if (!group || group->has(GroupFlag::kBlocksUninitialised)) return false;
    std::vector<std::uint8_t> bitmap(superblock_.block_bytes());
    if (!volume_.read_block(group->block_bitmap, bitmap)) return false;
    if (!block_bitmap_matches(bitmap, *group, superblock_)) return false;
    const std::uint64_t offset = block_ - superblock_.first_block_of(index);
    return bitmap_bit(bitmap,
                      static_cast<std::uint32_t>(offset / superblock_.blocks_per_cluster()));
  }

  void note_damage(const Error& error) {
    if (damage_.empty()) damage_ = text_of(error);
  }

  const Volume& volume_;
  const Superblock& superblock_;
  const BlockNo block_;
  Budget budget_;
  Owner found_;
  std::string damage_;  // the first thing that could not be read
};

std::string hex(std::uint64_t value) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  do {
    text.insert(text.begin(), kDigits[value % 16]);
    value /= 16;
  } while (value != 0);
  return "0x" + text;
}

// "/w/h0 (inode 14)", "inode 12 (unlinked)", "inode 3 (user quota)".
std::string inode_text(const Owner& owner) {
  const std::string number = "inode " + std::to_string(owner.inode.value());
  if (!owner.path.empty()) return owner.path + " (" + number + ")";
  if (owner.is_unlinked) return number + " (unlinked)";
  return owner.note.empty() ? number : number + " (" + owner.note + ")";
}

std::string with_note(std::string text, const Owner& owner) {
  return owner.note.empty() ? text : text + " (" + owner.note + ")";
}

}  // namespace

std::string_view owner_kind_name(OwnerKind kind) {
  switch (kind) {
    case OwnerKind::kUnknown: return "unknown";
    case OwnerKind::kFree: return "free";
    case OwnerKind::kSuperblock: return "superblock";
    case OwnerKind::kGroupDescriptors: return "group descriptors";
    case OwnerKind::kBlockBitmap: return "block bitmap";
    case OwnerKind::kInodeBitmap: return "inode bitmap";
    case OwnerKind::kInodeTable: return "inode table";
    case OwnerKind::kJournal: return "journal";
    case OwnerKind::kFileData: return "file data";
    case OwnerKind::kDirectory: return "directory";
    case OwnerKind::kExtentTree: return "extent tree";
    case OwnerKind::kXattr: return "extended attributes";
    case OwnerKind::kSymlink: return "symlink";
  }
  return "unknown";
}

std::string Owner::describe(std::uint32_t block_bytes) const {
  const std::string kind_text(owner_kind_name(kind));
  const std::string in_group = kind_text + " of group " + std::to_string(group);
  const std::string offset = " offset " + hex(file_block.value() * block_bytes);
  switch (kind) {
    case OwnerKind::kUnknown:
    case OwnerKind::kFree: return with_note(kind_text, *this);
    case OwnerKind::kSuperblock: return note.empty() ? in_group : note;
    case OwnerKind::kGroupDescriptors:
      return with_note(inode.value() == 0 ? in_group : kind_text, *this);
    case OwnerKind::kBlockBitmap:
    case OwnerKind::kInodeBitmap: return in_group;
    case OwnerKind::kInodeTable: return in_group + " from inode " + std::to_string(inode.value());
    case OwnerKind::kJournal: return "journal block " + std::to_string(file_block.value());
    case OwnerKind::kFileData: return inode_text(*this) + offset;
    case OwnerKind::kDirectory:
    case OwnerKind::kSymlink: return kind_text + " " + inode_text(*this) + offset;
    case OwnerKind::kExtentTree:
    case OwnerKind::kXattr: return kind_text + " of " + inode_text(*this);
  }
  return kind_text;
}

Owner find_owner(const Volume& volume, BlockNo block, std::uint64_t inodes_max) {
  return OwnerSearch(volume, block, inodes_max).run();
}

}  // namespace powercut
