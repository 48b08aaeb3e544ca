// Descriptors, revoke blocks and commit blocks as recoveries take them that forgive: tags without a
// last one, counts that are no whole number, what was torn behind a header.
#include <gtest/gtest.h>

#include "base/stored_int.h"
#include "format/jbd2.h"

namespace powercut {
namespace {

using Block = std::vector<std::uint8_t>;

constexpr Tid kLenientTid{9};

std::vector<JournalFormat> small_formats() {
  std::vector<JournalFormat> formats;
  for (const ChecksumKind kind :
       {ChecksumKind::kNone, ChecksumKind::kV1, ChecksumKind::kV2, ChecksumKind::kV3}) {
    for (const bool is_64bit : {false, true}) {
      formats.push_back({.block_bytes = 1024, .checksum = kind, .is_64bit = is_64bit, .seed = 5});
    }
  }
  return formats;
}

// Of `count` tags; the last one does not say so.
Block endless_descriptor(const JournalFormat& format, std::uint32_t count) {
  std::vector<Tag> tags;
  for (std::uint32_t i = 0; i < count; ++i) tags.push_back({BlockNo(100 + i)});
  Block block(format.block_bytes);
  encode_descriptor(block, format, kLenientTid, tags);
  const std::size_t last = 12 + (count - 1) * format.tag_bytes() + (count > 1 ? 16 : 0);
  block[last + 7] &= 0xF7;
  return block;
}

TEST(LenientJournal, TagsWithoutALastOne) {
  for (const JournalFormat& format : small_formats()) {
    const std::uint32_t most = format.tags_per_descriptor();
    const Block full = endless_descriptor(format, most);
    EXPECT_FALSE(parse_descriptor(full, format, kLenientTid));
    const auto tags = tags_that_fit(full, format);
    ASSERT_EQ(tags.size(), most);
    EXPECT_EQ(tags.back().block, BlockNo(99 + most));
    EXPECT_EQ(count_tags(full, format), most);
    // Zeroes behind the second tag are tags too, each with a UUID.
    const auto some = tags_that_fit(endless_descriptor(format, 2), format);
    ASSERT_GT(some.size(), 3u);
    EXPECT_EQ(some[1].block, BlockNo(101));
    EXPECT_EQ(some[2].block, BlockNo(0));
    EXPECT_LT(some.size(), most);
  }
  EXPECT_TRUE(tags_that_fit(Block(1023), {.block_bytes = 1024}).empty());
}

TEST(LenientJournal, RevokesOfAnyCount) {
  for (const JournalFormat& format : small_formats()) {
    const std::uint32_t record = format.is_64bit ? 8 : 4;
    const std::uint32_t end = format.block_bytes - format.tail_bytes();
    Block block(format.block_bytes);
    encode_revoke(block, format, kLenientTid, {BlockNo(7), BlockNo(8)});
    struct Case {
      std::uint32_t used;
      std::optional<std::size_t> records;
    };
    const Case cases[] = {{0, 0u},
                          {15, 0u},
                          {16, 0u},
                          {16 + record - 1, 0u},
                          {16 + record, 1u},
                          {16 + 2 * record - 1, 1u},
                          {16 + 2 * record, 2u},
                          {end, (end - 16) / record},
                          {end + 1, std::nullopt},
                          {~std::uint32_t{0}, std::nullopt}};
    for (const Case& each : cases) {
      store(block, 12, Be32(each.used));
      const auto records = revokes_that_fit(block, format);
      ASSERT_EQ(records.has_value(), each.records.has_value()) << each.used;
      if (!records) continue;
      EXPECT_EQ(records->size(), *each.records) << each.used;
      EXPECT_TRUE(records->empty() || records->front() == BlockNo(7));
    }
  }
  EXPECT_FALSE(revokes_that_fit(Block(1023), {.block_bytes = 1024}));
}

TEST(LenientJournal, ACommitBlockTornBehindItsHeader) {
  for (const JournalFormat& format : small_formats()) {
    Block block(format.block_bytes);
    encode_commit(block, format, {.tid = kLenientTid, .checksum = 4, .seconds = 1'700'000'000});
    EXPECT_TRUE(commit_head_checksum(block, format).matches());
    const bool sums_itself = format.tail_bytes() != 0;
    for (const std::size_t offset : {std::size_t{63}, std::size_t{64}, std::size_t{1023}}) {
      Block torn = block;
      torn[offset] = 1;
      EXPECT_EQ(commit_checksum(torn, format).matches(), !sums_itself) << offset;
      EXPECT_EQ(commit_head_checksum(torn, format).matches(), !sums_itself || offset >= 64);
    }
  }
}

}  // namespace
}  // namespace powercut
