#include "fs/deletion.h"

#include "base/trace.h"
#include "fs/credits.h"
#include "fs/extent_map.h"
#include "fs/orphans.h"
#include "fs/xattr.h"

namespace powercut::fs {
namespace {

bool has_tree(const Inode& inode) {
  return inode.has_block_map() && inode.has(InodeFlag::kExtents);
}

// Unmaps what lies from `from` on, in as many transactions as it takes.  The handle of the last one
// has `extra` credits left, and one to store the node.
Result<Handle> remove_from(Core& core, Node& node, FileBlock from, Credits extra)
    REQUIRES(node.lock) {
  const std::uint32_t needed = extra.value() + kStoreCredits.value();
  FileBlock to(kFileBlocksMax);
  while (true) {
    trace_point("fs.remove.part", node.number.value(), to.value());
    Handle handle = TRY(core.start(Credits(remove_credits(node).value() + needed)));
    if (!has_tree(node.inode)) return handle;
    const auto stopped = remove_runs(core, handle, node, from, to);
    // What was unmapped before it met damage is free, so the inode must not lead there any more.
    if (!stopped) core.nodes->store(handle, node);
    to = TRY(stopped);
    if (to == from && handle.left().value() >= needed) return handle;
    core.nodes->store(handle, node);
  }
}

// What a cut-off last block has behind the end becomes zero.
Result<void> zero_tail(Core& core, Handle& handle, Node& node) REQUIRES(node.lock) {
  const auto used = static_cast<std::uint32_t>(node.inode.size % core.block_bytes());
  if (used == 0 || !has_tree(node.inode)) return {};
  const MappedRun run = TRY(find_run(core, node, FileBlock(node.inode.size / core.block_bytes())));
  if (run.kind != MappedRun::Kind::kWritten) return {};
  const BufferRef buffer = TRY(core.buffers->get(run.device));
  handle.change(buffer, [&](MutableBytes block) {
    std::memset(block.data() + used, 0, block.size() - used);
  });
  return {};
}

Result<void> give_up_inode(Core& core, Handle& handle, Node& node) REQUIRES(node.lock) {
  const bool is_directory = node.inode.is(InodeType::kDirectory);
  if (const auto dropped = drop_attribute_block(core, handle, node); !dropped) {
    core.nodes->store(handle, node);  // its blocks are free already
    return dropped;
  }
  core.orphans->remove(handle, node);
  node.inode.size = 0;
  node.inode.delete_time = static_cast<std::uint32_t>(core.now().seconds);
  core.nodes->store(handle, node);
  core.nodes->drop(node.number);
  return core.groups->release_inode(handle, node.number, is_directory);
}

}  // namespace

Result<void> check_can_be_deleted(Core& core, const Node& node) {
  if (node.inode.has_block_map() && !node.inode.has(InodeFlag::kExtents) &&
      node.inode.sectors != 0) {
    return fail_with(Errc::kUnsupported, "deleting a file", "indirect blocks", node.number.value());
  }
  return check_no_value_inodes(core, node);
}

Result<bool> delete_if_unused(Core& core, const NodeRef& node) {
  Node& held = *node;
  ExclusiveLock lock(held.lock);
  if (held.inode.links != 0 || held.opens.load() != 0) return false;
  if (!core.orphans->has(held.number)) return false;
  TRY(prepare_attributes(core, held));
  held.window.give_back();
  Handle handle = TRY(remove_from(core, held, FileBlock(0), kGiveUpInodeCredits));
  TRY(give_up_inode(core, handle, held));
  return true;
}

Result<void> delete_now_or_later(Core& core, const NodeRef& node) {
  const auto deleted = delete_if_unused(core, node);
  if (deleted) return {};
  core.orphans->put_off(node);
  if (deleted.error().code == Errc::kLimit) return {};
  return Failure{deleted.error()};
}

void finish_deletions(Core& core) {
  for (const NodeRef& node : core.orphans->take_put_off()) {
    ignore_error(delete_now_or_later(core, node), "it stays an orphan, for the next mount");
  }
}

Result<void> finish_truncate(Core& core, Node& node) {
  ExclusiveLock lock(node.lock);
  const std::uint64_t blocks =
      node.inode.size / core.block_bytes() + (node.inode.size % core.block_bytes() == 0 ? 0 : 1);
  Handle handle = TRY(remove_from(core, node, FileBlock(blocks), kFinishTruncateCredits));
  const auto zeroed = zero_tail(core, handle, node);
  if (zeroed) core.orphans->remove(handle, node);
  core.nodes->store(handle, node);
  return zeroed;
}

}  // namespace powercut::fs
