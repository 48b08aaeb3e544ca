// Changes of attributes, as they were planned.
#include "base/stored_int.h"
#include "format/ext4_disk.h"
#include "fs/extent_map.h"
#include "fs/xattr.h"
#include "fs/xattr_layout.h"

namespace powercut::fs {
namespace {

void write_block_of(Core& core, Handle& handle, const BufferRef& buffer,
                    const std::vector<XattrEntry>& entries) {
  Content content = Content::zeroes(core.block_bytes());
  write_block(core.shape, buffer->number(), entries, content.mutable_bytes());
  handle.replace(buffer, std::move(content));
}

// The node gets a block of its own.
Result<void> make_block(Core& core, Handle& handle, Node& node, AttributeChange& change)
    REQUIRES(node.lock) {
  const BlockRun run = TRY(core.groups->allocate(
      handle, BlockWish{.goal = core.groups->goal_near(node.number), .claim = &change.claim}));
  Result<BufferRef> buffer = core.buffers->get_unread(run.first);
  Result<void> counted;
  if (buffer) counted = count_blocks(core, node, 1);
  if (!buffer || !counted) {
    ignore_error(core.groups->release(handle, run), "taken just now from the same group");
    return Failure{buffer ? counted.error() : buffer.error()};
  }
  write_block_of(core, handle, *buffer, change.after.in_block);
  TRY(drop_attribute_block(core, handle, node));
  node.inode.xattr_block = run.first;
  return {};
}

// The superblock says that there are attributes.
void note_feature(Core& core, Handle& handle) {
  if (core.shape.has(Ext4Compat::kExtAttr)) return;
  constexpr auto kBit = static_cast<std::uint32_t>(Ext4Compat::kExtAttr);
  if ((superblock_now(core).compat & kBit) != 0) return;
  change_superblock(core, handle, [](Superblock& superblock) { superblock.compat |= kBit; });
}

// One inode less has it; false if there was only one.
bool count_down(Core& core, Handle& handle, const BufferRef& buffer, XattrBlock block) {
  bool was_shared = false;
  handle.change(buffer, [&](MutableBytes bytes) {
    disk::XattrBlockHeader header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    was_shared = header.references > 1;
    if (!was_shared) return;
    block.references = header.references - 1;
    block.encode(bytes, buffer->number(), core.shape);
  });
  return was_shared;
}

}  // namespace

Result<void> apply_attributes(Core& core, Handle& handle, Node& node, AttributeChange& change) {
  if (change.changes_block) {
    if (!change.needs_block) {
      TRY(drop_attribute_block(core, handle, node));
    } else if (change.after.references == 1) {
      write_block_of(core, handle, change.after.block, change.after.in_block);
    } else {
      TRY(make_block(core, handle, node, change));
    }
  }
  write_body(core.shape, node.inode, change.after.body.entries, node.stored);
  note_feature(core, handle);
  return {};
}

Result<void> prepare_attributes(Core& core, const Node& node) {
  if (node.inode.xattr_block.value() == 0) return {};
  TRY(core.buffers->get(node.inode.xattr_block));
  return {};
}

Result<void> drop_attribute_block(Core& core, Handle& handle, Node& node) {
  const BlockNo place = node.inode.xattr_block;
  if (place.value() == 0) return {};
  const BufferRef buffer = TRY(core.buffers->get(place));
  const auto block = [&]() -> Result<XattrBlock> {
    const Content content = buffer->snapshot();
    return noted(core, XattrBlock::parse(content.bytes(), place, core.shape));
  }();
  if (!block) return Failure{block.error()};
  // A block that one inode has cannot become another's, so a count of 1 stays.
  const bool stays = block->references > 1 && count_down(core, handle, buffer, *block);
  if (!stays) TRY(core.groups->release(handle, BlockRun{place, 1}));
  node.inode.xattr_block = BlockNo(0);
  return count_blocks(core, node, -1);
}

}  // namespace powercut::fs
