// The journal's superblock: bytes to checked values and back.
#include <bit>

#include "base/crc32c.h"
#include "base/fuzzing.h"
#include "format/jbd2.h"
#include "format/jbd2_disk.h"

namespace powercut {
namespace {

bool is_one_of_the_superblocks(const disk::JournalHeader& header) {
  return header.type.value() == static_cast<std::uint32_t>(JournalBlockType::kSuperblockV1) ||
         header.type.value() == static_cast<std::uint32_t>(JournalBlockType::kSuperblockV2);
}

JournalSuperblock values_of(const disk::JournalSuperblock& stored) {
  JournalSuperblock values;
  values.version = static_cast<JournalBlockType>(stored.header.type.value());
  values.block_bytes = stored.block_bytes;
  values.log_block_count = stored.log_block_count;
  values.first = LogBlock(stored.first);
  values.sequence = Tid(stored.sequence);
  values.start = LogBlock(stored.start);
  values.error = stored.error;
  if (values.version == JournalBlockType::kSuperblockV1) return values;
  values.compat = stored.compat;
  values.incompat = stored.incompat;
  values.ro_compat = stored.ro_compat;
  values.uuid = stored.uuid;
  values.fast_commit_block_count = stored.fast_commit_block_count;
  values.head = LogBlock(stored.head);
  values.checksum = stored.checksum;
  values.checksum_type = stored.checksum_type;
  return values;
}

Result<void> check_features(const JournalSuperblock& values) {
  if ((values.incompat & ~kKnownJournalIncompat) != 0) {
    return fail(Errc::kUnsupported, "journal superblock: unknown incompatible feature",
                values.incompat & ~kKnownJournalIncompat);
  }
  if (values.ro_compat != 0) {
    return fail(Errc::kUnsupported, "journal superblock: unknown read-only compatible feature",
                values.ro_compat);
  }
  const int kinds = int{values.has(JournalCompat::kChecksum)} +
                    int{values.has(JournalIncompat::kCsumV2)} +
                    int{values.has(JournalIncompat::kCsumV3)};
  if (kinds > 1) {
    return fail(Errc::kUnsupported, "journal superblock: two kinds of checksum at once",
                values.incompat);
  }
  const bool has_crc32c =
      values.has(JournalIncompat::kCsumV2) || values.has(JournalIncompat::kCsumV3);
  if (has_crc32c && values.checksum_type != disk::kChecksumTypeCrc32c) {
    return fail(Errc::kUnsupported, "journal superblock: checksum type other than crc32c",
                values.checksum_type);
  }
  return {};
}

std::uint32_t fast_commit_blocks(const JournalSuperblock& values) {
  if (!values.has(JournalIncompat::kFastCommit)) return 0;
  return values.fast_commit_block_count != 0 ? values.fast_commit_block_count
                                             : disk::kDefaultFastCommitBlocks;
}

Result<void> check_ring(const JournalSuperblock& values) {
  if (!std::has_single_bit(values.block_bytes) || values.block_bytes < 1024 ||
      values.block_bytes > 65536) {
    return fail(Errc::kCorrupt, "journal superblock: block size is no power of 2 from 1 to 64 KiB",
                values.block_bytes);
  }
  if (values.first.value() == 0) {
    return fail(Errc::kCorrupt, "journal superblock: the ring begins at the superblock");
  }
  const std::uint64_t used = std::uint64_t{fast_commit_blocks(values)} + values.first.value();
  if (used >= values.log_block_count) {
    return fail(Errc::kCorrupt, "journal superblock: no room for a ring", values.log_block_count);
  }
  const bool is_empty = values.start.value() == 0;
  if (!is_empty && (values.start < values.first || values.start >= values.ring_end())) {
    return fail(Errc::kCorrupt, "journal superblock: start outside the ring", values.start.value());
  }
  return {};
}

std::uint32_t checksum_of(disk::JournalSuperblock stored) {
  stored.checksum = 0;
  return crc32c(~std::uint32_t{0}, bytes_of(stored));
}

Result<JournalSuperblock> parse_stored(const disk::JournalSuperblock& stored) {
  if (stored.header.magic.value() != kJournalMagic) {
    return fail(Errc::kCorrupt, "journal superblock: magic", stored.header.magic);
  }
  if (!is_one_of_the_superblocks(stored.header)) {
    return fail(Errc::kCorrupt, "journal superblock: block type", stored.header.type);
  }
  const JournalSuperblock values = values_of(stored);
  TRY(check_features(values));
  TRY(check_ring(values));
  return values;
}

}  // namespace

Result<JournalSuperblock> JournalSuperblock::parse_unverified(Bytes block) {
  const auto stored = TRY(load<disk::JournalSuperblock>(block, 0));
  return parse_stored(stored);
}

Result<JournalSuperblock> JournalSuperblock::parse(Bytes block) {
  const auto stored = TRY(load<disk::JournalSuperblock>(block, 0));
  const JournalSuperblock values = TRY(parse_stored(stored));
  if (is_fuzzing() || values.format().tail_bytes() == 0) return values;
  if (checksum_of(stored) != stored.checksum.value()) {
    return fail(Errc::kChecksum, "journal superblock: checksum", stored.checksum);
  }
  return values;
}

void JournalSuperblock::encode(MutableBytes block) const {
  const auto before = load<disk::JournalSuperblock>(block, 0);
  CHECK(before, "a journal superblock needs 1024 bytes");
  disk::JournalSuperblock stored = *before;
  stored.header.magic = kJournalMagic;
  stored.header.type = static_cast<std::uint32_t>(version);
  stored.block_bytes = block_bytes;
  stored.log_block_count = log_block_count;
  stored.first = first.value();
  stored.sequence = sequence.value();
  stored.start = start.value();
  stored.error = error;
  if (version == JournalBlockType::kSuperblockV2) {
    stored.compat = compat;
    stored.incompat = incompat;
    stored.ro_compat = ro_compat;
    stored.uuid = uuid;
    stored.fast_commit_block_count = fast_commit_block_count;
    stored.head = head.value();
    stored.checksum_type = checksum_type;
    stored.checksum = format().tail_bytes() != 0 ? checksum_of(stored) : checksum;
  }
  store(block, 0, stored);
}

JournalFormat JournalSuperblock::format() const {
  JournalFormat result;
  result.block_bytes = block_bytes;
  result.is_64bit = has(JournalIncompat::k64Bit);
  result.checksum = has(JournalIncompat::kCsumV3)   ? ChecksumKind::kV3
                    : has(JournalIncompat::kCsumV2) ? ChecksumKind::kV2
                    : has(JournalCompat::kChecksum) ? ChecksumKind::kV1
                                                    : ChecksumKind::kNone;
  result.seed = crc32c(~std::uint32_t{0}, uuid);
  return result;
}

LogBlock JournalSuperblock::ring_end() const {
  return LogBlock(log_block_count - fast_commit_blocks(*this));
}

}  // namespace powercut
