// Inodes: bytes to checked values and back.
#include "base/crc32c.h"
#include "base/fuzzing.h"
#include "format/ext4.h"
#include "format/ext4_disk.h"

namespace powercut {
namespace {

constexpr std::size_t kBaseBytes = sizeof(disk::InodeBase);
constexpr std::uint64_t kSizeMax = std::uint64_t{1} << 62;

// True if the field of InodeExtra that ends before byte `end` is among the first `extra_bytes`.
bool reaches(std::uint16_t extra_bytes, std::size_t end) {
  return extra_bytes >= end;
}

#define FIELD_END(field) (offsetof(disk::InodeExtra, field) + sizeof(disk::InodeExtra::field))

// Seconds are a signed 32-bit number; two more bits stand below the nanoseconds.
Timestamp timestamp_of(std::uint32_t low, std::uint32_t extra) {
  const std::int64_t seconds = static_cast<std::int32_t>(low);
  return {seconds + (std::int64_t{extra & 3} << 32), extra >> 2};
}

Timestamp seconds_only(std::uint32_t low) {
  return {static_cast<std::int32_t>(low), 0};
}

std::uint32_t low_part(const Timestamp& time) {
  return static_cast<std::uint32_t>(time.seconds);
}

std::uint32_t extra_part(const Timestamp& time) {
  const std::int64_t low = static_cast<std::int32_t>(low_part(time));
  const auto epoch = static_cast<std::uint32_t>((time.seconds - low) >> 32) & 3;
  return (time.nanoseconds << 2) | epoch;
}

bool size_has_high_half(std::uint16_t mode, const Superblock& superblock) {
  return (mode >> 12) == static_cast<unsigned>(InodeType::kRegular) ||
         superblock.has(Ext4Incompat::kLargeDir);
}

bool has_checksum_high(Bytes stored) {
  if (stored.size() <= kBaseBytes) return false;
  Le16 extra_bytes;
  std::memcpy(&extra_bytes, stored.data() + kBaseBytes, sizeof(extra_bytes));
  return reaches(extra_bytes, FIELD_END(checksum_high));
}

// Over the whole inode with its checksum as zero.
std::uint32_t checksum_of(Bytes stored, InodeNo number, const Superblock& superblock) {
  constexpr std::size_t kLowAt = offsetof(disk::InodeBase, checksum_low);
  constexpr std::size_t kHighAt = kBaseBytes + offsetof(disk::InodeExtra, checksum_high);
  Le32 generation;
  std::memcpy(&generation, stored.data() + offsetof(disk::InodeBase, generation),
              sizeof(generation));
  const Le16 zero(0);
  std::uint32_t crc = OwnerSeed::make(superblock, number, generation).seed;
  crc = crc32c(crc, stored.first(kLowAt));
  crc = crc32c(crc, bytes_of(zero));
  if (!has_checksum_high(stored)) return crc32c(crc, stored.subspan(kLowAt + sizeof(zero)));
  crc = crc32c(crc, stored.subspan(kLowAt + 2, kHighAt - kLowAt - 2));
  crc = crc32c(crc, bytes_of(zero));
  return crc32c(crc, stored.subspan(kHighAt + 2));
}

Result<void> verify(Bytes stored, const Inode& inode, InodeNo number,
                    const Superblock& superblock) {
  if (is_fuzzing() || !superblock.has_metadata_checksums()) return {};
  const std::uint32_t mask = has_checksum_high(stored) ? ~0u : 0xFFFFu;
  if (((checksum_of(stored, number, superblock) ^ inode.checksum) & mask) != 0) {
    return fail(Errc::kChecksum, "inode: checksum", number.value());
  }
  return {};
}

void take_base(const disk::InodeBase& base, const Superblock& superblock, Inode& inode) {
  inode.mode = base.mode;
  inode.uid = base.uid_low | (std::uint32_t{base.uid_high} << 16);
  inode.gid = base.gid_low | (std::uint32_t{base.gid_high} << 16);
  inode.size = base.size_low;
  if (size_has_high_half(inode.mode, superblock)) {
    inode.size |= std::uint64_t{base.size_high} << 32;
  }
  inode.access_time = seconds_only(base.access_time);
  inode.change_time = seconds_only(base.change_time);
  inode.modify_time = seconds_only(base.modify_time);
  inode.delete_time = base.delete_time;
  inode.links = base.links;
  inode.sectors = joined(base.sectors_low, base.sectors_high);
  inode.flags = base.flags;
  inode.generation = base.generation;
  inode.block_area = base.block_area;
  inode.xattr_block = BlockNo(joined(base.xattr_block_low, base.xattr_block_high));
  inode.checksum = base.checksum_low;
}

void take_extra(const disk::InodeBase& base, const disk::InodeExtra& extra, Inode& inode) {
  const std::uint16_t bytes = extra.extra_bytes;
  inode.extra_bytes = bytes;
  if (reaches(bytes, FIELD_END(checksum_high))) {
    inode.checksum |= std::uint32_t{extra.checksum_high} << 16;
  }
  if (reaches(bytes, FIELD_END(change_time_extra))) {
    inode.change_time = timestamp_of(base.change_time, extra.change_time_extra);
  }
  if (reaches(bytes, FIELD_END(modify_time_extra))) {
    inode.modify_time = timestamp_of(base.modify_time, extra.modify_time_extra);
  }
  if (reaches(bytes, FIELD_END(access_time_extra))) {
    inode.access_time = timestamp_of(base.access_time, extra.access_time_extra);
  }
  if (reaches(bytes, FIELD_END(create_time))) {
    inode.create_time = seconds_only(extra.create_time);
  }
  if (reaches(bytes, FIELD_END(create_time_extra))) {
    inode.create_time = timestamp_of(extra.create_time, extra.create_time_extra);
  }
  if (reaches(bytes, FIELD_END(project))) inode.project = extra.project;
}

// The fixed part of what follows byte 128; inodes are 128 bytes or at least 256, so it fits.
disk::InodeExtra extra_of(Bytes stored) {
  disk::InodeExtra extra;
  std::memcpy(&extra, stored.data() + kBaseBytes, sizeof(extra));
  return extra;
}

Result<void> check(const Inode& inode, InodeNo number, const Superblock& superblock) {
  if (inode.size > kSizeMax) return fail(Errc::kCorrupt, "inode: size", number.value());
  if (inode.xattr_block.value() != 0 && !superblock.contains(inode.xattr_block)) {
    return fail(Errc::kCorrupt, "inode: attribute block out of the file system", number.value());
  }
  if (superblock.inode_bytes > kBaseBytes &&
      (inode.extra_bytes > superblock.inode_bytes - kBaseBytes || inode.extra_bytes % 4 != 0)) {
    return fail(Errc::kCorrupt, "inode: extra size", number.value());
  }
  return {};
}

void put_base(const Inode& inode, const Superblock& superblock, disk::InodeBase& base) {
  const auto high16 = [](std::uint32_t value) { return static_cast<std::uint16_t>(value >> 16); };
  base.mode = inode.mode;
  base.uid_low = static_cast<std::uint16_t>(inode.uid);
  base.uid_high = high16(inode.uid);
  base.gid_low = static_cast<std::uint16_t>(inode.gid);
  base.gid_high = high16(inode.gid);
  base.size_low = static_cast<std::uint32_t>(inode.size);
  if (size_has_high_half(inode.mode, superblock)) {
    base.size_high = static_cast<std::uint32_t>(inode.size >> 32);
  }
  base.access_time = low_part(inode.access_time);
  base.change_time = low_part(inode.change_time);
  base.modify_time = low_part(inode.modify_time);
  base.delete_time = inode.delete_time;
  base.links = inode.links;
  base.sectors_low = static_cast<std::uint32_t>(inode.sectors);
  base.sectors_high = static_cast<std::uint16_t>(inode.sectors >> 32);
  base.flags = inode.flags;
  base.generation = inode.generation;
  base.block_area = inode.block_area;
  base.xattr_block_low = static_cast<std::uint32_t>(inode.xattr_block.value());
  base.xattr_block_high = static_cast<std::uint16_t>(inode.xattr_block.value() >> 32);
}

void put_extra(const Inode& inode, disk::InodeExtra& extra) {
  const std::uint16_t bytes = inode.extra_bytes;
  extra.extra_bytes = bytes;
  if (reaches(bytes, FIELD_END(change_time_extra))) {
    extra.change_time_extra = extra_part(inode.change_time);
  }
  if (reaches(bytes, FIELD_END(modify_time_extra))) {
    extra.modify_time_extra = extra_part(inode.modify_time);
  }
  if (reaches(bytes, FIELD_END(access_time_extra))) {
    extra.access_time_extra = extra_part(inode.access_time);
  }
  if (reaches(bytes, FIELD_END(create_time))) extra.create_time = low_part(inode.create_time);
  if (reaches(bytes, FIELD_END(create_time_extra))) {
    extra.create_time_extra = extra_part(inode.create_time);
  }
  if (reaches(bytes, FIELD_END(project))) extra.project = inode.project;
}

}  // namespace

Result<Inode> Inode::parse(Bytes stored, InodeNo number, const Superblock& superblock) {
  if (stored.size() != superblock.inode_bytes) {
    return fail(Errc::kCorrupt, "inode: length", number.value());
  }
  const auto base = TRY(load<disk::InodeBase>(stored, 0));
  Inode inode;
  if (all_zero(stored)) return inode;
  take_base(base, superblock, inode);
  if (stored.size() > kBaseBytes) take_extra(base, extra_of(stored), inode);
  TRY(verify(stored, inode, number, superblock));
  TRY(check(inode, number, superblock));
  return inode;
}

void Inode::encode(MutableBytes stored, InodeNo number, const Superblock& superblock) const {
  CHECK(stored.size() == superblock.inode_bytes, "an inode of another size");
  disk::InodeBase base;
  std::memcpy(&base, stored.data(), sizeof(base));
  put_base(*this, superblock, base);
  store(stored, 0, base);
  disk::InodeExtra extra;
  if (stored.size() > kBaseBytes) {
    extra = extra_of(stored);
    put_extra(*this, extra);
    store(stored, kBaseBytes, extra);
  }
  if (!superblock.has_metadata_checksums()) return;
  const std::uint32_t crc = checksum_of(stored, number, superblock);
  base.checksum_low = static_cast<std::uint16_t>(crc);
  store(stored, 0, base);
  if (has_checksum_high(stored)) {
    extra.checksum_high = static_cast<std::uint16_t>(crc >> 16);
    store(stored, kBaseBytes, extra);
  }
}

bool Inode::is_short_symlink() const {
  return is(InodeType::kSymlink) && size < kBlockAreaBytes && !has(InodeFlag::kExtents) &&
         !has(InodeFlag::kInlineData);
}

bool Inode::has_block_map() const {
  if (has(InodeFlag::kInlineData) || is_short_symlink()) return false;
  // The journal and its like are regular files; other reserved inodes may have no type at all.
  return is(InodeType::kRegular) || is(InodeType::kDirectory) || is(InodeType::kSymlink);
}

OwnerSeed OwnerSeed::make(const Superblock& superblock, InodeNo number, std::uint32_t generation) {
  if (!superblock.has_metadata_checksums()) return {number, 0};
  const Le32 stored_number(number.value());
  const Le32 stored_generation(generation);
  const std::uint32_t crc = crc32c(superblock.checksum_seed(), bytes_of(stored_number));
  return {number, crc32c(crc, bytes_of(stored_generation))};
}

}  // namespace powercut
