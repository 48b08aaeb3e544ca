#include "reader/extent_walk.h"

#include <algorithm>

namespace powercut {
namespace {

class ExtentWalk {
 public:
  ExtentWalk(const Volume& volume, const OwnerSeed& owner, const FileRange& range,
             const Volume::RunVisitor& run, const Volume::TreeVisitor& tree)
      : volume_(volume), owner_(owner), range_(range), run_(run), tree_(tree) {}

  // `place` is what errors name: the node's block, or the inode for the root.
  Result<bool> node(const ExtentNode& node, const FileRange& window, std::uint64_t place) const {
    return node.depth == 0 ? leaf(node, window, place) : inner(node, window, place);
  }

 private:
  Result<bool> leaf(const ExtentNode& node, const FileRange& window, std::uint64_t place) const {
    for (const Extent& extent : node.extents) {
      const std::uint64_t first = extent.file.value();
      const std::uint64_t end = first + extent.count;
      if (first < window.first || end > window.end) {
        return fail(Errc::kCorrupt, "extent: not where the index above says", place);
      }
      if (first >= range_.end) return true;
      if (end <= range_.first) continue;
      if (!run_({extent.file, extent.device, extent.count, extent.is_unwritten})) return false;
    }
    return true;
  }

  Result<bool> inner(const ExtentNode& node, const FileRange& window, std::uint64_t place) const {
    for (std::size_t i = 0; i < node.children.size(); ++i) {
      const bool is_last = i + 1 == node.children.size();
      const FileRange below{node.children[i].file.value(),
                            is_last ? window.end : node.children[i + 1].file.value()};
      if (below.first < window.first || below.first >= window.end || below.end > window.end) {
        return fail(Errc::kCorrupt, "extent index: not where the index above says", place);
      }
      if (below.first >= range_.end) return true;
      if (below.end <= range_.first) continue;
      const bool goes_on = TRY(child(node.children[i].node, node.depth, below));
      if (!goes_on) return false;
    }
    return true;
  }

  Result<bool> child(BlockNo block, std::uint16_t depth_above, const FileRange& window) const {
    if (tree_ && !tree_(block)) return false;
    std::vector<std::uint8_t> bytes(volume_.superblock().block_bytes());
    TRY(volume_.read_block(block, bytes));
    const auto below = TRY(ExtentNode::parse_block(
        bytes, block, static_cast<std::uint16_t>(depth_above - 1), owner_, volume_.superblock()));
    return node(below, window, block.value());
  }

  const Volume& volume_;
  const OwnerSeed owner_;
  const FileRange range_;
  const Volume::RunVisitor& run_;
  const Volume::TreeVisitor& tree_;
};

}  // namespace

Result<bool> walk_extents(const Volume& volume, InodeNo number, const Inode& inode,
                          const FileRange& range, const Volume::RunVisitor& run,
                          const Volume::TreeVisitor& tree) {
  const auto root = TRY(ExtentNode::parse_root(inode.block_area, number, volume.superblock()));
  const auto owner = OwnerSeed::make(volume.superblock(), number, inode.generation);
  return ExtentWalk(volume, owner, range, run, tree).node(root, FileRange{}, number.value());
}

}  // namespace powercut
