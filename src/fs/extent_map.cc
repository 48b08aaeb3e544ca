#include "fs/extent_map.h"

#include <algorithm>

#include "fs/extent_path.h"

namespace powercut::fs {
namespace {

// Extents of a written and of an unwritten run at most: stored lengths over 32768 mean unwritten.
constexpr std::uint32_t kWrittenMax = 32768, kUnwrittenMax = 32767;

MappedRun run_of(const Extent& extent, FileBlock from) {
  const std::uint64_t skipped = from - extent.file;
  return {from, extent.count - skipped, extent.device + skipped,
          extent.is_unwritten ? MappedRun::Kind::kUnwritten : MappedRun::Kind::kWritten};
}

// Puts `extent` behind `list`: as part of its last entry where that continues.
void append(std::vector<Extent>& list, Extent extent) {
  const std::uint32_t most = extent.is_unwritten ? kUnwrittenMax : kWrittenMax;
  if (!list.empty()) {
    Extent& last = list.back();
    const bool continues = last.is_unwritten == extent.is_unwritten &&
                           last.file + last.count == extent.file &&
                           last.device + last.count == extent.device;
    const std::uint32_t taken =
        continues ? std::min(extent.count, most - std::min(most, last.count)) : 0;
    last.count += taken;
    extent = {extent.file + taken, extent.device + taken, extent.count - taken,
              extent.is_unwritten};
  }
  while (extent.count > 0) {
    const std::uint32_t some = std::min(extent.count, most);
    list.push_back({extent.file, extent.device, some, extent.is_unwritten});
    extent = {extent.file + some, extent.device + some, extent.count - some, extent.is_unwritten};
  }
}

// The part of an extent from file block `from` to `to`, as far as it lies in it.
Extent part(const Extent& extent, FileBlock from, FileBlock to) {
  from = std::max(from, extent.file);
  to = std::min(to, extent.file + extent.count);
  if (from >= to) return {from, extent.device, 0, extent.is_unwritten};
  return {from, extent.device + (from - extent.file), static_cast<std::uint32_t>(to - from),
          extent.is_unwritten};
}

// What stands in the place of the leaf's entries around `at` when `middle` does in the place of
// those from `at` on (`replaced` of them): joined with the neighbours where these continue.
struct Edit {
  BitRun range;
  std::vector<Extent> extents;
};
Edit joined_edit(const ExtentNode& leaf, std::size_t at, std::size_t replaced,
                 const std::vector<Extent>& middle) {
  const std::size_t first = at > 0 ? at - 1 : 0;
  const std::size_t last = std::min(at + replaced + 1, leaf.extents.size());
  Edit edit{{static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(last - first)}, {}};
  if (first < at) append(edit.extents, leaf.extents[first]);
  for (const Extent& extent : middle) append(edit.extents, extent);
  if (last > at + replaced) append(edit.extents, leaf.extents[last - 1]);
  return edit;
}

// An extent that leads to blocks of the file system itself is damage, whoever asks.
Result<void> check_extent(const Core& core, const Extent& extent) {
  if (core.groups == nullptr || !core.groups->is_system(extent.device, extent.count)) return {};
  return noted<void>(
      core, fail(Errc::kCorrupt, "extent: blocks that are no file's", extent.device.value()));
}

std::uint64_t entries_per_node(const Core& core) {
  return (core.block_bytes() - 16) / 12;
}

std::uint64_t depth_of(const Node& node) REQUIRES_SHARED(node.lock) {
  // Of the root as it is stored; damage is found by who reads it.
  return std::min<std::uint64_t>(node.inode.block_area[6], kExtentDepthMax);
}

}  // namespace

Result<MappedRun> find_run(const Core& core, const Node& node, FileBlock block) {
  if (block.value() >= kFileBlocksMax) {
    return fail(Errc::kLimit, "file: a block past the largest", block.value());
  }
  const auto path = TRY(ExtentPath::open(core, node, block));
  const Extent* extent = path.before();
  if (extent != nullptr && block < extent->file + extent->count) {
    TRY(check_extent(core, *extent));
    return run_of(*extent, block);
  }
  return MappedRun{block, path.next() - block, BlockNo(), MappedRun::Kind::kHole};
}

Result<void> for_each_run(const Core& core, const Node& node, FileBlock from,
                          const std::function<bool(const MappedRun&)>& visit) {
  FileBlock block = from;
  while (block.value() < kFileBlocksMax) {
    const auto path = TRY(ExtentPath::open(core, node, block));
    for (const Extent& extent : path.leaf().extents) {
      if (extent.file + extent.count <= block) continue;
      TRY(check_extent(core, extent));
      if (!visit(run_of(extent, std::max(block, extent.file)))) return {};
    }
    // The next leaf begins there, and later than this one.
    block = path.leaf_end();
  }
  return {};
}

Result<BlockGoal> goal_of(const Core& core, const Node& node, FileBlock block) {
  const auto path = TRY(ExtentPath::open(core, node, block));
  const Extent* before = path.before();
  if (before == nullptr) return BlockGoal{core.groups->goal_near(node.number), false};
  const FileBlock end = before->file + before->count;
  const BlockNo goal = before->device + (block - before->file);
  return BlockGoal{goal, end == block};
}

std::uint32_t tree_blocks_max(const Node& node) {
  return static_cast<std::uint32_t>(depth_of(node) + 1);
}

// Each new node and what allocating it takes; and each node on the way.
Credits map_credits(const Node& node) {
  const std::uint32_t nodes = tree_blocks_max(node);
  return Credits(nodes * (1 + Groups::kAllocateCredits) + nodes);
}

// Nodes that are split are half full at least, so that many runs need few of them.
std::uint64_t tree_blocks_max(const Core& core, const Node& node, std::uint64_t runs) {
  const std::uint64_t half = entries_per_node(core) / 2;
  return depth_of(node) + 2 + 2 * (2 * runs / half);
}

Credits map_credits(const Core& core, const Node& node, std::uint64_t runs) {
  const std::uint64_t added = tree_blocks_max(core, node, runs);
  const std::uint64_t groups = std::min<std::uint64_t>(added, core.shape.group_count());
  return Credits(static_cast<std::uint32_t>(depth_of(node) + 1 + added + 2 * groups));
}

Result<void> count_blocks(const Core& core, Node& node, std::int64_t blocks) {
  const bool in_blocks = node.inode.has(InodeFlag::kHugeFile);
  const std::int64_t unit = in_blocks ? 1 : core.block_bytes() / 512;
  const std::int64_t sectors = static_cast<std::int64_t>(node.inode.sectors) + blocks * unit;
  const std::int64_t most =
      core.shape.has(Ext4RoCompat::kHugeFile) ? (std::int64_t{1} << 48) : (std::int64_t{1} << 32);
  if (sectors >= most) return fail(Errc::kLimit, "file: more blocks than it can count");
  node.inode.sectors = static_cast<std::uint64_t>(std::max<std::int64_t>(0, sectors));
  return {};
}

Result<void> add_run(Core& core, Handle& handle, Node& node, FileBlock file, BlockRun run,
                     bool is_unwritten, SpaceClaim* claim) {
  auto path = TRY(ExtentPath::open(core, node, file));
  const Extent* before = path.before();
  if (file.value() + run.count > kFileBlocksMax) {
    return fail(Errc::kLimit, "file: a block past the largest", file.value());
  }
  CHECK((before == nullptr || before->file + before->count <= file) &&
            file + run.count <= path.next(),
        "blocks are mapped where a hole was");
  const Edit edit =
      joined_edit(path.leaf(), path.at(), 0, {{file, run.first, run.count, is_unwritten}});
  TRY(count_blocks(core, node, run.count));
  const auto outcome = path.replace(core, handle, node, edit.range, edit.extents, claim);
  if (!outcome) ignore_error(count_blocks(core, node, -std::int64_t{run.count}), "as it was");
  return outcome;
}

Result<void> set_written(Core& core, Handle& handle, Node& node, FileBlock file,
                         std::uint32_t count, SpaceClaim* claim) {
  auto path = TRY(ExtentPath::open(core, node, file));
  const Extent* before = path.before();
  CHECK(before != nullptr && before->is_unwritten && file + count <= before->file + before->count,
        "blocks become written that were not");
  const Extent whole = *before;
  Extent written = part(whole, file, file + count);
  written.is_unwritten = false;
  std::vector<Extent> middle;
  const Extent left = part(whole, whole.file, file);
  const Extent right = part(whole, file + count, whole.file + whole.count);
  if (left.count > 0) middle.push_back(left);
  middle.push_back(written);
  if (right.count > 0) middle.push_back(right);
  const Edit edit = joined_edit(path.leaf(), path.at() - 1, 1, middle);
  return path.replace(core, handle, node, edit.range, edit.extents, claim);
}

Credits remove_credits(const Node& node) {
  const auto depth = static_cast<std::uint32_t>(depth_of(node));
  // The blocks of one group, nodes given up, and a split where a run is cut in its middle.
  return Credits(Groups::kReleaseCredits * (1 + depth) + map_credits(node).value());
}

Result<FileBlock> remove_runs(Core& core, Handle& handle, Node& node, FileBlock from, FileBlock to,
                              Credits spared) {
  to = std::min(to, FileBlock(kFileBlocksMax));
  while (from < to) {
    if (handle.left() < remove_credits(node) + spared.value()) return to;
    auto path = TRY(ExtentPath::open(core, node, FileBlock(to.value() - 1)));
    const Extent* before = path.before();
    if (before == nullptr || before->file + before->count <= from) return from;
    const Extent whole = *before;
    Extent cut = part(whole, from, to);
    // One group at a time: then freeing it either happens or changes nothing.
    const BlockNo last = cut.device + (cut.count - 1);
    const BlockNo group = core.shape.first_block_of(core.shape.group_of(last));
    if (group > cut.device) cut = part(whole, cut.file + (group - cut.device), to);
    const FileBlock end = cut.file + cut.count;
    std::vector<Extent> kept;
    const Extent left = part(whole, whole.file, cut.file);
    const Extent right = part(whole, end, whole.file + whole.count);
    if (left.count > 0) kept.push_back(left);
    if (right.count > 0) kept.push_back(right);
    // What can fail comes first; a block for the tree may be wanted where a run is cut in two.
    TRY(core.groups->check_release({cut.device, cut.count}));
    const BitRun range{static_cast<std::uint32_t>(path.at() - 1), 1};
    TRY(path.replace(core, handle, node, range, kept, nullptr));
    TRY(core.groups->release(handle, {cut.device, cut.count}));
    TRY(count_blocks(core, node, -std::int64_t{cut.count}));
    to = cut.file;
  }
  return from;
}

}  // namespace powercut::fs
