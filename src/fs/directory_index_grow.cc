// An index that grows: slots are put in, full blocks are split, the root gets a level.
#include "format/ext4_disk.h"
#include "fs/directory_index.h"

namespace powercut::fs {
namespace {

std::uint8_t levels_max(const Core& core) {
  return core.shape.has(Ext4Incompat::kLargeDir) ? 2 : 1;
}

// Path and blocks were checked when they were looked up, under the lock that is still held.
HtreeRoot root_of(const Core& core, const DirectoryForm& form, const IndexFrame& frame) {
  const Content content = frame.buffer->snapshot();
  auto root = HtreeRoot::parse(content.bytes(), frame.buffer->number(), form.owner, core.shape);
  CHECK(root.has_value(), "an htree root that was checked");
  return std::move(*root);
}

HtreeNode node_of(const Core& core, const DirectoryForm& form, const IndexFrame& frame) {
  const Content content = frame.buffer->snapshot();
  auto node = HtreeNode::parse(content.bytes(), frame.buffer->number(), form.owner, core.shape);
  CHECK(node.has_value(), "an htree node that was checked");
  return std::move(*node);
}

void write_node(Core& core, Handle& handle, const DirectoryForm& form, const BufferRef& buffer,
                std::vector<HtreeEntry> entries, bool is_new) {
  HtreeNode node;
  node.entries = std::move(entries);
  if (!is_new) {
    handle.change(buffer, [&](MutableBytes block) { node.encode(block, form.owner, core.shape); });
    return;
  }
  Content content = Content::zeroes(core.block_bytes());
  node.encode(content.mutable_bytes(), form.owner, core.shape);
  handle.replace(buffer, std::move(content));
}

void put_slot(Core& core, Handle& handle, const DirectoryForm& form, IndexFrame& frame,
              HtreeEntry slot, bool is_root) {
  const auto behind = static_cast<std::ptrdiff_t>(frame.chosen) + 1;
  if (is_root) {
    HtreeRoot root = root_of(core, form, frame);
    root.entries.insert(root.entries.begin() + behind, slot);
    handle.change(frame.buffer,
                  [&](MutableBytes block) { root.encode(block, form.owner, core.shape); });
  } else {
    HtreeNode node = node_of(core, form, frame);
    node.entries.insert(node.entries.begin() + behind, slot);
    write_node(core, handle, form, frame.buffer, std::move(node.entries), false);
  }
  ++frame.count;
}

GrownBlock take_back(std::vector<GrownBlock>& grown) {
  CHECK(!grown.empty(), "as many blocks as the index needs");
  GrownBlock block = std::move(grown.back());
  grown.pop_back();
  return block;
}

// The root's slots go into a block of their own, below it.
void deepen(Core& core, Handle& handle, const DirectoryForm& form, IndexPath& path,
            const GrownBlock& added) {
  IndexFrame& top = path.frames.front();
  HtreeRoot root = root_of(core, form, top);
  const std::uint32_t tail = core.shape.has_metadata_checksums() ? sizeof(disk::HtreeTail) : 0u;
  IndexFrame below{added.buffer, kNodeSlotsAt, top.count,
                   (core.block_bytes() - kNodeSlotsAt - tail) /
                       static_cast<std::uint32_t>(sizeof(disk::HtreeSlot)),
                   top.chosen};
  write_node(core, handle, form, added.buffer, std::move(root.entries), true);
  root.entries = {HtreeEntry{0, added.file}};
  root.indirect_levels = static_cast<std::uint8_t>(root.indirect_levels + 1);
  handle.change(top.buffer,
                [&](MutableBytes block) { root.encode(block, form.owner, core.shape); });
  top.count = 1;
  top.chosen = 0;
  path.frames.insert(path.frames.begin() + 1, std::move(below));
}

// The upper half of the slots goes into a new block, whose slot the frame above has room for.
void split_node(Core& core, Handle& handle, const DirectoryForm& form, IndexPath& path,
                std::size_t level, const GrownBlock& added) {
  IndexFrame& frame = path.frames[level];
  HtreeNode node = node_of(core, form, frame);
  const std::uint32_t kept = frame.count / 2;
  std::vector<HtreeEntry> upper(node.entries.begin() + kept, node.entries.end());
  node.entries.resize(kept);
  put_slot(core, handle, form, path.frames[level - 1], {upper.front().hash, added.file},
           level == 1);
  write_node(core, handle, form, added.buffer, std::move(upper), true);
  write_node(core, handle, form, frame.buffer, std::move(node.entries), false);
  if (frame.chosen >= kept) {
    frame = IndexFrame{added.buffer, frame.slots_at, frame.count - kept, frame.limit,
                       frame.chosen - kept};
    ++path.frames[level - 1].chosen;
  } else {
    frame.count = kept;
  }
}

}  // namespace

Result<std::uint32_t> index_blocks_needed(const Core& core, const IndexPath& path) {
  std::uint32_t needed = 0;
  for (std::size_t level = path.frames.size(); level-- > 0;) {
    if (!path.frames[level].is_full()) return needed;
    ++needed;
  }
  if (path.frames.size() > levels_max(core)) {
    return fail(Errc::kNoSpace, "directory: its index is full");
  }
  return needed;
}

void insert_slot(Core& core, Handle& handle, const DirectoryForm& form, IndexPath& path,
                 HtreeEntry slot, std::vector<GrownBlock>& grown) {
  // The lowest frame with room; all below it are full.
  std::size_t level = path.frames.size() - 1;
  while (level > 0 && path.frames[level].is_full()) --level;
  if (path.frames[level].is_full()) {
    deepen(core, handle, form, path, take_back(grown));
    level = 1;
  }
  for (++level; level < path.frames.size(); ++level) {
    split_node(core, handle, form, path, level, take_back(grown));
  }
  put_slot(core, handle, form, path.frames.back(), slot, path.frames.size() == 1);
}

}  // namespace powercut::fs
