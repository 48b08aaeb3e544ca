#include "fs/inode_rules.h"

#include <algorithm>
#include <array>

#include "base/stored_int.h"
#include "format/ext4_disk.h"

namespace powercut::fs {
namespace {

constexpr std::uint16_t kExtraWanted = sizeof(disk::InodeExtra);
constexpr std::uint16_t kRootSlots = 4;  // of an extent tree in an inode
constexpr std::uint32_t kManyLinks = 1;  // with dir_nlink: more than can be counted

// s u c S d A and so on, as chattr(1) names them; FS_*_FL of linux/fs.h.
constexpr std::uint32_t kNoDumpFlag = 0x40, kNoAtimeFlag = 0x80, kDirSyncFlag = 0x10000,
                        kTopDirFlag = 0x20000, kProjectFlag = 0x20000000;
constexpr std::uint32_t kInheritedFlags =
    0x1 | 0x2 | 0x8 | kNoDumpFlag | kNoAtimeFlag | 0x4000 | 0x8000 | kDirSyncFlag | kProjectFlag;

std::uint32_t inherited_flags(std::uint32_t of_directory, InodeType type) {
  const std::uint32_t flags = of_directory & kInheritedFlags;
  if (type == InodeType::kDirectory) return flags;
  if (type == InodeType::kRegular) return flags & ~(kDirSyncFlag | kTopDirFlag | kProjectFlag);
  return flags & (kNoDumpFlag | kNoAtimeFlag);
}

bool has_extents(InodeType type) {
  return type == InodeType::kRegular || type == InodeType::kDirectory;
}

// By the number that directories have for it.
constexpr std::array kFileTypes = {InodeType::kNone,        InodeType::kRegular,
                                   InodeType::kDirectory,   InodeType::kCharacterDevice,
                                   InodeType::kBlockDevice, InodeType::kFifo,
                                   InodeType::kSocket,      InodeType::kSymlink};
static_assert(kFileTypes[kDirectoryFileType] == InodeType::kDirectory);

std::uint16_t extra_bytes_of(const Superblock& shape) {
  if (shape.inode_bytes <= sizeof(disk::InodeBase)) return 0;
  const auto most = static_cast<std::uint16_t>(shape.inode_bytes - sizeof(disk::InodeBase));
  const std::uint16_t wanted = std::max(shape.extra_isize_wanted, shape.extra_isize_min);
  return std::min(most, std::max(wanted, kExtraWanted));
}

}  // namespace

std::uint8_t file_type_of(const Superblock& shape, InodeType type) {
  if (!shape.has(Ext4Incompat::kFileType)) return 0;
  const auto found = std::ranges::find(kFileTypes, type);
  return found == kFileTypes.end() ? 0 : static_cast<std::uint8_t>(found - kFileTypes.begin());
}

InodeType type_of_file_type(std::uint8_t file_type) {
  return file_type < kFileTypes.size() ? kFileTypes[file_type] : InodeType::kNone;
}

Result<void> check_changeable_directory(const Node& directory, bool takes_away) {
  const Inode& inode = directory.inode;
  if (!inode.is(InodeType::kDirectory)) {
    return fail(Errc::kNotDirectory, "not a directory", directory.number.value());
  }
  if (inode.links == 0) {
    return fail(Errc::kNotFound, "directory: was removed", directory.number.value());
  }
  const std::uint32_t forbidden = kImmutableFlag | (takes_away ? kAppendFlag : 0);
  if ((inode.flags & forbidden) != 0) {
    return fail(Errc::kNotPermitted, "directory: immutable, or append only",
                directory.number.value());
  }
  return {};
}

Result<void> check_changeable(const Node& node) {
  if (node.inode.links == 0 && node.opens.load() == 0) {
    return fail(Errc::kNotFound, "inode: was deleted", node.number.value());
  }
  if ((node.inode.flags & (kImmutableFlag | kAppendFlag)) != 0) {
    return fail(Errc::kNotPermitted, "inode: immutable, or append only", node.number.value());
  }
  return {};
}

Result<void> check_one_more_directory(const Core& core, const Node& parent) {
  const bool counts_many =
      core.shape.has(Ext4RoCompat::kDirNlink) && parent.inode.has(InodeFlag::kIndexed);
  if (parent.inode.links < kLinksMax || counts_many) return {};
  return fail(Errc::kLimit, "directory: too many in it", parent.number.value());
}

void count_directory_up(Node& parent) {
  std::uint16_t& links = parent.inode.links;
  if (links == kManyLinks) return;
  ++links;
  if (links >= kLinksMax && parent.inode.has(InodeFlag::kIndexed)) links = kManyLinks;
}

void count_directory_down(Node& parent) {
  if (parent.inode.links > 2) --parent.inode.links;
}

void names_changed(const Core& core, Node& directory) {
  directory.inode.modify_time = directory.inode.change_time = core.now();
}

void inode_changed(const Core& core, Node& node) {
  node.inode.change_time = core.now();
}

void begin_extent_tree(Inode& inode) {
  ExtentNode root;
  root.capacity = kRootSlots;
  root.encode_root(inode.block_area);
  inode.flags |= static_cast<std::uint32_t>(InodeFlag::kExtents);
}

Inode new_inode(const Core& core, const Node& directory, const NewInodeWords& what) {
  Inode inode;
  inode.mode = what.mode;
  inode.uid = what.uid;
  inode.gid = what.gid;
  const Inode& parent = directory.inode;
  if ((parent.mode & kSetGid) != 0) {
    inode.gid = parent.gid;
    if (inode.is(InodeType::kDirectory)) inode.mode |= kSetGid;
  }
  inode.flags = inherited_flags(parent.flags, inode.type());
  if ((parent.flags & kProjectFlag) != 0) inode.project = parent.project;
  inode.access_time = inode.change_time = inode.modify_time = inode.create_time = core.now();
  inode.extra_bytes = extra_bytes_of(core.shape);
  inode.links = inode.is(InodeType::kDirectory) ? 2 : 1;
  if (has_extents(inode.type())) begin_extent_tree(inode);
  return inode;
}

void put_device(std::uint32_t major, std::uint32_t minor, Inode& inode) {
  // Small numbers in the first word, as it was before there were others; else in the second.
  const bool is_small = major < 256 && minor < 256;
  const std::uint32_t small = major << 8 | minor;
  const std::uint32_t large = (minor & 0xFF) | (major << 8) | ((minor & ~0xFFu) << 12);
  store(MutableBytes(inode.block_area), 0, Le32(is_small ? small : 0));
  store(MutableBytes(inode.block_area), sizeof(Le32), Le32(is_small ? 0 : large));
}

DevicePair device_of(const Inode& inode) {
  Le32 small, large;
  std::memcpy(&small, inode.block_area.data(), sizeof(small));
  std::memcpy(&large, inode.block_area.data() + sizeof(small), sizeof(large));
  if (small.value() != 0) return {(small >> 8) & 0xFF, small & 0xFF};
  return {(large & 0xFFF00u) >> 8, (large & 0xFF) | ((large >> 12) & 0xFFF00u)};
}

}  // namespace powercut::fs
