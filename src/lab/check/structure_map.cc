#include "lab/check/structure_map.h"

#include <algorithm>

#include "base/stored_int.h"

namespace powercut::lab {
namespace {

constexpr std::uint64_t kFileBlocksMax = std::uint64_t{1} << 32;

class MapMaker {
 public:
  explicit MapMaker(const ReadContext& context)
      : context_(context), most_(context.superblock().block_count) {}

  // False when the inode has more than a file system can hold.
  bool node(BlockNo block) {
    map_.nodes.push_back(block);
    return map_.nodes.size() <= most_;
  }
  bool run(const MappedRun& run) {
    map_.mapped += run.count;
    MappedRun* const last = map_.runs.empty() ? nullptr : &map_.runs.back();
    const bool goes_on = last != nullptr && last->is_unwritten == run.is_unwritten &&
                         last->file.value() + last->count == run.file.value() &&
                         last->device + last->count == run.device &&
                         std::uint64_t{last->count} + run.count < kFileBlocksMax;
    if (goes_on) {
      last->count += run.count;
    } else {
      map_.runs.push_back(run);
    }
    return map_.mapped <= most_;
  }
  void flaw(StructureRule rule, const char* what, BlockNo block) {
    // A few tell enough, and a hostile image has no end of them.
    if (map_.flaws.size() < kFlawsMost) map_.flaws.push_back({rule, what, block});
  }
  BlockMap take(bool is_whole, StructureRule rule) {
    if (is_whole) return std::move(map_);
    BlockMap none;
    none.flaws.push_back({rule, "maps more blocks than the file system has", BlockNo()});
    return none;
  }
  const ReadContext& context() const { return context_; }

 private:
  static constexpr std::size_t kFlawsMost = 8;
  const ReadContext& context_;
  const std::uint64_t most_;
  BlockMap map_;
};

// [first, end) of file blocks.
struct Window {
  std::uint64_t first = 0, end = kFileBlocksMax;
};

class ExtentMapReader {
 public:
  ExtentMapReader(MapMaker& maker, const OwnerSeed& owner) : maker_(maker), owner_(owner) {}

  bool node(const ExtentNode& node, const Window& window, BlockNo place) {
    return node.depth == 0 ? leaf(node, window, place) : inner(node, window, place);
  }

 private:
  static constexpr StructureRule kRule = StructureRule::kExtentTree;

  bool leaf(const ExtentNode& node, const Window& window, BlockNo place) {
    for (const Extent& extent : node.extents) {
      const std::uint64_t first = extent.file.value();
      if (first < window.first || first + extent.count > window.end) {
        maker_.flaw(kRule, "an extent outside what the level above says", place);
        continue;
      }
      if (!maker_.run({extent.file, extent.device, extent.count, extent.is_unwritten})) {
        return false;
      }
    }
    return true;
  }

  bool inner(const ExtentNode& node, const Window& window, BlockNo place) {
    for (std::size_t i = 0; i < node.children.size(); ++i) {
      const ExtentIndex& child = node.children[i];
      Window below{child.file.value(), window.end};
      if (i + 1 < node.children.size()) below.end = node.children[i + 1].file.value();
      if (below.first < window.first || below.first >= window.end) {
        maker_.flaw(kRule, "an index outside what the level above says", place);
        continue;
      }
      below.end = std::min(below.end, window.end);
      const auto depth = static_cast<std::uint16_t>(node.depth - 1);
      if (!block(child.node, depth, below)) return false;
    }
    return true;
  }

  bool block(BlockNo place, std::uint16_t depth, const Window& window) {
    if (!maker_.node(place)) return false;
    const ReadContext& context = maker_.context();
    const ExtentFacts& facts =
        context.facts.extent_node(context.image, place, depth, owner_, context.superblock());
    if (facts.flaw != nullptr) {
      maker_.flaw(kRule, facts.flaw, place);
      return true;
    }
    const FileBlock first =
        depth == 0 ? facts.node.extents.front().file : facts.node.children.front().file;
    if (first.value() != window.first) {
      maker_.flaw(kRule, "a node does not begin where the level above says", place);
    }
    return node(facts.node, window, place);
  }

