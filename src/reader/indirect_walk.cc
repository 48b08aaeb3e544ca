#include "reader/indirect_walk.h"

#include <algorithm>
#include <array>

#include "base/stored_int.h"

namespace powercut {
namespace {

constexpr std::uint64_t kDirectCount = 12;
constexpr std::uint32_t kLevels = 3;
constexpr std::uint64_t kFileBlocksMax = std::uint64_t{1} << 32;

class IndirectWalk {
 public:
  IndirectWalk(const Volume& volume, InodeNo number, const FileRange& range,
               const Volume::RunVisitor& run, const Volume::TreeVisitor& tree)
      : volume_(volume),
        superblock_(volume.superblock()),
        number_(number),
        range_(range),
        numbers_per_block_(superblock_.block_bytes() / sizeof(Le32)),
        indirect_left_(superblock_.block_count),
        mapped_left_(superblock_.block_count),
        run_(run),
        tree_(tree) {}

  Result<bool> inode(const Inode& inode) {
    const std::uint64_t block_bytes = superblock_.block_bytes();
    if (inode.size > std::min(reach(), kFileBlocksMax) * block_bytes) {
      return fail(Errc::kCorrupt, "inode: size past what indirect blocks can map", number_.value());
    }
    const Bytes area = inode.block_area;
    const bool direct_goes_on =
        TRY(pointers(area.first(kDirectCount * sizeof(Le32)), 0, 0, number_.value()));
    if (!direct_goes_on) return false;
    std::uint64_t first = kDirectCount;
    for (std::uint32_t level = 1; level <= kLevels; ++level) {
      const Bytes one = area.subspan((kDirectCount + level - 1) * sizeof(Le32), sizeof(Le32));
      const bool goes_on = TRY(pointers(one, level, first, number_.value()));
      if (!goes_on) return false;
      first += blocks_below(level);
    }
    return give_pending();
  }

 private:
  // File blocks below one number that has `level` indirect blocks between itself and the data.
  std::uint64_t blocks_below(std::uint32_t level) const {
    std::uint64_t count = 1;
    for (std::uint32_t i = 0; i < level; ++i) count *= numbers_per_block_;
    return count;
  }
  std::uint64_t reach() const {
    return kDirectCount + blocks_below(1) + blocks_below(2) + blocks_below(3);
  }

  // Visits what is below `numbers`, of which the first stands for file block `first`.  `place` is
  // what errors name: the block with the numbers, or the inode.
  Result<bool> pointers(Bytes numbers, std::uint32_t level, std::uint64_t first,
                        std::uint64_t place) {
    const std::uint64_t step = blocks_below(level);
    const std::uint64_t skipped = range_.first > first ? (range_.first - first) / step : 0;
    first += skipped * step;
    for (std::uint64_t i = skipped; i < numbers.size() / sizeof(Le32) && first < range_.end; ++i) {
      Le32 stored;
      std::memcpy(&stored, numbers.data() + i * sizeof(stored), sizeof(stored));
      const BlockNo block(stored);
      if (block.value() != 0) {
        if (!superblock_.contains(block)) {
          return fail(Errc::kCorrupt, "indirect block: out of the file system", place);
        }
        const bool goes_on = TRY(level == 0 ? mapped(block, first) : indirect(block, level, first));
        if (!goes_on) return false;
      }
      first += step;
    }
    return true;
  }

  Result<bool> indirect(BlockNo block, std::uint32_t level, std::uint64_t first) {
    for (std::uint32_t above = level + 1; above <= kLevels; ++above) {
      if (path_[above - 1] == block) {
        return fail(Errc::kCorrupt, "indirect block: below itself", block.value());
      }
    }
    if (indirect_left_-- == 0) {
      return fail(Errc::kCorrupt, "indirect blocks: more than the file system has blocks",
                  number_.value());
    }
    if (!give_pending()) return false;
    if (tree_ && !tree_(block)) return false;
    std::vector<std::uint8_t>& bytes = bytes_[level - 1];
    bytes.resize(superblock_.block_bytes());
    TRY(volume_.read_block(block, bytes));
    path_[level - 1] = block;
    auto outcome = pointers(bytes, level - 1, first, block.value());
    path_[level - 1] = BlockNo();
    return outcome;
  }

  Result<bool> mapped(BlockNo block, std::uint64_t file) {
    if (mapped_left_-- == 0) {
      return fail(Errc::kCorrupt, "indirect blocks: map more blocks than the file system has",
                  number_.value());
    }
    const bool goes_on = pending_.count != 0 && pending_.file.value() + pending_.count == file &&
                         pending_.device + pending_.count == block;
    if (goes_on) {
      ++pending_.count;
      return true;
    }
    if (!give_pending()) return false;
    pending_ = {FileBlock(file), block, 1, false};
    return true;
  }

  // Gives the run that was collected to the visitor; false if that stops the walk.
  bool give_pending() {
    if (pending_.count == 0) return true;
    const FileRun whole = pending_;
    pending_ = {};
    return run_(whole);
  }

  const Volume& volume_;
  const Superblock& superblock_;
  const InodeNo number_;
  const FileRange range_;
  const std::uint64_t numbers_per_block_;
  std::uint64_t indirect_left_, mapped_left_;
  const Volume::RunVisitor& run_;
  const Volume::TreeVisitor& tree_;
  FileRun pending_;                                       // count 0: none
  std::array<BlockNo, kLevels> path_;                     // what is being read at each level
  std::array<std::vector<std::uint8_t>, kLevels> bytes_;  // and its content
};

}  // namespace

Result<bool> walk_indirect(const Volume& volume, InodeNo number, const Inode& inode,
                           const FileRange& range, const Volume::RunVisitor& run,
                           const Volume::TreeVisitor& tree) {
  return IndirectWalk(volume, number, range, run, tree).inode(inode);
}

}  // namespace powercut
