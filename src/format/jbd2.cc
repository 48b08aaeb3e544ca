#include "format/jbd2.h"

#include "base/crc32c.h"
#include "format/jbd2_disk.h"

namespace powercut {
namespace {

// crc32c over `block` as if the four bytes at `offset` were zero.
std::uint32_t checksum_without(std::uint32_t seed, Bytes block, std::size_t offset) {
  const disk::BlockTail zero{};
  const std::uint32_t before = crc32c(seed, block.first(offset));
  return crc32c(crc32c(before, bytes_of(zero)), block.subspan(offset + sizeof(zero)));
}

ChecksumPair field_checksum(Bytes block, const JournalFormat& format, std::size_t offset) {
  CHECK(block.size() == format.block_bytes, "the checksum of one whole log block");
  if (format.tail_bytes() == 0) return {};
  Be32 stored;
  std::memcpy(&stored, block.data() + offset, sizeof(stored));
  return {stored, checksum_without(format.seed, block, offset)};
}

}  // namespace

std::uint32_t JournalFormat::tail_bytes() const {
  const bool has_tail = checksum == ChecksumKind::kV2 || checksum == ChecksumKind::kV3;
  return has_tail ? sizeof(disk::BlockTail) : 0;
}

std::uint32_t JournalFormat::tag_bytes() const {
  if (checksum == ChecksumKind::kV3) return sizeof(disk::Tag16);
  if (checksum == ChecksumKind::kV2) return is_64bit ? sizeof(disk::Tag14) : sizeof(disk::Tag10);
  return is_64bit ? sizeof(disk::Tag12) : sizeof(disk::Tag8);
}

std::uint32_t JournalFormat::tags_per_descriptor() const {
  constexpr auto kFixed =
      static_cast<std::uint32_t>(sizeof(disk::JournalHeader) + sizeof(JournalUuid));
  return (block_bytes - kFixed - tail_bytes()) / tag_bytes();
}

std::uint32_t JournalFormat::revokes_per_block() const {
  constexpr auto kFixed = static_cast<std::uint32_t>(sizeof(disk::RevokeHeader));
  return (block_bytes - kFixed - tail_bytes()) / (is_64bit ? 8 : 4);
}

std::optional<JournalHeader> parse_journal_header(Bytes block) {
  const auto stored = load<disk::JournalHeader>(block, 0);
  if (!stored || stored->magic.value() != kJournalMagic) return std::nullopt;
  return JournalHeader{stored->type, Tid(stored->sequence)};
}

std::optional<Tid> parse_fast_commit_head(Bytes block) {
  const auto stored = load<disk::FastCommitHead>(block, 0);
  if (!stored || stored->tag.value() != disk::kFastCommitHeadTag) return std::nullopt;
  return Tid(stored->tid);
}

ChecksumPair tail_checksum(Bytes block, const JournalFormat& format) {
  return field_checksum(block, format, format.block_bytes - sizeof(disk::BlockTail));
}

ChecksumPair commit_checksum(Bytes block, const JournalFormat& format) {
  return field_checksum(block, format, offsetof(disk::CommitBlock, checksums));
}

ChecksumPair commit_head_checksum(Bytes block, const JournalFormat& format) {
  ChecksumPair pair = commit_checksum(block, format);
  if (format.tail_bytes() == 0) return pair;
  const Bytes head = block.first(disk::kCommitHeadBytes);
  const std::uint32_t sum =
      checksum_without(format.seed, head, offsetof(disk::CommitBlock, checksums));
  pair.computed = crc32c_of_zeroes(sum, block.size() - head.size());
  return pair;
}

bool tail_checksum_matches(Bytes block, const JournalFormat& format) {
  return block.size() == format.block_bytes && tail_checksum(block, format).matches();
}

bool commit_checksum_matches(Bytes block, const JournalFormat& format) {
  return block.size() == format.block_bytes && commit_checksum(block, format).matches();
}

std::uint32_t tag_checksum(Bytes logged_block, const JournalFormat& format, Tid tid) {
  if (format.checksum != ChecksumKind::kV2 && format.checksum != ChecksumKind::kV3) return 0;
  const Be32 sequence = tid.value();
  const std::uint32_t whole = crc32c(crc32c(format.seed, bytes_of(sequence)), logged_block);
  return format.checksum == ChecksumKind::kV2 ? whole & 0xFFFF : whole;
}

}  // namespace powercut
