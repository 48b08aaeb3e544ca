#include "lab/check/reach_map.h"

#include <algorithm>
#include <utility>

#include "base/stored_int.h"

namespace powercut::lab {
namespace {

// Places in a stored inode and in a node of an extent tree: docs/format-ext4.md.
constexpr std::size_t kModeOffset = 0, kFlagsOffset = 0x20, kAreaOffset = 0x28;
constexpr std::size_t kHeaderBytes = 12, kEntryBytes = 12;
constexpr std::uint16_t kNodeMagic = 0xF30A;
constexpr std::uint16_t kWrittenMax = 32768;  // ee_len above it: an unwritten extent

bool maps_with_extents(Bytes inode) {
  const auto mode = load<Le16>(inode, kModeOffset);
  const auto flags = load<Le32>(inode, kFlagsOffset);
  if (!mode || !flags) return false;
  const bool is_regular = (mode->value() >> 12) == static_cast<unsigned>(InodeType::kRegular);
  const auto has = [&](InodeFlag flag) {
    return (flags->value() & static_cast<std::uint32_t>(flag)) != 0;
  };
  return is_regular && has(InodeFlag::kExtents) && !has(InodeFlag::kInlineData);
}

}  // namespace

ReachMap ReachMap::of(const Volume& volume) {
  ReachMap map;
  const Superblock& super = volume.superblock();
  map.inode_bytes_ = super.inode_bytes;
  for (std::uint32_t index = 0; index < super.group_count(); ++index) {
    const auto group = volume.group(index);
    if (!group) continue;
    const std::uint64_t first = group->inode_table.value();
    map.tables_[first] = first + super.inode_table_blocks();
  }
  return map;
}

bool ReachMap::is_inode_table(BlockNo block) const {
  const auto after = tables_.upper_bound(block.value());
  return after != tables_.begin() && block.value() < std::prev(after)->second;
}

void ReachMap::take(BlockNo block, Bytes before, Bytes now) {
  if (is_inode_table(block)) return take_inodes(before, now);
  take_node(before, -1);
  take_node(now, 1);
}

void ReachMap::take_inodes(Bytes before, Bytes now) {
  for (std::size_t at = 0; at + inode_bytes_ <= now.size(); at += inode_bytes_) {
    const Bytes old_inode = before.subspan(at, inode_bytes_);
    const Bytes new_inode = now.subspan(at, inode_bytes_);
    if (std::ranges::equal(old_inode, new_inode)) continue;
    const auto area = [](Bytes inode) { return inode.subspan(kAreaOffset, kBlockAreaBytes); };
    if (maps_with_extents(old_inode)) take_node(area(old_inode), -1);
    if (maps_with_extents(new_inode)) take_node(area(new_inode), 1);
  }
}

// A leaf's written extents.  What is no leaf has none: a block that only looks like one would have
// to have its magic and the capacity of its size.
void ReachMap::take_node(Bytes node, std::int64_t sign) {
  const auto half = [&](std::size_t at) -> std::uint64_t { return load<Le16>(node, at)->value(); };
  if (node.size() < kHeaderBytes || half(0) != kNodeMagic) return;
  const std::uint64_t count = half(2), capacity = half(4), depth = half(6);
  const bool is_leaf =
      depth == 0 && count <= capacity && capacity == (node.size() - kHeaderBytes) / kEntryBytes;
  if (!is_leaf) return;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::size_t at = kHeaderBytes + i * kEntryBytes;
    const std::uint64_t length = half(at + 4);
    if (length == 0 || length > kWrittenMax) continue;
    const std::uint64_t first = (half(at + 6) << 32) | load<Le32>(node, at + 8)->value();
    steps_[first] += sign;
    steps_[first + length] -= sign;
  }
}

std::vector<ReachMap::Run> ReachMap::take_new_runs() {
  std::vector<Run> runs;
  std::int64_t depth = 0;
  std::uint64_t from = 0;
  for (const auto& [block, step] : std::exchange(steps_, {})) {
    if (depth > 0 && block > from) runs.push_back({BlockNo(from), block - from});
    depth += step;
    from = block;
  }
  return runs;
}

}  // namespace powercut::lab
