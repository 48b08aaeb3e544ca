// The index blocks of htree directories: bytes to checked values and back.
#include "base/crc32c.h"
#include "base/fuzzing.h"
#include "format/ext4_directory.h"
#include "format/ext4_disk.h"

namespace powercut {
namespace {

constexpr std::size_t kSlotBytes = sizeof(disk::HtreeSlot);
constexpr std::size_t kHtreeTailBytes = sizeof(disk::HtreeTail);
constexpr std::size_t kRootSlotsAt = sizeof(disk::HtreeRootBlock);
constexpr std::size_t kNodeSlotsAt = sizeof(disk::DirEntry);
constexpr std::uint8_t kInfoBytes = 8;
constexpr std::uint32_t kDotRecordBytes = 12;

// Slots from `at` to the end of the block, or to the tail.
std::size_t slot_limit(std::size_t at, const Superblock& superblock) {
  const std::size_t tail = superblock.has_metadata_checksums() ? kHtreeTailBytes : 0;
  return (superblock.block_bytes() - at - tail) / kSlotBytes;
}

// Over the block up to the last slot in use, and the tail with its checksum as zero; the unused
// slots between are not covered.
std::uint32_t checksum_of(Bytes block, std::size_t at, std::size_t count, const OwnerSeed& owner,
                          const Superblock& superblock) {
  const std::size_t tail = at + slot_limit(at, superblock) * kSlotBytes;
  const std::uint32_t crc = crc32c(owner.seed, block.first(at + count * kSlotBytes));
  const std::uint32_t with_tail = crc32c(crc, block.subspan(tail, sizeof(Le32)));
  return crc32c(with_tail, bytes_of(Le32(0)));
}

Result<std::vector<HtreeEntry>> parse_slots(Bytes block, std::size_t at, BlockNo place,
                                            const OwnerSeed& owner, const Superblock& superblock) {
  const auto limit = TRY(load<disk::HtreeLimit>(block, at));
  const std::size_t slots = slot_limit(at, superblock);
  if (limit.count.value() == 0 || limit.count > slots || limit.limit > slots ||
      limit.count > limit.limit) {
    return fail(Errc::kCorrupt, "htree block: more entries than fit, or none", place.value());
  }
  if (!is_fuzzing() && superblock.has_metadata_checksums()) {
    const auto tail = TRY(load<disk::HtreeTail>(block, at + slots * kSlotBytes));
    if (checksum_of(block, at, limit.count, owner, superblock) != tail.checksum.value()) {
      return fail(Errc::kChecksum, "htree block: checksum", place.value());
    }
  }
  std::vector<HtreeEntry> entries;
  for (std::size_t i = 0; i < limit.count; ++i) {
    const auto slot = TRY(load<disk::HtreeSlot>(block, at + i * kSlotBytes));
    const HtreeEntry entry{i == 0 ? 0 : slot.hash.value(), FileBlock(slot.block & 0x0FFFFFFFu)};
    if (!entries.empty() && entry.hash < entries.back().hash) {
      return fail(Errc::kCorrupt, "htree block: hashes out of order", place.value());
    }
    entries.push_back(entry);
  }
  return entries;
}

void put_slots(const std::vector<HtreeEntry>& entries, MutableBytes block, std::size_t at,
               const OwnerSeed& owner, const Superblock& superblock) {
  const std::size_t slots = slot_limit(at, superblock);
  CHECK(!entries.empty() && entries.size() <= slots, "htree block: entries that do not fit");
  for (std::size_t i = 0; i < entries.size(); ++i) {
    disk::HtreeSlot slot;
    slot.hash = entries[i].hash;
    slot.block = static_cast<std::uint32_t>(entries[i].block.value());
    store(block, at + i * kSlotBytes, slot);
  }
  disk::HtreeLimit limit;
  limit.limit = static_cast<std::uint16_t>(slots);
  limit.count = static_cast<std::uint16_t>(entries.size());
  store(block, at, limit);
  if (!superblock.has_metadata_checksums()) return;
  const std::size_t tail_at = at + slots * kSlotBytes;
  disk::HtreeTail tail;
  std::memcpy(&tail, block.data() + tail_at, sizeof(tail));
  tail.checksum = checksum_of(block, at, entries.size(), owner, superblock);
  store(block, tail_at, tail);
}

Result<void> check_root(const disk::HtreeRootBlock& stored, BlockNo place,
                        const Superblock& superblock) {
  const std::uint32_t block_bytes = superblock.block_bytes();
  const bool has_dots =
      record_length(stored.dot.record_bytes, block_bytes) == kDotRecordBytes &&
      stored.dot.name_bytes == 1 && stored.dot_name[0] == '.' &&
      record_length(stored.dotdot.record_bytes, block_bytes) == block_bytes - kDotRecordBytes &&
      stored.dotdot.name_bytes == 2 && stored.dotdot_name[0] == '.' && stored.dotdot_name[1] == '.';
  if (!has_dots) {
    return fail(Errc::kCorrupt, "htree root: does not begin with . and ..", place.value());
  }
  for (const disk::DirEntry& entry : {stored.dot, stored.dotdot}) {
    if (entry.inode.value() == 0 || entry.inode.value() > superblock.inode_count) {
      return fail(Errc::kCorrupt, "htree root: . or .. is no inode", place.value());
    }
  }
  if (stored.reserved_zero.value() != 0 || stored.info_bytes != kInfoBytes) {
    return fail(Errc::kCorrupt, "htree root: information record", place.value());
  }
  const unsigned levels_max = superblock.has(Ext4Incompat::kLargeDir) ? 2 : 1;
  if (stored.indirect_levels > levels_max) {
    return fail(Errc::kCorrupt, "htree root: too many levels", place.value());
  }
  return {};
}

}  // namespace

Result<HtreeRoot> HtreeRoot::parse(Bytes block, BlockNo place, const OwnerSeed& owner,
                                   const Superblock& superblock) {
  if (block.size() != superblock.block_bytes()) {
    return fail(Errc::kCorrupt, "htree root: length", place.value());
  }
  const auto stored = TRY(load<disk::HtreeRootBlock>(block, 0));
  HtreeRoot root;
  root.entries = TRY(parse_slots(block, kRootSlotsAt, place, owner, superblock));
  TRY(check_root(stored, place, superblock));
  root.self = InodeNo(stored.dot.inode);
  root.parent = InodeNo(stored.dotdot.inode);
  root.hash_version = stored.hash_version;
  root.indirect_levels = stored.indirect_levels;
  root.flags = stored.unused_flags;
  return root;
}

void HtreeRoot::encode(MutableBytes block, const OwnerSeed& owner,
                       const Superblock& superblock) const {
  CHECK(block.size() == superblock.block_bytes(), "a block of another size");
  disk::HtreeRootBlock stored;
  std::memcpy(&stored, block.data(), sizeof(stored));
  const std::uint8_t directory_type = superblock.has(Ext4Incompat::kFileType) ? 2 : 0;
  stored.dot.inode = self.value();
  stored.dot.record_bytes = static_cast<std::uint16_t>(kDotRecordBytes);
  stored.dot.name_bytes = 1;
  stored.dot.file_type = directory_type;
  stored.dot_name[0] = '.';
  stored.dotdot.inode = parent.value();
  stored.dotdot.record_bytes =
      stored_record_length(superblock.block_bytes() - kDotRecordBytes, superblock.block_bytes());
  stored.dotdot.name_bytes = 2;
  stored.dotdot.file_type = directory_type;
  stored.dotdot_name[0] = stored.dotdot_name[1] = '.';
  stored.reserved_zero = 0;
  stored.hash_version = hash_version;
  stored.info_bytes = kInfoBytes;
  stored.indirect_levels = indirect_levels;
  stored.unused_flags = flags;
  store(block, 0, stored);
  put_slots(entries, block, kRootSlotsAt, owner, superblock);
}

Result<HtreeNode> HtreeNode::parse(Bytes block, BlockNo place, const OwnerSeed& owner,
                                   const Superblock& superblock) {
  if (block.size() != superblock.block_bytes()) {
    return fail(Errc::kCorrupt, "htree node: length", place.value());
  }
  if (!looks_like_htree_node(block)) {
    return fail(Errc::kCorrupt, "htree node: no unused entry in front", place.value());
  }
  HtreeNode node;
  node.entries = TRY(parse_slots(block, kNodeSlotsAt, place, owner, superblock));
  return node;
}

void HtreeNode::encode(MutableBytes block, const OwnerSeed& owner,
                       const Superblock& superblock) const {
  CHECK(block.size() == superblock.block_bytes(), "a block of another size");
  disk::DirEntry front;
  std::memcpy(&front, block.data(), sizeof(front));
  front.inode = 0;
  if (record_length(front.record_bytes, superblock.block_bytes()) != superblock.block_bytes()) {
    front.record_bytes = stored_record_length(superblock.block_bytes(), superblock.block_bytes());
  }
  front.name_bytes = 0;
  front.file_type = 0;
  store(block, 0, front);
  put_slots(entries, block, kNodeSlotsAt, owner, superblock);
}

bool looks_like_htree_node(Bytes block) {
  const auto front = load<disk::DirEntry>(block, 0);
  return front && front->inode.value() == 0 && front->name_bytes == 0 &&
         record_length(front->record_bytes, static_cast<std::uint32_t>(block.size())) ==
             block.size();
}

}  // namespace powercut
