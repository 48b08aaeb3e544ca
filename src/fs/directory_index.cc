// Searching an index: bytes only, no list of slots is made.
#include "fs/directory_index.h"

#include "base/crc32c.h"
#include "base/fuzzing.h"
#include "format/ext4_disk.h"
#include "fs/extent_map.h"

namespace powercut::fs {
namespace {

constexpr std::uint32_t kSlotBytes = sizeof(disk::HtreeSlot);
constexpr std::uint32_t kRootSlotsAt = sizeof(disk::HtreeRootBlock);
constexpr std::uint8_t kInfoBytes = 8;

std::uint32_t slot_limit(const DirectoryForm& form, std::uint32_t slots_at) {
  const std::uint32_t tail = form.shape->has_metadata_checksums() ? sizeof(disk::HtreeTail) : 0u;
  return (form.block_bytes() - slots_at - tail) / kSlotBytes;
}

disk::HtreeSlot slot_at(Bytes block, const IndexFrame& frame, std::uint32_t index) {
  disk::HtreeSlot slot;
  std::memcpy(&slot, block.data() + frame.slots_at + index * kSlotBytes, sizeof(slot));
  return slot;
}

std::uint32_t hash_at(Bytes block, const IndexFrame& frame, std::uint32_t index) {
  return index == 0 ? 0 : slot_at(block, frame, index).hash.value();
}

bool has_checksum(Bytes block, const IndexFrame& frame, const DirectoryForm& form) {
  if (is_fuzzing() || !form.shape->has_metadata_checksums()) return true;
  const std::size_t tail_at = frame.slots_at + frame.limit * kSlotBytes;
  disk::HtreeTail tail;
  std::memcpy(&tail, block.data() + tail_at, sizeof(tail));
  std::uint32_t crc =
      crc32c(form.owner.seed, block.first(frame.slots_at + frame.count * kSlotBytes));
  crc = crc32c(crc, bytes_of(tail.reserved));
  return crc32c(crc, bytes_of(Le32(0))) == tail.checksum.value();
}

// The index block as it lies there, checked.
Result<IndexFrame> frame_of(const BufferRef& buffer, Bytes block, std::uint32_t slots_at,
                            const DirectoryForm& form) {
  const std::uint64_t place = buffer->number().value();
  const auto stored = TRY(load<disk::HtreeLimit>(block, slots_at));
  IndexFrame frame{buffer, slots_at, stored.count, slot_limit(form, slots_at), 0};
  if (frame.count == 0 || frame.count > frame.limit || stored.limit > frame.limit ||
      stored.count > stored.limit) {
    return fail(Errc::kCorrupt, "htree block: more entries than fit, or none", place);
  }
  if (!has_checksum(block, frame, form)) {
    return fail(Errc::kChecksum, "htree block: checksum", place);
  }
  std::uint32_t before = 0;
  for (std::uint32_t i = 1; i < frame.count; ++i) {
    const std::uint32_t hash = slot_at(block, frame, i).hash;
    if (hash < before) return fail(Errc::kCorrupt, "htree block: hashes out of order", place);
    before = hash;
  }
  return frame;
}

// The last slot whose hash is not above.
std::uint32_t choose(Bytes block, const IndexFrame& frame, std::uint32_t hash) {
  std::uint32_t first = 1, end = frame.count;
  while (first < end) {
    const std::uint32_t middle = first + (end - first) / 2;
    if (slot_at(block, frame, middle).hash > hash) {
      end = middle;
    } else {
      first = middle + 1;
    }
  }
  return first - 1;
}

Result<FileBlock> block_of_slot(Bytes block, const IndexFrame& frame, std::uint64_t block_count) {
  const FileBlock target(slot_at(block, frame, frame.chosen).block & 0x0FFFFFFFu);
  if (target.value() == 0 || target.value() >= block_count) {
    return fail(Errc::kCorrupt, "htree: leads out of the directory, or to its root",
                frame.buffer->number().value());
  }
  return target;
}

struct Root {
  IndexFrame frame;
  Content content;
  std::uint8_t levels = 0;
  DirectoryHash hash_version{};
};

Result<Root> read_root(Core& core, const Node& directory, const DirectoryForm& form)
    REQUIRES_SHARED(directory.lock) {
  const BufferRef buffer = TRY(read_directory_block(core, directory, FileBlock(0)));
  Root root;
  root.content = buffer->snapshot();
  const auto stored = TRY(load<disk::HtreeRootBlock>(root.content.bytes(), 0));
  const std::uint64_t place = buffer->number().value();
  root.frame = TRY(frame_of(buffer, root.content.bytes(), kRootSlotsAt, form));
  if (stored.reserved_zero.value() != 0 || stored.info_bytes != kInfoBytes) {
    return fail(Errc::kCorrupt, "htree root: information record", place);
  }
  if (stored.unused_flags != 0) return fail(Errc::kUnsupported, "htree root: flags", place);
  if (stored.indirect_levels > (core.shape.has(Ext4Incompat::kLargeDir) ? 2 : 1)) {
    return fail(Errc::kCorrupt, "htree root: too many levels", place);
  }
  root.levels = stored.indirect_levels;
  root.hash_version = TRY(known_hash(stored.hash_version, core.shape));
  return root;
}

// Reads the index block that the last frame leads to, and adds it as a frame.
Result<Content> descend(Core& core, const Node& directory, const DirectoryForm& form, Bytes above,
                        std::vector<IndexFrame>& frames) REQUIRES_SHARED(directory.lock) {
  const FileBlock file = TRY(block_of_slot(above, frames.back(), block_count_of(core, directory)));
  const BufferRef buffer = TRY(read_directory_block(core, directory, file));
  Content content = buffer->snapshot();
  if (!looks_like_htree_node(content.bytes())) {
    return fail(Errc::kCorrupt, "htree node: no unused entry in front", buffer->number().value());
  }
  frames.push_back(TRY(frame_of(buffer, content.bytes(), kNodeSlotsAt, form)));
  return content;
}

Result<IndexPath> path_below(Core& core, const Node& directory, const DirectoryForm& form,
                             Root root, NameHash hash) REQUIRES_SHARED(directory.lock) {
  IndexPath path;
  path.frames.reserve(4);
  path.hash_version = root.hash_version;
  path.hash = hash;
  path.leaves_left = block_count_of(core, directory);
  path.frames.push_back(std::move(root.frame));
  Content content = std::move(root.content);
  path.frames.back().chosen = choose(content.bytes(), path.frames.back(), hash.major);
  for (std::uint8_t level = 0; level < root.levels; ++level) {
    content = TRY(descend(core, directory, form, content.bytes(), path.frames));
    path.frames.back().chosen = choose(content.bytes(), path.frames.back(), hash.major);
  }
  return path;
}

// The lowest frame that has a slot behind the chosen one; the count of frames if none has.
std::size_t level_with_next(const IndexPath& path) {
  for (std::size_t level = path.frames.size(); level-- > 0;) {
    if (path.frames[level].chosen + 1 < path.frames[level].count) return level;
  }
  return path.frames.size();
}

}  // namespace

DirectoryForm form_of(const Core& core, const Node& directory) {
  return {&core.shape, OwnerSeed::make(core.shape, directory.number, directory.inode.generation)};
}

std::uint64_t block_count_of(const Core& core, const Node& directory) {
  return directory.inode.size / core.block_bytes();
}

Result<BufferRef> read_directory_block(Core& core, const Node& directory, FileBlock block) {
  const MappedRun run = TRY(find_run(core, directory, block));
  if (run.kind != MappedRun::Kind::kWritten) {
    return fail(Errc::kCorrupt, "directory: a hole", directory.number.value());
  }
  return core.buffers->get(run.device);
}

Result<DirectoryHash> known_hash(std::uint8_t stored_version, const Superblock& shape) {
  if (stored_version > static_cast<std::uint8_t>(DirectoryHash::kTeaUnsigned)) {
    return fail_with(Errc::kUnsupported, "directory hash",
                     directory_hash_name(static_cast<DirectoryHash>(stored_version)),
                     stored_version);
  }
  return directory_hash_of(stored_version, shape);
}

Result<IndexPath> path_to_hash(Core& core, const Node& directory, std::uint32_t hash) {
  const DirectoryForm form = form_of(core, directory);
  Root root = TRY(read_root(core, directory, form));
  return path_below(core, directory, form, std::move(root), NameHash{hash, 0});
}

Result<IndexPath> path_to_name(Core& core, const Node& directory, std::string_view name) {
  const DirectoryForm form = form_of(core, directory);
  Root root = TRY(read_root(core, directory, form));
  const NameHash hash = TRY(hash_name(name, root.hash_version, core.shape.hash_seed));
  return path_below(core, directory, form, std::move(root), hash);
}

Result<BufferRef> read_leaf(Core& core, const Node& directory, const IndexPath& path) {
  const IndexFrame& frame = path.lowest();
  const Content content = frame.buffer->snapshot();
  const FileBlock file =
      TRY(block_of_slot(content.bytes(), frame, block_count_of(core, directory)));
  return read_directory_block(core, directory, file);
}

Result<NextLeaf> peek_next_leaf(Core&, const Node&, const IndexPath& path) {
  const std::size_t level = level_with_next(path);
  if (level == path.frames.size()) return NextLeaf{};
  const IndexFrame& frame = path.frames[level];
  const Content content = frame.buffer->snapshot();
  const std::uint32_t hash = hash_at(content.bytes(), frame, frame.chosen + 1);
  return NextLeaf{true, hash & ~kContinues, (hash & kContinues) != 0};
}

Result<void> set_leaf_range(Core& core, const Node& directory, IndexPath& path) {
  // The lowest frame in which the chosen slot says a hash: the first ones say none.
  path.leaf_from = 0;
  for (std::size_t level = path.frames.size(); level-- > 0;) {
    const IndexFrame& frame = path.frames[level];
    if (frame.chosen == 0) continue;
    const Content content = frame.buffer->snapshot();
    path.leaf_from = hash_at(content.bytes(), frame, frame.chosen) & ~kContinues;
    break;
  }
  const NextLeaf next = TRY(peek_next_leaf(core, directory, path));
  path.leaf_to = next.is_there ? next.hash : ~0u;
  return {};
}

Result<bool> to_next_leaf(Core& core, const Node& directory, IndexPath& path) {
  const std::size_t level = level_with_next(path);
  if (level == path.frames.size()) return false;
  if (path.leaves_left == 0) {
    return fail(Errc::kCorrupt, "htree: leads to more blocks than there are",
                directory.number.value());
  }
  --path.leaves_left;
  const std::size_t depth = path.frames.size();
  ++path.frames[level].chosen;
  path.frames.resize(level + 1);
  const DirectoryForm form = form_of(core, directory);
  Content content = path.frames.back().buffer->snapshot();
  while (path.frames.size() < depth) {
    content = TRY(descend(core, directory, form, content.bytes(), path.frames));
  }
  return true;
}

}  // namespace powercut::fs
