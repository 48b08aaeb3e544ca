// Names to inodes: one name in one directory, and absolute paths.
//
// A name in an htree directory is looked for in the leaf that its hash leads to.  An entry of an
// index has the names from its hash up to the next entry's, that one included: names of one hash
// may go on in the next leaf (the entry there then has its lowest bit set).  Where the index cannot
// be used the whole directory is searched, with the same answer:
//   * the hash is not known here, or needs a key (SipHash);
//   * names are hashed folded (casefold);
//   * index or leaf are damaged, or the index leads to more blocks than the directory has.
#include <algorithm>

#include "format/ext4_hash.h"
#include "reader/block_map.h"
#include "reader/directory_walk.h"

namespace powercut {
namespace {

constexpr std::size_t kNameMax = 255;

class HtreeSearch {
 public:
  HtreeSearch(const Volume& volume, InodeNo number, const Inode& inode, std::string_view name)
      : volume_(volume),
        superblock_(volume.superblock()),
        number_(number),
        inode_(inode),
        owner_(OwnerSeed::make(superblock_, number, inode.generation)),
        name_(name),
        blocks_left_(inode.size / superblock_.block_bytes()),
        bytes_(superblock_.block_bytes()) {}

  // 0: there is no such name.  Any error: the index cannot be used.
  Result<InodeNo> run() {
    const BlockNo place = TRY(read(FileBlock(0)));
    const auto root = TRY(HtreeRoot::parse(bytes_, place, owner_, superblock_));
    if (root.flags != 0) {
      return fail(Errc::kUnsupported, "htree root: flags", number_.value());
    }
    if (name_ == ".") return root.self;
    if (name_ == "..") return root.parent;
    const auto hash = TRY(
        hash_name(name_, directory_hash_of(root.hash_version, superblock_), superblock_.hash_seed));
    hash_ = hash.major;
    TRY(below(root.entries, root.indirect_levels, ~0u));
    return found_;
  }

 private:
  // The lowest bit of an entry's hash says that the block before it has names of that hash too.
  static std::uint32_t without_flag(std::uint32_t hash) { return hash & ~1u; }

  // Looks into every entry that may lead to the name.  `levels`: nodes between these entries and
  // the leaves; `end`: the hash of the entry that follows the last of these.
  Result<void> below(const std::vector<HtreeEntry>& entries, std::uint8_t levels,
                     std::uint32_t end) {
    for (std::size_t i = 0; i < entries.size() && found_.value() == 0; ++i) {
      const std::uint32_t next = i + 1 < entries.size() ? entries[i + 1].hash : end;
      if (without_flag(entries[i].hash) > hash_) break;
      if (without_flag(next) < hash_) continue;
      if (entries[i].block.value() == 0) {
        return fail(Errc::kCorrupt, "htree: leads to its root", number_.value());
      }
      if (levels == 0) {
        TRY(leaf(entries[i].block));
        continue;
      }
      const BlockNo place = TRY(read(entries[i].block));
      const auto node = TRY(HtreeNode::parse(bytes_, place, owner_, superblock_));
      TRY(below(node.entries, static_cast<std::uint8_t>(levels - 1), next));
    }
    return {};
  }

  Result<void> leaf(FileBlock block) {
    const BlockNo place = TRY(read(block));
    const auto parsed = TRY(DirectoryBlock::parse(bytes_, place, owner_, superblock_));
    for (const DirectoryRecord& record : parsed.records) {
      if (record.inode.value() != 0 && record.name == name_) {
        found_ = record.inode;
        return {};
      }
    }
    return {};
  }

  // Reads a block of the directory into `bytes_` and returns where it lies.
  Result<BlockNo> read(FileBlock block) {
    if (blocks_left_ == 0) {
      return fail(Errc::kCorrupt, "htree: leads to more blocks than there are", number_.value());
    }
    --blocks_left_;
    BlockNo place;
    const auto take = [&](const FileRun& run) {
      if (!run.is_unwritten) place = run.device + (block - run.file);
      return false;
    };
    TRY(walk_block_map(volume_, number_, inode_, {block.value(), block.value() + 1}, take));
    if (place.value() == 0) {
      return fail(Errc::kCorrupt, "htree: leads to a block that is not there", number_.value());
    }
    TRY(volume_.read_block(place, bytes_));
    return place;
  }

  const Volume& volume_;
  const Superblock& superblock_;
  const InodeNo number_;
  const Inode& inode_;
  const OwnerSeed owner_;
  const std::string_view name_;
  std::uint64_t blocks_left_;
  std::vector<std::uint8_t> bytes_;
  std::uint32_t hash_ = 0;
  InodeNo found_;
};

bool has_usable_index(const Superblock& superblock, const Inode& inode) {
  return inode.is(InodeType::kDirectory) && inode.has(InodeFlag::kIndexed) &&
         superblock.has(Ext4Compat::kDirIndex) && !inode.has(InodeFlag::kCaseFold) &&
         !inode.has(InodeFlag::kInlineData) && !inode.has(InodeFlag::kEncrypted) &&
         inode.size % superblock.block_bytes() == 0;
}

}  // namespace

Result<InodeNo> Volume::lookup(InodeNo directory, const Inode& inode, std::string_view name) const {
  InodeNo found;
  bool is_known = false;
  if (has_usable_index(superblock_, inode) && !name.empty() && name.size() <= kNameMax) {
    const auto searched = HtreeSearch(*this, directory, inode, name).run();
    is_known = searched.has_value();
    if (searched) found = *searched;
  }
  if (!is_known) {
    TRY(for_each_entry(directory, inode, [&](const DirectoryEntry& entry) {
      if (entry.name == name) found = entry.inode;
      return found.value() == 0;
    }));
  }
  if (found.value() == 0) return fail_with(Errc::kNotFound, "path", name, directory.value());
  return found;
}

Result<InodeNo> Volume::find(std::string_view path) const {
  if (path.empty() || path.front() != '/') {
    return fail_with(Errc::kInvalid, "path: not absolute", path);
  }
  InodeNo at = kRootInode;
  std::size_t begin = 0;
  while (begin < path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view name = path.substr(begin, end - begin);
    begin = end + 1;
    if (name.empty()) continue;
    const auto directory = TRY(inode(at));
    if (!directory.is(InodeType::kDirectory)) {
      return fail_with(Errc::kNotFound, "path: passes what is no directory", path, at.value());
    }
    const auto next = lookup(at, directory, name);
    if (!next && next.error().code == Errc::kNotFound) {
      return fail_with(Errc::kNotFound, "path", path, at.value());
    }
    at = TRY(Result<InodeNo>(next));
  }
  return at;
}

}  // namespace powercut
