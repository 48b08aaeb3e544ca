#include "reader/directory_walk.h"

#include "reader/block_map.h"
#include "reader/inline_data.h"

namespace powercut {
namespace {

class DirectoryWalk {
 public:
  DirectoryWalk(const Volume& volume, InodeNo number, const Inode& inode,
                const Volume::EntryVisitor& visit, const DirectoryBlockVisitor& block)
      : volume_(volume),
        superblock_(volume.superblock()),
        number_(number),
        owner_(OwnerSeed::make(superblock_, number, inode.generation)),
        is_indexed_(inode.has(InodeFlag::kIndexed) && superblock_.has(Ext4Compat::kDirIndex)),
        blocks_left_(superblock_.block_count),
        visit_(visit),
        visit_block_(block),
        bytes_(superblock_.block_bytes()) {}

  Result<bool> run(const FileRun& run, std::uint64_t end) {
    if (run.is_unwritten) {
      return fail(Errc::kCorrupt, "directory: unwritten blocks", number_.value());
    }
    for (std::uint64_t i = 0; i < run.count && run.file.value() + i < end; ++i) {
      if (blocks_left_-- == 0) {
        return fail(Errc::kCorrupt, "directory: more blocks than the file system", number_.value());
      }
      const bool goes_on = TRY(block(run.file + i, run.device + i));
      if (!goes_on) return false;
    }
    return true;
  }

 private:
  Result<bool> block(FileBlock file, BlockNo device) {
    if (visit_block_ && !visit_block_(device)) return false;
    TRY(volume_.read_block(device, bytes_));
    if (is_indexed_ && file.value() == 0) return root(device);
    if (is_indexed_ && looks_like_htree_node(bytes_)) {
      TRY(HtreeNode::parse(bytes_, device, owner_, superblock_));
      return true;
    }
    const auto parsed = TRY(DirectoryBlock::parse(bytes_, device, owner_, superblock_));
    for (const DirectoryRecord& record : parsed.records) {
      if (record.inode.value() == 0) continue;
      if (!visit_({record.inode, record.name, record.file_type})) return false;
    }
    return true;
  }

  Result<bool> root(BlockNo device) {
    const auto parsed = TRY(HtreeRoot::parse(bytes_, device, owner_, superblock_));
    const std::uint8_t type =
        superblock_.has(Ext4Incompat::kFileType) ? kDirectoryFileType : std::uint8_t{0};
    return visit_({parsed.self, ".", type}) && visit_({parsed.parent, "..", type});
  }

  const Volume& volume_;
  const Superblock& superblock_;
  const InodeNo number_;
  const OwnerSeed owner_;
  const bool is_indexed_;
  std::uint64_t blocks_left_;
  const Volume::EntryVisitor& visit_;
  const DirectoryBlockVisitor& visit_block_;
  std::vector<std::uint8_t> bytes_;
};

}  // namespace

Result<bool> walk_directory(const Volume& volume, InodeNo number, const Inode& inode,
                            const Volume::EntryVisitor& visit, const DirectoryBlockVisitor& block) {
  if (!inode.is(InodeType::kDirectory)) {
    return fail(Errc::kInvalid, "inode: not a directory", number.value());
  }
  if (inode.has(InodeFlag::kEncrypted)) {
    return fail_with(Errc::kUnsupported, "directory: names are encrypted",
                     feature_name(Ext4Incompat::kEncrypt), number.value());
  }
  if (inode.has(InodeFlag::kInlineData)) {
    return walk_inline_directory(volume, number, inode, visit);
  }
  const std::uint32_t block_bytes = volume.superblock().block_bytes();
  if (inode.size % block_bytes != 0) {
    return fail(Errc::kCorrupt, "directory: size is no whole number of blocks", number.value());
  }
  const std::uint64_t end = inode.size / block_bytes;
  DirectoryWalk walk(volume, number, inode, visit, block);
  Result<bool> outcome = true;
  const auto run = [&](const FileRun& found) {
    outcome = walk.run(found, end);
    return outcome.has_value() && *outcome;
  };
  TRY(walk_block_map(volume, number, inode, FileRange{0, end}, run));
  return outcome;
}

}  // namespace powercut
