// Descriptor blocks: which file-system blocks the log blocks behind them are.
#include "format/jbd2_blocks.h"
#include "format/jbd2_disk.h"

namespace powercut {
namespace {

constexpr HeaderWords kDescriptorWords = {"descriptor: magic", "descriptor: block type",
                                          "descriptor: tid"};

struct FlaggedTag {
  Tag tag;
  std::uint16_t flags = 0;
  bool has(disk::TagFlag flag) const { return (flags & static_cast<std::uint16_t>(flag)) != 0; }
};

FlaggedTag flagged(BlockNo block, std::uint32_t checksum, std::uint16_t flags) {
  FlaggedTag result{{block, checksum}, flags};
  result.tag.is_escaped = result.has(disk::TagFlag::kEscaped);
  result.tag.is_deleted = result.has(disk::TagFlag::kDeleted);
  return result;
}

// `tags` ends where the tail begins.
Result<FlaggedTag> load_tag(Bytes tags, std::size_t offset, const JournalFormat& format) {
  if (offset > tags.size() || tags.size() - offset < format.tag_bytes()) {
    return fail(Errc::kCorrupt, "descriptor: tag past the end", offset);
  }
  if (format.checksum == ChecksumKind::kV3) {
    const auto stored = TRY(load<disk::Tag16>(tags, offset));
    const std::uint32_t high = format.is_64bit ? stored.block_high.value() : 0;
    return flagged(BlockNo(joined(stored.block_low, high)), stored.checksum, stored.flags);
  }
  const auto stored = TRY(load<disk::Tag8>(tags, offset));
  const std::uint32_t checksum =
      format.checksum == ChecksumKind::kV2 ? std::uint32_t{stored.checksum} : 0;
  if (!format.is_64bit) return flagged(BlockNo(stored.block_low), checksum, stored.flags);
  const auto wide = TRY(load<disk::Tag12>(tags, offset));
  return flagged(BlockNo(joined(stored.block_low, wide.block_high)), checksum, stored.flags);
}

// Bytes from this tag to the next.
std::size_t tag_step(const FlaggedTag& tag, const JournalFormat& format) {
  return format.tag_bytes() + (tag.has(disk::TagFlag::kSameUuid) ? 0 : sizeof(JournalUuid));
}

void store_tag(MutableBytes block, std::size_t offset, const JournalFormat& format,
               const FlaggedTag& tag) {
  const auto low = static_cast<std::uint32_t>(tag.tag.block.value());
  const auto high = static_cast<std::uint32_t>(tag.tag.block.value() >> 32);
  CHECK(format.is_64bit || high == 0, "descriptor: block number needs the 64-bit feature");
  if (format.checksum == ChecksumKind::kV3) {
    disk::Tag16 stored{};
    stored.block_low = low;
    stored.flags = tag.flags;
    stored.block_high = high;
    stored.checksum = tag.tag.checksum;
    return store(block, offset, stored);
  }
  disk::Tag12 stored{};
  stored.low.block_low = low;
  stored.low.flags = tag.flags;
  if (format.checksum == ChecksumKind::kV2) {
    stored.low.checksum = static_cast<std::uint16_t>(tag.tag.checksum);
  }
  stored.block_high = high;
  format.is_64bit ? store(block, offset, stored) : store(block, offset, stored.low);
}

std::uint16_t flags_of(const Tag& tag, bool is_first, bool is_last) {
  unsigned flags = 0;
  const auto set = [&flags](disk::TagFlag flag) { flags |= static_cast<std::uint16_t>(flag); };
  if (tag.is_escaped) set(disk::TagFlag::kEscaped);
  if (!is_first) set(disk::TagFlag::kSameUuid);
  if (tag.is_deleted) set(disk::TagFlag::kDeleted);
  if (is_last) set(disk::TagFlag::kLastTag);
  return static_cast<std::uint16_t>(flags);
}

}  // namespace

Result<std::vector<Tag>> parse_descriptor(Bytes block, const JournalFormat& format, Tid expected) {
  TRY(check_journal_header(block, format, JournalBlockType::kDescriptor, expected,
                           kDescriptorWords));
  const Bytes tags = block.first(block.size() - format.tail_bytes());
  std::vector<Tag> result;
  // Each turn moves at least a tag forward, and load_tag stops at the end.
  for (std::size_t offset = sizeof(disk::JournalHeader);;) {
    const auto next = load_tag(tags, offset, format);
    if (!next && !result.empty()) {
      return fail(Errc::kCorrupt, "descriptor: no last tag", result.size());
    }
    const FlaggedTag tag = TRY(next);
    result.push_back(tag.tag);
    if (tag.has(disk::TagFlag::kLastTag)) return result;
    offset += tag_step(tag, format);
  }
}

std::vector<Tag> tags_that_fit(Bytes block, const JournalFormat& format) {
  std::vector<Tag> result;
  if (block.size() != format.block_bytes) return result;
  const Bytes tags = block.first(block.size() - format.tail_bytes());
  // Each turn moves at least a tag forward, and load_tag stops at the end.
  for (std::size_t offset = sizeof(disk::JournalHeader);;) {
    const auto tag = load_tag(tags, offset, format);
    if (!tag) return result;
    result.push_back(tag->tag);
    if (tag->has(disk::TagFlag::kLastTag)) return result;
    offset += tag_step(*tag, format);
  }
}

std::uint32_t count_tags(Bytes block, const JournalFormat& format) {
  return static_cast<std::uint32_t>(tags_that_fit(block, format).size());
}

void encode_descriptor(MutableBytes block, const JournalFormat& format, Tid tid,
                       const std::vector<Tag>& tags, const JournalUuid& uuid) {
  CHECK(!tags.empty() && tags.size() <= format.tags_per_descriptor(),
        "descriptor: from one tag to a full block");
  begin_journal_block(block, format, JournalBlockType::kDescriptor, tid);
  std::size_t offset = sizeof(disk::JournalHeader);
  for (std::size_t i = 0; i < tags.size(); ++i) {
    const bool is_first = i == 0;
    store_tag(block, offset, format, {tags[i], flags_of(tags[i], is_first, i + 1 == tags.size())});
    offset += format.tag_bytes();
    if (!is_first) continue;
    store(block, offset, uuid);
    offset += sizeof(uuid);
  }
  seal_tail(block, format);
}

}  // namespace powercut