  MapMaker& maker_;
  const OwnerSeed owner_;
};

class IndirectMapReader {
 public:
  explicit IndirectMapReader(MapMaker& maker)
      : maker_(maker),
        superblock_(maker.context().superblock()),
        numbers_per_block_(superblock_.block_bytes() / sizeof(Le32)) {}

  bool area(Bytes area) {
    constexpr std::size_t kDirect = 12;
    if (!numbers(area.first(kDirect * sizeof(Le32)), 0, 0, BlockNo())) return false;
    std::uint64_t first = kDirect;
    for (std::uint32_t level = 1; level <= 3; ++level) {
      const Bytes one = area.subspan((kDirect + level - 1) * sizeof(Le32), sizeof(Le32));
      if (!numbers(one, level, first, BlockNo())) return false;
      first += blocks_below(level);
    }
    return true;
  }

 private:
  static constexpr StructureRule kRule = StructureRule::kIndirectBlocks;

  // File blocks below one number of that level.
  std::uint64_t blocks_below(std::uint32_t level) const {
    std::uint64_t count = 1;
    for (std::uint32_t i = 0; i < level; ++i) count *= numbers_per_block_;
    return count;
  }

  // What is below `numbers`, the first of which stands for file block `first`.
  bool numbers(Bytes numbers, std::uint32_t level, std::uint64_t first, BlockNo place) {
    const std::uint64_t step = blocks_below(level);
    for (std::size_t at = 0; at < numbers.size(); at += sizeof(Le32), first += step) {
      Le32 stored;
      std::memcpy(&stored, numbers.data() + at, sizeof(stored));
      if (stored.value() != 0 && !one(BlockNo(stored), level, first, place)) return false;
    }
    return true;
  }

  bool one(BlockNo block, std::uint32_t level, std::uint64_t first, BlockNo place) {
    if (!superblock_.contains(block) || first >= kFileBlocksMax) {
      maker_.flaw(kRule, "a block out of the file system", place);
      return true;
    }
    if (level == 0) return maker_.run({FileBlock(first), block, 1, false});
    if (!maker_.node(block)) return false;
    return numbers(maker_.context().image.bytes(block), level - 1, first, block);
  }

  MapMaker& maker_;
  const Superblock& superblock_;
  const std::uint64_t numbers_per_block_;
};

}  // namespace

BlockMap read_block_map(const ReadContext& context, InodeNo number, const Inode& inode) {
  MapMaker maker(context);
  if (!inode.has(InodeFlag::kExtents)) {
    const bool is_whole = IndirectMapReader(maker).area(inode.block_area);
    return maker.take(is_whole, StructureRule::kIndirectBlocks);
  }
  const auto root = ExtentNode::parse_root(inode.block_area, number, context.superblock());
  if (!root) {
    maker.flaw(StructureRule::kExtentTree, root.error().what, BlockNo());
    return maker.take(true, StructureRule::kExtentTree);
  }
  const OwnerSeed owner = OwnerSeed::make(context.superblock(), number, inode.generation);
  const bool is_whole = ExtentMapReader(maker, owner).node(*root, Window(), BlockNo());
  return maker.take(is_whole, StructureRule::kExtentTree);
}

std::vector<BlockNo> blocks_of(const std::vector<MappedRun>& runs, std::uint64_t count) {
  std::vector<BlockNo> blocks(count);
  for (const MappedRun& run : runs) {
    for (std::uint64_t i = 0; i < run.count && run.file.value() + i < count; ++i) {
      blocks[run.file.value() + i] = run.device + i;
    }
  }
  return blocks;
}

std::uint64_t mapped_end(const std::vector<MappedRun>& runs) {
  return runs.empty() ? 0 : runs.back().file.value() + runs.back().count;
}

}  // namespace powercut::lab
