#include "fs/extent_path.h"

#include <algorithm>

#include "format/ext4_disk.h"

namespace powercut::fs {
namespace {

std::size_t entries_of(const ExtentNode& node) {
  return node.depth == 0 ? node.extents.size() : node.children.size();
}

FileBlock first_of(const ExtentNode& node) {
  return node.depth == 0 ? node.extents.front().file : node.children.front().file;
}

std::uint16_t block_capacity(const Core& core) {
  const std::size_t room = core.block_bytes() - sizeof(disk::ExtentHeader) -
                           (core.shape.has_metadata_checksums() ? sizeof(disk::ExtentTail) : 0);
  return static_cast<std::uint16_t>(room / sizeof(disk::ExtentLeafEntry));
}

OwnerSeed seed_of(const Core& core, const Node& node) REQUIRES_SHARED(node.lock) {
  return OwnerSeed::make(core.shape, node.number, node.inode.generation);
}

// What the keys above say of a node must hold for it.
Result<void> check_range(const ExtentNode& node, FileBlock key, FileBlock end, BlockNo place) {
  const FileBlock last_end = node.depth == 0 ? node.extents.back().file + node.extents.back().count
                                             : node.children.back().file + 1;
  if (first_of(node) != key || last_end > end) {
    return fail(Errc::kCorrupt, "extent block: not the file blocks that its index says",
                place.value());
  }
  return {};
}

// Takes the child that `block` is or would be in.
std::size_t child_of(const ExtentNode& node, FileBlock block) {
  const auto after = std::ranges::upper_bound(node.children, block, {}, &ExtentIndex::file);
  return after == node.children.begin()
             ? 0
             : static_cast<std::size_t>(after - node.children.begin()) - 1;
}

// Blocks for `count` nodes, counted in i_blocks; all or none.
Result<std::vector<BufferRef>> allocate_nodes(Core& core, Handle& handle, Node& node,
                                              std::size_t count, SpaceClaim* claim)
    REQUIRES(node.lock) {
  std::vector<BufferRef> blocks;
  const auto allocate_all = [&]() -> Result<void> {
    const BlockNo goal = core.groups->goal_near(node.number);
    while (blocks.size() < count) {
      const BlockRun run =
          TRY(core.groups->allocate(handle, BlockWish{.goal = goal, .claim = claim}));
      blocks.push_back(TRY(core.buffers->get_unread(run.first)));
    }
    return {};
  };
  auto outcome = allocate_all();
  if (outcome) outcome = count_blocks(core, node, static_cast<std::int64_t>(count));
  if (outcome) return blocks;
  for (const BufferRef& block : blocks) {
    ignore_error(core.groups->release(handle, {block->number(), 1}), "it was just allocated");
  }
  return Failure{outcome.error()};
}

}  // namespace

Result<ExtentPath> ExtentPath::open(const Core& core, const Node& node, FileBlock block) {
  return noted(core, read(core, node, block));
}

Result<ExtentPath> ExtentPath::read(const Core& core, const Node& node, FileBlock block) {
  if (!node.inode.has(InodeFlag::kExtents) || !node.inode.has_block_map()) {
    return fail(Errc::kUnsupported, "inode: its blocks are not mapped by extents",
                node.number.value());
  }
  ExtentPath path;
  path.levels_.push_back(
      {nullptr, TRY(ExtentNode::parse_root(node.inode.block_area, node.number, core.shape)), 0,
       FileBlock(kFileBlocksMax + 1)});
  while (path.leaf().depth > 0) {
    Level& above = path.levels_.back();
    above.at = child_of(above.node, block);
    const ExtentIndex child = above.node.children[above.at];
    FileBlock end = above.end;
    if (above.at + 1 < above.node.children.size()) end = above.node.children[above.at + 1].file;
    if (core.groups != nullptr && core.groups->is_system(child.node)) {
      return fail(Errc::kCorrupt, "extent index: a block that is no file's", child.node.value());
    }
    BufferRef buffer = TRY(core.buffers->get(child.node));
    const Content content = buffer->snapshot();
    auto below = TRY(ExtentNode::parse_block(content.bytes(), child.node,
                                             static_cast<std::uint16_t>(above.node.depth - 1),
                                             seed_of(core, node), core.shape));
    TRY(check_range(below, child.file, end, child.node));
    path.levels_.push_back({std::move(buffer), std::move(below), 0, end});
  }
  Level& leaf = path.levels_.back();
  leaf.at = static_cast<std::size_t>(
      std::ranges::upper_bound(leaf.node.extents, block, {}, &Extent::file) -
      leaf.node.extents.begin());
  return path;
}

FileBlock ExtentPath::next() const {
  if (at() < leaf().extents.size()) return leaf().extents[at()].file;
  return std::min(leaf_end(), FileBlock(kFileBlocksMax));
}

// How many nodes replace() must add so that none is too full.
std::size_t ExtentPath::blocks_to_split() const {
  std::size_t wanted = 0, more = 0;
  for (std::size_t i = levels_.size(); i-- > 0;) {
    if (entries_of(levels_[i].node) + more <= levels_[i].node.capacity) break;
    ++wanted;
    more = 1;
  }
  return wanted;
}

// Some of a level's entries go to a new node behind it: half of them; but only what is too much
// where the file grows at its end, so that the nodes of a file written in order are full.
void ExtentPath::split(std::size_t level, BufferRef block, const Core& core) {
  Level& full = levels_[level];
  Level& above = levels_[level - 1];
  const std::size_t count = entries_of(full.node);
  const bool at_end = full.end.value() > kFileBlocksMax && full.at + 2 >= count;
  const auto kept =
      static_cast<std::ptrdiff_t>(at_end ? std::size_t{full.node.capacity} : count / 2);
  Level right;
  right.buffer = std::move(block);
  right.node.depth = full.node.depth;
  right.node.capacity = block_capacity(core);
  right.end = full.end;
  right.is_new = right.is_changed = full.is_changed = above.is_changed = true;
  if (full.node.depth == 0) {
    right.node.extents.assign(full.node.extents.begin() + kept, full.node.extents.end());
    full.node.extents.resize(static_cast<std::size_t>(kept));
  } else {
    right.node.children.assign(full.node.children.begin() + kept, full.node.children.end());
    full.node.children.resize(static_cast<std::size_t>(kept));
  }
  above.node.children.insert(
      above.node.children.begin() + static_cast<std::ptrdiff_t>(above.at) + 1,
      {first_of(right.node), right.buffer->number()});
  beside_.push_back(std::move(right));
}

// The root's entries go to a new node, its only child.
void ExtentPath::grow_root(BufferRef block, const Core& core) {
  Level below = levels_.front();
  below.buffer = std::move(block);
  below.node.capacity = block_capacity(core);
  below.is_new = below.is_changed = true;
  Level& root = levels_.front();
  root.node.children = {{first_of(below.node), below.buffer->number()}};
  root.node.extents.clear();
  ++root.node.depth;
  root.at = 0;
  root.is_changed = true;
  levels_.insert(levels_.begin() + 1, std::move(below));
}

void ExtentPath::fix_keys() {
  for (std::size_t i = levels_.size(); i-- > 1;) {
    if (entries_of(levels_[i].node) == 0) return;
    ExtentIndex& key = levels_[i - 1].node.children[levels_[i - 1].at];
    if (key.file == first_of(levels_[i].node)) return;
    key.file = first_of(levels_[i].node);
    levels_[i - 1].is_changed = true;
  }
}

void ExtentPath::give_back(Core& core, Handle& handle, Node& node, BlockNo block) {
  // In a damaged group the block stays in use, by nobody, until a check.
  ignore_error(core.groups->release(handle, {block, 1}), "nothing but the block is lost");
  ignore_error(count_blocks(core, node, -1), "fewer blocks can always be said");
}

// A leaf without extents, and what is above it without children.
void ExtentPath::drop_empty(Core& core, Handle& handle, Node& node) {
  while (levels_.size() > 1 && entries_of(levels_.back().node) == 0) {
    give_back(core, handle, node, levels_.back().buffer->number());
    levels_.pop_back();
    Level& above = levels_.back();
    above.node.children.erase(above.node.children.begin() + static_cast<std::ptrdiff_t>(above.at));
    above.is_changed = true;
  }
  Level& root = levels_.front();
  if (entries_of(root.node) == 0) root.node.depth = 0;
}

// An only child whose entries fit into the root goes there.
void ExtentPath::pull_up(Core& core, Handle& handle, Node& node) {
  while (levels_.size() > 1) {
    Level& root = levels_.front();
    Level& child = levels_[1];
    if (root.node.children.size() != 1 || entries_of(child.node) > root.node.capacity) return;
    give_back(core, handle, node, child.buffer->number());
    root.node.depth = child.node.depth;
    root.node.extents = std::move(child.node.extents);
    root.node.children = std::move(child.node.children);
    root.at = child.at;
    root.is_changed = true;
    levels_.erase(levels_.begin() + 1);
  }
}

void ExtentPath::write_changed(Core& core, Handle& handle, Node& node) {
  const OwnerSeed seed = seed_of(core, node);
  const auto write = [&](const Level& level) {
    if (!level.is_changed || level.buffer == nullptr) return;
    if (level.is_new) handle.replace(level.buffer, Content::zeroes(core.block_bytes()));
    handle.change(level.buffer,
                  [&](MutableBytes block) { level.node.encode_block(block, seed, core.shape); });
  };
  for (const Level& level : levels_) write(level);
  for (const Level& level : beside_) write(level);
  levels_.front().node.encode_root(node.inode.block_area);
}

Result<void> ExtentPath::replace(Core& core, Handle& handle, Node& node, BitRun range,
                                 const std::vector<Extent>& extents, SpaceClaim* claim) {
  Level& leaf = levels_.back();
  std::vector<Extent>& all = leaf.node.extents;
  const auto at = all.erase(all.begin() + range.first, all.begin() + range.first + range.count);
  all.insert(at, extents.begin(), extents.end());
  leaf.at = range.first + extents.size();
  leaf.is_changed = true;
  const std::size_t wanted = blocks_to_split();
  if (wanted > levels_.size() - 1 && levels_.size() > kExtentDepthMax) {
    return fail(Errc::kLimit, "file: too many extents", node.number.value());
  }
  std::vector<BufferRef> blocks = TRY(allocate_nodes(core, handle, node, wanted, claim));
  fix_keys();
  for (std::size_t i = 0; i < wanted; ++i) {
    const std::size_t level = levels_.size() - 1 - i;
    if (level == 0) {
      grow_root(std::move(blocks[i]), core);
    } else {
      split(level, std::move(blocks[i]), core);
    }
  }
  drop_empty(core, handle, node);
  fix_keys();
  pull_up(core, handle, node);
  write_changed(core, handle, node);
  return {};
}

}  // namespace powercut::fs
