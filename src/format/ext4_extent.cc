// Nodes of extent trees: bytes to checked values and back.
#include "base/crc32c.h"
#include "base/fuzzing.h"
#include "format/ext4.h"
#include "format/ext4_disk.h"

namespace powercut {
namespace {

constexpr std::size_t kExtentHeaderBytes = sizeof(disk::ExtentHeader);
constexpr std::size_t kEntryBytes = sizeof(disk::ExtentLeafEntry);
static_assert(sizeof(disk::ExtentIndexEntry) == kEntryBytes, "both kinds share their slots");

// Entries that fit.
std::size_t slots_in(std::size_t bytes) {
  return (bytes - kExtentHeaderBytes) / kEntryBytes;
}

// The tail follows the last slot.  Its place depends on the stored capacity: Linux uses all the
// room, libext2fs one slot less.
std::size_t tail_at(std::uint16_t capacity) {
  return kExtentHeaderBytes + capacity * kEntryBytes;
}

Result<void> verify_extent_tail(Bytes block, BlockNo place, const OwnerSeed& owner,
                                const Superblock& superblock) {
  if (is_fuzzing() || !superblock.has_metadata_checksums()) return {};
  const auto header = TRY(load<disk::ExtentHeader>(block, 0));
  const std::size_t at = tail_at(header.capacity);
  const auto tail = load<disk::ExtentTail>(block, at);
  if (!tail) return fail(Errc::kChecksum, "extent block: no room for a checksum", place.value());
  if (crc32c(owner.seed, block.first(at)) != tail->checksum.value()) {
    return fail(Errc::kChecksum, "extent block: checksum", place.value());
  }
  return {};
}

// What must hold for the entries of one node, met one after another.
class EntryRules {
 public:
  EntryRules(std::uint64_t where, const Superblock& superblock)
      : where_(where), superblock_(superblock) {}

  Result<Extent> extent(const disk::ExtentLeafEntry& stored) {
    Extent extent;
    extent.file = FileBlock(stored.file_block);
    extent.device = BlockNo(joined(stored.device_low, stored.device_high));
    extent.is_unwritten = stored.length > disk::kUnwrittenBase;
    extent.count = extent.is_unwritten ? std::uint32_t{stored.length} - disk::kUnwrittenBase
                                       : std::uint32_t{stored.length};
    if (extent.count == 0) return fail(Errc::kCorrupt, "extent: length 0", where_);
    if (extent.file.value() < next_) {
      return fail(Errc::kCorrupt, "extent: not after the one before it", where_);
    }
    next_ = extent.file.value() + extent.count;
    if (next_ > (std::uint64_t{1} << 32)) {
      return fail(Errc::kCorrupt, "extent: past the largest file block", where_);
    }
    if (!superblock_.contains(extent.device, extent.count)) {
      return fail(Errc::kCorrupt, "extent: out of the file system", where_);
    }
    return extent;
  }

  Result<ExtentIndex> index(const disk::ExtentIndexEntry& stored) {
    const ExtentIndex entry{FileBlock(stored.file_block),
                            BlockNo(joined(stored.node_low, stored.node_high))};
    if (entry.file.value() < next_) {
      return fail(Errc::kCorrupt, "extent index: not after the one before it", where_);
    }
    next_ = entry.file.value() + 1;
    if (!superblock_.contains(entry.node)) {
      return fail(Errc::kCorrupt, "extent index: node out of the file system", where_);
    }
    return entry;
  }

