// Extended attributes: bytes to checked values and back.
#include "format/ext4_xattr.h"

#include <algorithm>

#include "base/crc32c.h"
#include "base/fuzzing.h"
#include "format/ext4_disk.h"

namespace powercut {
namespace {

constexpr std::size_t kXattrEntryBytes = sizeof(disk::XattrEntry);
constexpr std::size_t kEndBytes = sizeof(Le32);                    // behind the last entry
constexpr std::uint32_t kStoredValueMax = std::uint32_t{1} << 24;  // of a value inode

std::size_t padded(std::size_t bytes) {
  return (bytes + 3) / 4 * 4;
}

// Where entries and values lie: offsets count from the start of `bytes`.
struct Region {
  Bytes bytes;
  std::size_t first = 0;    // of the first entry
  std::uint64_t place = 0;  // inode or block; for errors
};

Result<void> check_value_inode(const XattrEntry& entry, const Region& region,
                               const Superblock& superblock) {
  if (!superblock.has(Ext4Incompat::kEaInode)) {
    return fail(Errc::kCorrupt, "attribute: a value inode without the feature ea_inode",
                region.place);
  }
  if (entry.value_inode < superblock.first_inode ||
      entry.value_inode.value() > superblock.inode_count) {
    return fail(Errc::kCorrupt, "attribute: number of the value inode", region.place);
  }
  if (entry.value_bytes == 0 || entry.value_bytes > kStoredValueMax) {
    return fail(Errc::kCorrupt, "attribute: length of the value in an inode", region.place);
  }
  return {};
}

// The entry at `at`, without its value.
Result<XattrEntry> parse_entry(const Region& region, std::size_t at, const Superblock& superblock) {
  const std::size_t room = region.bytes.size() - at;
  if (room < kXattrEntryBytes) {
    return fail(Errc::kCorrupt, "attribute: entry past the end", region.place);
  }
  const auto stored = TRY(load<disk::XattrEntry>(region.bytes, at));
  if (room - kXattrEntryBytes < stored.name_bytes) {
    return fail(Errc::kCorrupt, "attribute: name past the end", region.place);
  }
  XattrEntry entry;
  entry.index = stored.name_index;
  entry.value_inode = InodeNo(stored.value_inode);
  entry.value_offset = stored.value_offset;
  entry.value_bytes = stored.value_bytes;
  entry.hash = stored.hash;
  const auto* name = reinterpret_cast<const char*>(region.bytes.data()) + at + kXattrEntryBytes;
  entry.name.assign(name, stored.name_bytes);
  if (entry.name.find('\0') != std::string::npos) {
    return fail(Errc::kCorrupt, "attribute: a zero byte in its name", region.place);
  }
  if (entry.value_inode.value() != 0) TRY(check_value_inode(entry, region, superblock));
  return entry;
}

// Values begin at `begin`, behind the entries.
Result<void> take_value(const Region& region, std::size_t begin, XattrEntry& entry) {
  if (entry.value_inode.value() != 0 || entry.value_bytes == 0) return {};
  if (entry.value_offset < begin) {
    return fail(Errc::kCorrupt, "attribute: value in the entries", region.place);
  }
  if (entry.value_offset > region.bytes.size() ||
      entry.value_bytes > region.bytes.size() - entry.value_offset) {
    return fail(Errc::kCorrupt, "attribute: value past the end", region.place);
  }
  const Bytes value = region.bytes.subspan(entry.value_offset, entry.value_bytes);
  entry.value.assign(value.begin(), value.end());
  return {};
}

Result<std::vector<XattrEntry>> parse_entries(const Region& region, const Superblock& superblock) {
  std::vector<XattrEntry> entries;
  std::size_t at = region.first;
  while (true) {
    if (at > region.bytes.size() || region.bytes.size() - at < kEndBytes) {
      return fail(Errc::kCorrupt, "attributes: no end of the entries", region.place);
    }
    if (TRY(load<Le32>(region.bytes, at)).value() == 0) break;
    entries.push_back(TRY(parse_entry(region, at, superblock)));
    at += padded(kXattrEntryBytes + entries.back().name.size());
  }
  for (XattrEntry& entry : entries) TRY(take_value(region, at + kEndBytes, entry));
  return entries;
}

void encode_entries(const std::vector<XattrEntry>& entries, MutableBytes region,
                    std::size_t first) {
  std::size_t at = first;
  for (const XattrEntry& entry : entries) {
    CHECK(entry.name.size() <= kXattrNameMax, "attribute: a name that does not fit");
    disk::XattrEntry stored;
    stored.name_bytes = static_cast<std::uint8_t>(entry.name.size());
    stored.name_index = entry.index;
    stored.value_offset = entry.value_offset;
    stored.value_inode = entry.value_inode.value();
    stored.value_bytes = entry.value_bytes;
    stored.hash = entry.hash;
    store(region, at, stored);
    CHECK(region.size() - at - kXattrEntryBytes >= entry.name.size(),
          "attribute: a name past the end");
    std::ranges::copy(entry.name, region.subspan(at + kXattrEntryBytes).begin());
    at += padded(kXattrEntryBytes + entry.name.size());
  }
  store(region, at, Le32(0));
  for (const XattrEntry& entry : entries) {
    if (entry.value.empty()) continue;
    CHECK(entry.value.size() == entry.value_bytes && entry.value_offset >= at + kEndBytes &&
              entry.value_offset <= region.size() &&
              region.size() - entry.value_offset >= entry.value.size(),
          "attribute: a value that does not fit");
    std::ranges::copy(entry.value, region.subspan(entry.value_offset).begin());
  }
}

// ---- in an inode

// Where the magic lies, if there is room for it and for the end of the entries (has_room).
std::size_t body_at(const Inode& inode) {
  return sizeof(disk::InodeBase) + inode.extra_bytes;
}

// No extra bytes, no attributes: the magic would lie on the count of the extra bytes.
bool has_room(Bytes stored, const Inode& inode) {
  constexpr std::size_t kLeast = sizeof(disk::XattrBodyHeader) + kEndBytes;
  return inode.extra_bytes != 0 && stored.size() >= body_at(inode) + kLeast;
}

// ---- in a block

std::uint32_t checksum_of(Bytes block, BlockNo place, const Superblock& superblock) {
  constexpr std::size_t kAt = offsetof(disk::XattrBlockHeader, checksum);
  const Le64 number(place.value());
  const Le32 zero(0);
  std::uint32_t crc = crc32c(superblock.checksum_seed(), bytes_of(number));
  crc = crc32c(crc, block.first(kAt));
  crc = crc32c(crc, bytes_of(zero));
  return crc32c(crc, block.subspan(kAt + sizeof(zero)));
}

}  // namespace

Result<XattrBody> XattrBody::parse(Bytes stored, const Inode& inode, InodeNo number,
                                   const Superblock& superblock) {
  XattrBody body;
  if (!has_room(stored, inode)) return body;
  const auto header = TRY(load<disk::XattrBodyHeader>(stored, body_at(inode)));
  body.is_there = header.magic.value() == disk::kXattrMagic;
  if (!body.is_there) return body;
  const Region region{stored.subspan(body_at(inode) + sizeof(header)), 0, number.value()};
  body.entries = TRY(parse_entries(region, superblock));
  return body;
}

void XattrBody::encode(MutableBytes stored, const Inode& inode) const {
  if (!is_there) return;
  CHECK(has_room(stored, inode), "attributes: no room in the inode");
  disk::XattrBodyHeader header;
  header.magic = disk::kXattrMagic;
  store(stored, body_at(inode), header);
  encode_entries(entries, stored.subspan(body_at(inode) + sizeof(header)), 0);
}

Result<XattrBlock> XattrBlock::parse(Bytes block, BlockNo place, const Superblock& superblock) {
  if (block.size() != superblock.block_bytes()) {
    return fail(Errc::kCorrupt, "attribute block: length", place.value());
  }
  const auto header = TRY(load<disk::XattrBlockHeader>(block, 0));
  if (!is_fuzzing() && superblock.has_metadata_checksums() &&
      checksum_of(block, place, superblock) != header.checksum.value()) {
    return fail(Errc::kChecksum, "attribute block: checksum", place.value());
  }
  if (header.magic.value() != disk::kXattrMagic) {
    return fail(Errc::kCorrupt, "attribute block: magic", place.value());
  }
  if (header.block_count.value() != 1) {
    return fail(Errc::kCorrupt, "attribute block: not a single block", place.value());
  }
  XattrBlock parsed;
  parsed.references = header.references;
  parsed.hash = header.hash;
  parsed.checksum = header.checksum;
  const Region region{block, sizeof(header), place.value()};
  parsed.entries = TRY(parse_entries(region, superblock));
  return parsed;
}

void XattrBlock::encode(MutableBytes block, BlockNo place, const Superblock& superblock) const {
  CHECK(block.size() == superblock.block_bytes(), "a block of another size");
  disk::XattrBlockHeader header;
  std::memcpy(&header, block.data(), sizeof(header));
  header.magic = disk::kXattrMagic;
  header.references = references;
  header.block_count = 1;
  header.hash = hash;
  store(block, 0, header);
  encode_entries(entries, block, sizeof(header));
  if (!superblock.has_metadata_checksums()) return;
  header.checksum = checksum_of(block, place, superblock);
  store(block, 0, header);
}

}  // namespace powercut
