// Directory records and linear directory blocks: bytes to checked values and back.
#include "format/ext4_directory.h"

#include <algorithm>

#include "base/crc32c.h"
#include "base/fuzzing.h"
#include "format/ext4_disk.h"

namespace powercut {

// A record length is a multiple of 4 in 16 bits; blocks of 64 KiB keep bits 16 and 17 in the low
// two, and know two more words for a whole block.
std::uint32_t record_length(std::uint16_t stored, std::uint32_t block_bytes) {
  if (block_bytes < 65536) return stored;
  if (stored == 0 || stored == 0xFFFF) return block_bytes;
  return (stored & 0xFFFCu) | ((stored & 3u) << 16);
}

std::uint16_t stored_record_length(std::uint32_t length, std::uint32_t block_bytes) {
  if (length < 65536) return static_cast<std::uint16_t>(length);
  return length == block_bytes && block_bytes == 65536 ? std::uint16_t{0xFFFF} : std::uint16_t{0};
}

namespace {

constexpr std::size_t kDirEntryBytes = sizeof(disk::DirEntry);
constexpr std::size_t kDirTailBytes = sizeof(disk::DirTail);

std::size_t records_end(const Superblock& superblock) {
  return superblock.block_bytes() - (superblock.has_metadata_checksums() ? kDirTailBytes : 0);
}

Result<void> verify_dir_tail(Bytes block, BlockNo place, const OwnerSeed& owner,
                             const Superblock& superblock) {
  if (is_fuzzing() || !superblock.has_metadata_checksums()) return {};
  const std::size_t at = records_end(superblock);
  const auto tail = TRY(load<disk::DirTail>(block, at));
  if (tail.zero_inode.value() != 0 || tail.record_bytes.value() != kDirTailBytes ||
      tail.zero_name != 0 || tail.file_type != disk::kDirectoryTailType) {
    return fail(Errc::kChecksum, "directory block: no checksum at its end", place.value());
  }
  if (crc32c(owner.seed, block.first(at)) != tail.checksum.value()) {
    return fail(Errc::kChecksum, "directory block: checksum", place.value());
  }
  return {};
}

Result<void> check_name(const DirectoryRecord& record, std::uint64_t place) {
  if (record.inode.value() == 0) return {};
  if (record.name.empty()) return fail(Errc::kCorrupt, "directory entry: no name", place);
  const bool is_legal = std::none_of(record.name.begin(), record.name.end(),
                                     [](char c) { return c == '\0' || c == '/'; });
  if (!is_legal) {
    return fail(Errc::kCorrupt, "directory entry: a name with '/' or a zero byte", place);
  }
  return {};
}

// Reads the record at `at`.
Result<DirectoryRecord> parse_record(Bytes region, std::size_t at, std::uint64_t place,
                                     const Superblock& superblock) {
  if (region.size() - at < kDirEntryBytes) {
    return fail(Errc::kCorrupt, "directory entry: length", place);
  }
  const auto stored = TRY(load<disk::DirEntry>(region, at));
  DirectoryRecord record;
  record.inode = InodeNo(stored.inode);
  record.record_bytes = record_length(stored.record_bytes, superblock.block_bytes());
  if (record.record_bytes < kDirEntryBytes || record.record_bytes % 4 != 0 ||
      record.record_bytes > region.size() - at) {
    return fail(Errc::kCorrupt, "directory entry: length", place);
  }
  if (stored.name_bytes > record.record_bytes - kDirEntryBytes) {
    return fail(Errc::kCorrupt, "directory entry: name longer than the entry", place);
  }
  if (record.inode.value() > superblock.inode_count) {
    return fail(Errc::kCorrupt, "directory entry: inode past the last", place);
  }
  if (superblock.has(Ext4Incompat::kFileType)) {
    record.file_type = stored.file_type;
  } else if (stored.file_type != 0 && record.inode.value() != 0) {
    return fail(Errc::kCorrupt, "directory entry: name over 255 bytes", place);
  }
  record.name.assign(reinterpret_cast<const char*>(region.data()) + at + kDirEntryBytes,
                     stored.name_bytes);
  TRY(check_name(record, place));
  return record;
}

}  // namespace

Result<std::vector<DirectoryRecord>> parse_records(Bytes region, std::uint64_t place,
                                                   const Superblock& superblock) {
  std::vector<DirectoryRecord> records;
  std::size_t at = 0;
  while (at < region.size()) {
    auto record = TRY(parse_record(region, at, place, superblock));
    at += record.record_bytes;
    records.push_back(std::move(record));
  }
  return records;
}

void encode_records(const std::vector<DirectoryRecord>& records, MutableBytes region,
                    const Superblock& superblock) {
  std::size_t at = 0;
  for (const DirectoryRecord& record : records) {
    CHECK(record.record_bytes % 4 == 0 && record.name.size() <= 255 &&
              record.record_bytes >= kDirEntryBytes + record.name.size() &&
              record.record_bytes <= region.size() - at,
          "directory: a record that does not fit");
    disk::DirEntry stored;
    std::memcpy(&stored, region.data() + at, sizeof(stored));
    stored.inode = record.inode.value();
    if (record_length(stored.record_bytes, superblock.block_bytes()) != record.record_bytes) {
      stored.record_bytes = stored_record_length(record.record_bytes, superblock.block_bytes());
    }
    stored.name_bytes = static_cast<std::uint8_t>(record.name.size());
    if (superblock.has(Ext4Incompat::kFileType)) stored.file_type = record.file_type;
    store(region, at, stored);
    std::memcpy(region.data() + at + kDirEntryBytes, record.name.data(), record.name.size());
    at += record.record_bytes;
  }
  CHECK(at == region.size(), "directory: records that do not fill it");
}

Result<DirectoryBlock> DirectoryBlock::parse(Bytes block, BlockNo place, const OwnerSeed& owner,
                                             const Superblock& superblock) {
  if (block.size() != superblock.block_bytes()) {
    return fail(Errc::kCorrupt, "directory block: length", place.value());
  }
  TRY(verify_dir_tail(block, place, owner, superblock));
  DirectoryBlock directory;
  directory.records =
      TRY(parse_records(block.first(records_end(superblock)), place.value(), superblock));
  return directory;
}

void DirectoryBlock::encode(MutableBytes block, const OwnerSeed& owner,
                            const Superblock& superblock) const {
  CHECK(block.size() == superblock.block_bytes(), "a block of another size");
  const std::size_t end = records_end(superblock);
  encode_records(records, block.first(end), superblock);
  if (!superblock.has_metadata_checksums()) return;
  disk::DirTail tail{};
  tail.record_bytes = static_cast<std::uint16_t>(kDirTailBytes);
  tail.file_type = disk::kDirectoryTailType;
  tail.checksum = crc32c(owner.seed, Bytes(block).first(end));
  store(block, end, tail);
}

}  // namespace powercut