 private:
  std::uint64_t where_;
  const Superblock& superblock_;
  std::uint64_t next_ = 0;  // no entry may begin before this file block
};

// Reads header and entries of `bytes`, an area or a block.
Result<ExtentNode> parse_entries(Bytes bytes, std::uint64_t where, const Superblock& superblock) {
  const auto header = TRY(load<disk::ExtentHeader>(bytes, 0));
  if (header.magic.value() != disk::kExtentMagic) {
    return fail(Errc::kCorrupt, "extent node: magic", where);
  }
  if (header.depth > kExtentDepthMax) {
    return fail(Errc::kCorrupt, "extent node: depth over 5", where);
  }
  if (header.capacity > slots_in(bytes.size()) || header.entries > header.capacity) {
    return fail(Errc::kCorrupt, "extent node: more entries than fit", where);
  }
  if (header.depth > 0 && header.entries.value() == 0) {
    return fail(Errc::kCorrupt, "extent node: inner and empty", where);
  }
  ExtentNode node;
  node.depth = header.depth;
  node.capacity = header.capacity;
  node.generation = header.generation;
  EntryRules rules(where, superblock);
  for (std::size_t i = 0; i < header.entries; ++i) {
    const std::size_t at = kExtentHeaderBytes + i * kEntryBytes;
    if (node.depth == 0) {
      const auto stored = TRY(load<disk::ExtentLeafEntry>(bytes, at));
      node.extents.push_back(TRY(rules.extent(stored)));
    } else {
      const auto stored = TRY(load<disk::ExtentIndexEntry>(bytes, at));
      node.children.push_back(TRY(rules.index(stored)));
    }
  }
  return node;
}

disk::ExtentLeafEntry stored_extent(const Extent& extent) {
  disk::ExtentLeafEntry stored;
  stored.file_block = static_cast<std::uint32_t>(extent.file.value());
  stored.length = static_cast<std::uint16_t>(
      extent.is_unwritten ? extent.count + disk::kUnwrittenBase : extent.count);
  stored.device_low = static_cast<std::uint32_t>(extent.device.value());
  stored.device_high = static_cast<std::uint16_t>(extent.device.value() >> 32);
  return stored;
}

void put_entries(const ExtentNode& node, MutableBytes bytes) {
  const std::size_t entries = node.depth == 0 ? node.extents.size() : node.children.size();
  CHECK(node.capacity <= slots_in(bytes.size()) && entries <= node.capacity,
        "extent node: more entries than fit");
  disk::ExtentHeader header;
  header.magic = disk::kExtentMagic;
  header.entries = static_cast<std::uint16_t>(entries);
  header.capacity = node.capacity;
  header.depth = node.depth;
  header.generation = node.generation;
  store(bytes, 0, header);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t at = kExtentHeaderBytes + i * kEntryBytes;
    if (node.depth == 0) {
      store(bytes, at, stored_extent(node.extents[i]));
      continue;
    }
    disk::ExtentIndexEntry stored;
    std::memcpy(&stored, bytes.data() + at, sizeof(stored));
    const ExtentIndex& child = node.children[i];
    stored.file_block = static_cast<std::uint32_t>(child.file.value());
    stored.node_low = static_cast<std::uint32_t>(child.node.value());
    stored.node_high = static_cast<std::uint16_t>(child.node.value() >> 32);
    store(bytes, at, stored);
  }
}

}  // namespace

Result<ExtentNode> ExtentNode::parse_root(Bytes area, InodeNo number,
                                          const Superblock& superblock) {
  if (area.size() != kBlockAreaBytes) {
    return fail(Errc::kCorrupt, "extent root: length", number.value());
  }
  return parse_entries(area, number.value(), superblock);
}

Result<ExtentNode> ExtentNode::parse_block(Bytes block, BlockNo place, std::uint16_t depth,
                                           const OwnerSeed& owner, const Superblock& superblock) {
  if (block.size() != superblock.block_bytes()) {
    return fail(Errc::kCorrupt, "extent block: length", place.value());
  }
  TRY(verify_extent_tail(block, place, owner, superblock));
  auto node = TRY(parse_entries(block, place.value(), superblock));
  if (node.depth != depth) {
    return fail(Errc::kCorrupt, "extent block: depth is not one less than above", place.value());
  }
  if (node.extents.empty() && node.children.empty()) {
    return fail(Errc::kCorrupt, "extent block: empty", place.value());
  }
  return node;
}

void ExtentNode::encode_root(MutableBytes area) const {
  CHECK(area.size() == kBlockAreaBytes, "a block area of another size");
  put_entries(*this, area);
}

void ExtentNode::encode_block(MutableBytes block, const OwnerSeed& owner,
                              const Superblock& superblock) const {
  CHECK(block.size() == superblock.block_bytes(), "a block of another size");
  put_entries(*this, block);
  if (!superblock.has_metadata_checksums()) return;
  const std::size_t at = tail_at(capacity);
  CHECK(at + sizeof(disk::ExtentTail) <= block.size(), "extent block: no room for a checksum");
  disk::ExtentTail tail;
  tail.checksum = crc32c(owner.seed, Bytes(block).first(at));
  store(block, at, tail);
}

}  // namespace powercut
