// The bitmaps of a group: read and checked, or made where they were never written.
//
// A bitmap is what its descriptor says in two ways: its checksum, and how many bits are clear; and
// system blocks are in use.  One that is not makes the group damaged: nothing is allocated or freed
// there.
#include <algorithm>

#include "fs/groups.h"

namespace powercut::fs {

// `fresh`: what it is if it was never written; null: it is read.
Result<BufferRef> Groups::bitmap_buffer(BlockNo place, const std::vector<std::uint8_t>* fresh) {
  if (fresh == nullptr) return core_.buffers->get(place);
  BufferRef buffer = TRY(core_.buffers->get_unread(place));
  buffer->offer(Content::copy_of(*fresh));
  return buffer;
}

std::vector<std::uint8_t> Groups::fresh_block_bitmap(const Group& group) const {
  std::vector<std::uint8_t> bitmap(core_.block_bytes(), 0xFF);
  const BlockNo first = core_.shape.first_block_of(group.index);
  const auto count = static_cast<std::uint32_t>(core_.shape.block_count_of(group.index));
  put_bits(bitmap, {0, count}, false);
  for (const BlockRun& run : system_) {
    const std::uint64_t from = std::max(run.first, first).value();
    const std::uint64_t to = std::min(run.first + run.count, first + count).value();
    if (from >= to) continue;
    put_bits(
        bitmap,
        {static_cast<std::uint32_t>(from - first.value()), static_cast<std::uint32_t>(to - from)},
        true);
  }
  return bitmap;
}

// Its blocks are the file system's own, whatever the bitmap says of others.
bool Groups::has_system_bits(const Group& group, Bytes bitmap) const {
  const std::uint64_t first = core_.shape.first_block_of(group.index).value();
  const std::uint64_t end = first + core_.shape.block_count_of(group.index);
  return std::ranges::all_of(system_, [&](const BlockRun& run) {
    const std::uint64_t from = std::max(run.first.value(), first);
    const std::uint64_t to = std::min(run.first.value() + run.count, end);
    if (from >= to) return true;
    const FreeBits bits(bitmap, {}, static_cast<std::uint32_t>(to - first));
    return bits.next_free(static_cast<std::uint32_t>(from - first)) == to - first;
  });
}

std::vector<std::uint8_t> Groups::fresh_inode_bitmap() const {
  std::vector<std::uint8_t> bitmap(core_.block_bytes(), 0xFF);
  put_bits(bitmap, {0, core_.shape.inodes_per_group}, false);
  return bitmap;
}

void Groups::mark_damaged(Group& group, const Error& why) {
  if (core_.damage != nullptr) core_.damage->note(why);
  if (group.is_damaged.exchange(true)) return;
  ++damaged_groups_;
  available_ -= group.descriptor.free_blocks;
  group.longest = 0;
}

Result<bool> Groups::load_block_bitmap(Group& group) {
  if (group.is_damaged) return false;
  bool is_fresh = false;
  {
    Lock lock(group.mutex);
    if (group.block_bitmap != nullptr) return true;
    is_fresh = has_group_checksums_ && group.descriptor.has(GroupFlag::kBlocksUninitialised);
  }
  std::vector<std::uint8_t> fresh;
  if (is_fresh) fresh = fresh_block_bitmap(group);
  const BufferRef buffer =
      TRY(bitmap_buffer(group.places.block_bitmap, is_fresh ? &fresh : nullptr));
  Lock lock(group.mutex);
  if (group.block_bitmap != nullptr) return true;
  // Nobody changes a bitmap that is not here: it is as the descriptor knows it.
  const Content content = buffer->snapshot();
  const bool matches =
      is_fresh || block_bitmap_matches(content.bytes(), group.descriptor, core_.shape);
  const auto bits = static_cast<std::uint32_t>(core_.shape.block_count_of(group.index));
  if (!matches || !has_system_bits(group, content.bytes()) ||
      FreeBits(content.bytes(), {}, bits).count_free() != group.descriptor.free_blocks) {
    const Failure why = fail(matches ? Errc::kCorrupt : Errc::kChecksum,
                             "block bitmap: not as its group says", group.index);
    mark_damaged(group, why.error);
    return false;
  }
  group.block_bitmap = buffer;
  return true;
}

Result<bool> Groups::load_inode_bitmap(Group& group) {
  if (group.is_damaged) return false;
  bool is_fresh = false;
  {
    Lock lock(group.mutex);
    if (group.inode_bitmap != nullptr) return true;
    is_fresh = has_group_checksums_ && group.descriptor.has(GroupFlag::kInodesUninitialised);
  }
  std::vector<std::uint8_t> fresh;
  if (is_fresh) fresh = fresh_inode_bitmap();
  const BufferRef buffer =
      TRY(bitmap_buffer(group.places.inode_bitmap, is_fresh ? &fresh : nullptr));
  Lock lock(group.mutex);
  if (group.inode_bitmap != nullptr) return true;
  const Content content = buffer->snapshot();
  const bool matches =
      is_fresh || inode_bitmap_matches(content.bytes(), group.descriptor, core_.shape);
  const FreeBits bits(content.bytes(), {}, core_.shape.inodes_per_group);
  if (!matches || bits.count_free() != group.descriptor.free_inodes) {
    const Failure why = fail(matches ? Errc::kCorrupt : Errc::kChecksum,
                             "inode bitmap: not as its group says", group.index);
    mark_damaged(group, why.error);
    return false;
  }
  group.inode_bitmap = buffer;
  return true;
}

}  // namespace powercut::fs
