#include "fs/journal_place.h"

#include <algorithm>
#include <vector>

#include "fs/extent_map.h"
#include "recovery/log_reader.h"
#include "recovery/recovery.h"

namespace powercut::fs {
namespace {

constexpr std::uint64_t kBuffersOfALook = 64;
constexpr std::uint32_t kLogReadBytes = 1u << 20;

// The journal's inode, read as the log would leave it alone: neither its place nor its blocks
// change while there is a journal.
Result<NodeRef> journal_node(const Core& core) {
  const Superblock& shape = core.shape;
  const std::uint32_t index = shape.journal_inode.value() - 1;
  const std::uint32_t group = index / shape.inodes_per_group;
  const std::uint32_t per_block = shape.descriptors_per_block();
  const BufferRef table = TRY(core.buffers->get(shape.descriptor_block(group / per_block)));
  const Content descriptors = table->snapshot();
  const auto descriptor = TRY(GroupDescriptor::parse(
      descriptors.bytes().subspan(std::size_t{group % per_block} * shape.descriptor_bytes,
                                  shape.descriptor_bytes),
      group, shape));
  const std::uint32_t in_group = index % shape.inodes_per_group;
  TableSlot slot;
  slot.block = TRY(core.buffers->get(descriptor.inode_table + in_group / shape.inodes_per_block()));
  slot.offset = in_group % shape.inodes_per_block() * shape.inode_bytes;
  const Content content = slot.block->snapshot();
  const Bytes stored = content.bytes().subspan(slot.offset, shape.inode_bytes);
  const auto inode = TRY(Inode::parse(stored, shape.journal_inode, shape));
  if (!inode.is(InodeType::kRegular) || inode.links == 0) {
    return fail(Errc::kCorrupt, "journal: its inode is no file", shape.journal_inode.value());
  }
  return std::make_shared<Node>(shape.journal_inode, std::move(slot), inode,
                                std::vector<std::uint8_t>(stored.begin(), stored.end()));
}

Result<void> empty_log(BlockDevice& device, const JournalMap& map) {
  std::vector<std::uint8_t> block(map.block_bytes());
  TRY(LogReader(device, map).read(LogBlock(0), block));
  JournalSuperblock superblock = TRY(JournalSuperblock::parse(block));
  superblock.start = LogBlock(0);
  superblock.encode(block);
  TRY(device.write(map.device_block(LogBlock(0)).value() * map.block_bytes(), block));
  return device.flush();
}

}  // namespace

Result<JournalMap> find_journal(BlockDevice& device, const Superblock& shape) {
  if (!shape.has(Ext4Compat::kHasJournal)) {
    return fail(Errc::kUnsupported, "file system: it has no journal");
  }
  if (shape.journal_inode.value() == 0) {
    return fail(Errc::kUnsupported, "journal: on another device", shape.journal_device);
  }
  BufferCache buffers(device, shape.block_bytes(), kBuffersOfALook);
  Core core;
  core.device = &device;
  core.shape = shape;
  core.buffers = &buffers;
  const NodeRef node = TRY(journal_node(core));
  SharedLock lock(node->lock);
  const std::uint64_t end = node->inode.size / shape.block_bytes();
  std::vector<JournalMap::Run> runs;
  std::uint64_t mapped = 0;
  TRY(for_each_run(core, *node, FileBlock(0), [&](const MappedRun& run) {
    if (run.file.value() >= end || run.kind != MappedRun::Kind::kWritten) return false;
    const std::uint64_t count = std::min(run.count, end - run.file.value());
    runs.push_back({LogBlock(static_cast<std::uint32_t>(run.file.value())), run.device,
                    static_cast<std::uint32_t>(count)});
    mapped += count;
    return true;
  }));
  if (mapped != end || end == 0) {
    return fail(Errc::kCorrupt, "journal: fewer blocks than its size", node->number.value());
  }
  return JournalMap::make(std::move(runs), shape.block_bytes(), shape.block_count);
}

Result<void> recover_journal(BlockDevice& device, const JournalMap& map, const Superblock& shape) {
  if (!shape.needs_recovery()) {
    const auto superblock = TRY(read_journal_superblock(device, map));
    return superblock.start.value() == 0 ? Result<void>{} : empty_log(device, map);
  }
  const RecoveryPlan plan = TRY(plan_recovery(device, map));
  if (plan.end == RecoveryEnd::kRefused) {
    return fail_with(Errc::kCorrupt, "journal: damaged, not recovered",
                     recovery_rule_name(plan.end_rule), plan.end_block.value());
  }
  TRY(apply_recovery(plan, device, map, device));
  return mark_recovered(plan, map, device);
}

Result<JournalSuperblock> read_journal_superblock(const BlockView& device, const JournalMap& map) {
  std::vector<std::uint8_t> block(map.block_bytes());
  TRY(LogReader(device, map).read(LogBlock(0), block));
  return JournalSuperblock::parse(block);
}

Result<Tid> first_unused_tid(const BlockView& device, const JournalMap& map,
                             const JournalSuperblock& superblock) {
  const LogReader reader(device, map);
  const std::size_t block_bytes = map.block_bytes();
  const std::uint32_t some = std::max<std::uint32_t>(1, kLogReadBytes / map.block_bytes());
  std::vector<std::uint8_t> bytes(some * block_bytes);
  std::uint32_t furthest = 0;  // steps beyond what is expected; half the circle lies behind it
  const std::uint32_t end = std::min(superblock.ring_end().value(), map.block_count());
  for (std::uint32_t log = superblock.first.value(); log < end;) {
    const std::uint32_t count = std::min({some, map.run_length(LogBlock(log)), end - log});
    TRY(reader.read(LogBlock(log), MutableBytes(bytes).first(count * block_bytes)));
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto header = parse_journal_header(Bytes(bytes).subspan(i * block_bytes, block_bytes));
      if (!header || header->tid.comes_before(superblock.sequence)) continue;
      furthest = std::max(furthest, header->tid.next().since(superblock.sequence));
    }
    log += count;
  }
  return Tid(superblock.sequence.value() + furthest);
}

}  // namespace powercut::fs
