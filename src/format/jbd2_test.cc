#include "format/jbd2.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

#include "base/crc32c.h"
#include "base/prng.h"
#include "base/stored_int.h"
#include "format/jbd2_disk.h"

namespace powercut {
namespace {

using Block = std::vector<std::uint8_t>;

constexpr ChecksumKind kChecksumKinds[] = {ChecksumKind::kNone, ChecksumKind::kV1,
                                           ChecksumKind::kV2, ChecksumKind::kV3};

std::vector<JournalFormat> all_formats() {
  std::vector<JournalFormat> formats;
  for (const ChecksumKind kind : kChecksumKinds) {
    for (const bool is_64bit : {false, true}) {
      for (const std::uint32_t block_bytes : {1024u, 4096u, 65536u}) {
        formats.push_back({block_bytes, kind, is_64bit, 0x12345678});
      }
    }
  }
  return formats;
}

std::string text_of(const JournalFormat& format) {
  return "kind " + std::to_string(static_cast<int>(format.checksum)) +
         (format.is_64bit ? ", 64 bit, " : ", 32 bit, ") + std::to_string(format.block_bytes);
}

// Hexadecimal digits and blanks at `offset` of a block.
void put(Block& block, std::size_t offset, std::string_view hex) {
  unsigned digits = 0, value = 0;
  for (const char digit : hex) {
    if (digit == ' ') continue;
    const auto letter = static_cast<unsigned>(digit);
    value = value << 4 | (letter <= '9' ? letter - '0' : letter - 'a' + 10);
    if (++digits % 2 == 0) block.at(offset++) = static_cast<std::uint8_t>(value & 0xFF);
  }
}

template <class T>
void expect_error(const Result<T>& result, Errc code, std::string_view what) {
  ASSERT_FALSE(result) << what;
  EXPECT_EQ(result.error().code, code) << result.error().what << " instead of " << what;
  EXPECT_NE(std::string_view(result.error().what).find(what), std::string_view::npos)
      << result.error().what;
}

TEST(JournalFormat, Sizes) {
  const struct {
    ChecksumKind kind;
    bool is_64bit;
    std::uint32_t tag_bytes, tail_bytes, tags, revokes;
  } cases[] = {
      {ChecksumKind::kNone, false, 8, 0, 508, 1020}, {ChecksumKind::kNone, true, 12, 0, 339, 510},
      {ChecksumKind::kV1, false, 8, 0, 508, 1020},   {ChecksumKind::kV1, true, 12, 0, 339, 510},
      {ChecksumKind::kV2, false, 10, 4, 406, 1019},  {ChecksumKind::kV2, true, 14, 4, 290, 509},
      {ChecksumKind::kV3, false, 16, 4, 254, 1019},  {ChecksumKind::kV3, true, 16, 4, 254, 509},
  };
  for (const auto& each : cases) {
    const JournalFormat format{4096, each.kind, each.is_64bit, 0};
    SCOPED_TRACE(text_of(format));
    EXPECT_EQ(format.tag_bytes(), each.tag_bytes);
    EXPECT_EQ(format.tail_bytes(), each.tail_bytes);
    EXPECT_EQ(format.tags_per_descriptor(), each.tags);
    EXPECT_EQ(format.revokes_per_block(), each.revokes);
  }
}

bool operator==(const Tag& a, const Tag& b) {
  return a.block == b.block && a.checksum == b.checksum && a.is_escaped == b.is_escaped &&
         a.is_deleted == b.is_deleted;
}

TEST(Descriptor, ComesBackAsItWas) {
  Prng prng(1);
  for (const JournalFormat& format : all_formats()) {
    for (const std::uint32_t count : {1u, 2u, format.tags_per_descriptor()}) {
      SCOPED_TRACE(text_of(format) + ", tags " + std::to_string(count));
      std::vector<Tag> tags(count);
      for (Tag& tag : tags) {
        tag.block = BlockNo(prng.next() >> (format.is_64bit ? 0 : 32));
        if (format.checksum == ChecksumKind::kV3) {
          tag.checksum = static_cast<std::uint32_t>(prng.next());
        }
        if (format.checksum == ChecksumKind::kV2) {
          tag.checksum = static_cast<std::uint32_t>(prng.below(65536));
        }
        tag.is_escaped = prng.chance(1, 2);
        tag.is_deleted = prng.chance(1, 2);
      }
      Block block(format.block_bytes, 0xEE);
      encode_descriptor(block, format, Tid(7), tags, {1, 2, 3});
      EXPECT_TRUE(tail_checksum_matches(block, format));
      EXPECT_EQ(count_tags(block, format), count);
      const auto again = parse_descriptor(block, format, Tid(7));
      ASSERT_TRUE(again) << again.error().what;
      EXPECT_TRUE(
          std::ranges::equal(*again, tags, [](const Tag& a, const Tag& b) { return a == b; }));
      expect_error(parse_descriptor(block, format, Tid(8)), Errc::kCorrupt, "descriptor: tid");
    }
  }
}

// The same two tags in each layout, written down by hand.
TEST(Descriptor, Layouts) {
  const struct {
    ChecksumKind kind;
    bool is_64bit;
    const char* tags;
  } cases[] = {
      {ChecksumKind::kNone, false,
       "00000111 0000 0001  000102030405060708090a0b0c0d0e0f"
       "00000222 0000 000a"},
      {ChecksumKind::kNone, true,
       "00000111 0000 0001 00000003  000102030405060708090a0b0c0d0e0f"
       "00000222 0000 000a 00000004"},
      {ChecksumKind::kV2, false,
       "00000111 aaaa 0001 0000  000102030405060708090a0b0c0d0e0f"
       "00000222 bbbb 000a 0000"},
      {ChecksumKind::kV2, true,
       "00000111 aaaa 0001 00000003 0000  000102030405060708090a0b0c0d0e0f"
       "00000222 bbbb 000a 00000004 0000"},
      {ChecksumKind::kV3, false,
       "00000111 00000001 00000000 aaaaaaaa  000102030405060708090a0b0c0d0e0f"
       "00000222 0000000a 00000000 bbbbbbbb"},
      {ChecksumKind::kV3, true,
       "00000111 00000001 00000003 aaaaaaaa  000102030405060708090a0b0c0d0e0f"
       "00000222 0000000a 00000004 bbbbbbbb"},
  };
  const JournalUuid uuid = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  for (const auto& each : cases) {
    const JournalFormat format{1024, each.kind, each.is_64bit, 0};
    SCOPED_TRACE(text_of(format));
    Block expected(1024);
    put(expected, 0, "c03b3998 00000001 00000005");
    put(expected, 12, each.tags);
    const std::uint64_t high = each.is_64bit ? 1 : 0;
    const bool has_checksum = format.tail_bytes() != 0;
    const std::uint32_t kept = each.kind == ChecksumKind::kV3 ? ~0u : 0xFFFFu;
    const std::vector<Tag> tags = {
        {BlockNo(0x111 + (high * 3 << 32)), has_checksum ? 0xAAAAAAAA & kept : 0, true, false},
        {BlockNo(0x222 + (high * 4 << 32)), has_checksum ? 0xBBBBBBBB & kept : 0, false, false}};
    Block written(1024);
    encode_descriptor(written, format, Tid(5), tags, uuid);
    const std::size_t sealed = 1024 - format.tail_bytes();
    EXPECT_TRUE(std::ranges::equal(Bytes(written).first(sealed), Bytes(expected).first(sealed)));
    const auto parsed = parse_descriptor(expected, format, Tid(5));
    ASSERT_TRUE(parsed);
    ASSERT_EQ(parsed->size(), 2u);
    EXPECT_TRUE((*parsed)[0] == tags[0] && (*parsed)[1] == tags[1]);
  }
}

TEST(Descriptor, IsRefused) {
  const JournalFormat format{1024, ChecksumKind::kV3, true, 0};
  std::vector<Tag> tags(format.tags_per_descriptor());
  Block good(1024);
  encode_descriptor(good, format, Tid(1), tags);
  const std::size_t last = 12 + 16 + (tags.size() - 1) * 16;
  const struct {
    const char* what;
    std::size_t offset;
    std::uint32_t value;
  } cases[] = {
      {"descriptor: magic", 0, 1},
      {"descriptor: block type", 4, 2},
      {"descriptor: tid", 8, 2},
      {"descriptor: no last tag", last + 4, 2},
  };
  for (const auto& each : cases) {
    Block bad = good;
    store(bad, each.offset, Be32(each.value));
    expect_error(parse_descriptor(bad, format, Tid(1)), Errc::kCorrupt, each.what);
  }
  Block no_last = good;
  store(no_last, last + 4, Be32(2));
  EXPECT_EQ(count_tags(no_last, format), tags.size());
  expect_error(parse_descriptor(Bytes(good).first(512), format, Tid(1)), Errc::kCorrupt, "whole");
  expect_error(parse_descriptor({}, format, Tid(1)), Errc::kCorrupt, "whole");
}

TEST(RevokeBlock, ComesBackAsItWas) {
  Prng prng(2);
  for (const JournalFormat& format : all_formats()) {
    for (const std::uint32_t count : {0u, 1u, format.revokes_per_block()}) {
      SCOPED_TRACE(text_of(format) + ", records " + std::to_string(count));
      std::vector<BlockNo> blocks(count);
      for (BlockNo& block : blocks) block = BlockNo(prng.next() >> (format.is_64bit ? 0 : 32));
      Block block(format.block_bytes, 0xEE);
      encode_revoke(block, format, Tid(7), blocks);
      EXPECT_TRUE(tail_checksum_matches(block, format));
      const auto again = parse_revoke(block, format, Tid(7));
      ASSERT_TRUE(again) << again.error().what;
      EXPECT_EQ(*again, blocks);
    }
  }
}

TEST(RevokeBlock, IsRefused) {
  const JournalFormat format{1024, ChecksumKind::kV3, true, 0};
  Block good(1024);
  encode_revoke(good, format, Tid(1), {BlockNo(1), BlockNo(2)});
  const struct {
    const char* what;
    std::size_t offset;
    std::uint32_t value;
  } cases[] = {
      {"revoke block: magic", 0, 1},      {"revoke block: block type", 4, 1},
      {"revoke block: tid", 8, 2},        {"whole number", 12, 0},
      {"whole number", 12, 15},           {"whole number", 12, 20},
      {"records past the end", 12, 1024}, {"records past the end", 12, 0xFFFFFFF8},
  };
  for (const auto& each : cases) {
    Block bad = good;
    store(bad, each.offset, Be32(each.value));
    expect_error(parse_revoke(bad, format, Tid(1)), Errc::kCorrupt, each.what);
  }
  store(good, 12, Be32(1016));  // up to the tail
  EXPECT_TRUE(parse_revoke(good, format, Tid(1)));
}

TEST(CommitBlockOnDisk, ComesBackAsItWas) {
  for (const JournalFormat& format : all_formats()) {
    SCOPED_TRACE(text_of(format));
    const CommitBlock commit = {Tid(0xFFFFFFFF), 1, 4, 0xCAFE, 0x123456789AULL, 999999999};
    Block block(format.block_bytes, 0xEE);
    encode_commit(block, format, commit);
    EXPECT_TRUE(commit_checksum_matches(block, format));
    const auto again = parse_commit(block, format, commit.tid);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->tid, commit.tid);
    EXPECT_EQ(again->seconds, commit.seconds);
    EXPECT_EQ(again->nanoseconds, commit.nanoseconds);
    const bool sums_itself = format.tail_bytes() != 0;
    EXPECT_EQ(again->checksum_type, sums_itself ? 0 : 1);
    EXPECT_EQ(again->checksum_size, sums_itself ? 0 : 4);
    EXPECT_EQ(again->checksum == 0xCAFE, !sums_itself);
    expect_error(parse_commit(block, format, Tid(1)), Errc::kCorrupt, "commit block: tid");
    store(block, 4, Be32(5));
    expect_error(parse_commit(block, format, commit.tid), Errc::kCorrupt, "commit block: block");
  }
}

TEST(Checksums, SeeEveryBit) {
  for (const ChecksumKind kind : {ChecksumKind::kV2, ChecksumKind::kV3}) {
    const JournalFormat format{1024, kind, true, 0x1234};
    Block revoke(1024), commit(1024), data(1024);
    encode_revoke(revoke, format, Tid(1), {BlockNo(1)});
    encode_commit(commit, format, {.tid = Tid(1)});
    const std::uint32_t sum = tag_checksum(data, format, Tid(1));
    EXPECT_EQ(sum >> 16 != 0, kind == ChecksumKind::kV3);
    EXPECT_NE(tag_checksum(data, format, Tid(2)), sum);
    for (std::size_t bit = 0; bit < 8 * 1024; bit += 5) {
      const auto flip = [bit](Block& block) {
        block[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
      };
      flip(revoke), flip(commit), flip(data);
      EXPECT_FALSE(tail_checksum_matches(revoke, format)) << bit;
      EXPECT_FALSE(commit_checksum_matches(commit, format)) << bit;
      EXPECT_NE(tag_checksum(data, format, Tid(1)), sum) << bit;
      flip(revoke), flip(commit), flip(data);
    }
    EXPECT_FALSE(tail_checksum_matches(Bytes(revoke).first(100), format));
    EXPECT_FALSE(commit_checksum_matches({}, format));
  }
  const JournalFormat none{1024, ChecksumKind::kV1, true, 0};
  EXPECT_TRUE(tail_checksum_matches(Block(1024), none));
  EXPECT_EQ(tag_checksum(Block(1024), none, Tid(1)), 0u);
}

JournalSuperblock plain_journal_superblock() {
  JournalSuperblock result;
  result.block_bytes = 1024;
  result.log_block_count = 1024;
  result.first = LogBlock(1);
  result.start = LogBlock(1023);
  result.sequence = Tid(77);
  result.incompat = 0x13;  // revoke, 64-bit, v3
  result.checksum_type = 4;
  result.uuid = {1, 2, 3};
  return result;
}

TEST(JournalSuperblockOnDisk, ComesBackAsItWas) {
  Block block(4096, 0xEE);
  const JournalSuperblock before = plain_journal_superblock();
  before.encode(block);
  const auto after = JournalSuperblock::parse(block);
  ASSERT_TRUE(after) << after.error().what;
  EXPECT_EQ(after->start, before.start);
  EXPECT_EQ(after->sequence, before.sequence);
  EXPECT_EQ(after->uuid, before.uuid);
  EXPECT_EQ(after->ring_end(), LogBlock(1024));
  EXPECT_EQ(after->format().checksum, ChecksumKind::kV3);
  EXPECT_TRUE(after->format().is_64bit);
  EXPECT_EQ(after->format().seed, crc32c(~0u, before.uuid));
  EXPECT_EQ(block[0x40], 0xEE);  // what is not known here stays
  Block again = block;
  after->encode(again);
  EXPECT_EQ(block, again);
}

TEST(JournalSuperblockOnDisk, VersionOneHasNoFeatures) {
  JournalSuperblock old = plain_journal_superblock();
  old.version = JournalBlockType::kSuperblockV1;
  Block block(1024, 0xEE);
  old.encode(block);
  const auto parsed = JournalSuperblock::parse(block);
  ASSERT_TRUE(parsed) << parsed.error().what;
  EXPECT_EQ(parsed->incompat, 0u);
  EXPECT_EQ(parsed->format().checksum, ChecksumKind::kNone);
  EXPECT_EQ(block[0x28], 0xEE);
}

TEST(JournalSuperblockOnDisk, TheFastCommitAreaIsNotOfTheRing) {
  JournalSuperblock superblock = plain_journal_superblock();
  superblock.incompat |= 0x20;
  EXPECT_EQ(superblock.ring_end(), LogBlock(1024 - 256));
  superblock.fast_commit_block_count = 3;
  EXPECT_EQ(superblock.ring_end(), LogBlock(1021));
}

TEST(JournalSuperblockOnDisk, IsRefused) {
  using Change = void (*)(JournalSuperblock&);
  const struct {
    const char* what;
    Errc code;
    Change change;
  } cases[] = {
      {"block type", Errc::kCorrupt, [](auto& s) { s.version = JournalBlockType::kCommit; }},
      {"block size", Errc::kCorrupt, [](auto& s) { s.block_bytes = 512; }},
      {"block size", Errc::kCorrupt, [](auto& s) { s.block_bytes = 3072; }},
      {"block size", Errc::kCorrupt, [](auto& s) { s.block_bytes = 1u << 31; }},
      {"ring begins", Errc::kCorrupt, [](auto& s) { s.first = LogBlock(0); }},
      {"no room", Errc::kCorrupt, [](auto& s) { s.log_block_count = 1; }},
      {"no room", Errc::kCorrupt, [](auto& s) { s.first = LogBlock(1024); }},
      {"no room", Errc::kCorrupt,
       [](auto& s) { s.incompat |= 0x20, s.fast_commit_block_count = 1023; }},
      {"no room", Errc::kCorrupt, [](auto& s) { s.incompat |= 0x20, s.log_block_count = 200; }},
      {"start outside", Errc::kCorrupt, [](auto& s) { s.start = LogBlock(1024); }},
      {"start outside", Errc::kCorrupt,
       [](auto& s) { s.first = LogBlock(9), s.start = LogBlock(8); }},
      {"incompatible", Errc::kUnsupported, [](auto& s) { s.incompat |= 0x40; }},
      {"read-only", Errc::kUnsupported, [](auto& s) { s.ro_compat = 1; }},
      {"two kinds", Errc::kUnsupported, [](auto& s) { s.incompat |= 0x08; }},
      {"two kinds", Errc::kUnsupported, [](auto& s) { s.compat |= 1; }},
      {"checksum type", Errc::kUnsupported, [](auto& s) { s.checksum_type = 1; }},
  };
  for (const auto& each : cases) {
    JournalSuperblock bad = plain_journal_superblock();
    each.change(bad);
    Block block(1024);
    bad.encode(block);
    expect_error(JournalSuperblock::parse(block), each.code, each.what);
  }
  Block block(1024);
  plain_journal_superblock().encode(block);
  expect_error(JournalSuperblock::parse(Bytes(block).first(1023)), Errc::kCorrupt, "past the end");
  block[700] ^= 1;
  expect_error(JournalSuperblock::parse(block), Errc::kChecksum, "checksum");
  EXPECT_TRUE(JournalSuperblock::parse_unverified(block));
  block[0] ^= 1;
  expect_error(JournalSuperblock::parse(block), Errc::kCorrupt, "magic");
}

// What mke2fs and debugfs (e2fsprogs 1.47.0) wrote: a journal with checksums v3 and 64-bit numbers.
class GoldenBytes : public ::testing::Test {
 protected:
  void SetUp() override {
    put(superblock_, 0x00,
        "c03b3998 00000004 00000000 00000400 00000400 00000001 00000001 00000001");
    put(superblock_, 0x28, "00000013");
    put(superblock_, 0x30, "0123456789abcdef0123456789abcdef 00000001");
    put(superblock_, 0x50, "04");
    put(superblock_, 0xFC, "963e89f2");
    put(descriptor_, 0x00, "c03b3998 00000001 00000001");
    put(descriptor_, 0x0C, "00001388 00000000 00000000 49ba3958");
    put(descriptor_, 0x2C, "00001389 0000000b 00000000 51749db6");
    put(descriptor_, 0xCC, "0123456789abcdef0123456789abcdef");  // debugfs leaves it here
    put(descriptor_, 0x3FC, "cf2df292");
    put(commit_, 0x00, "c03b3998 00000002 00000001 00000000 31935c00");
    put(commit_, 0x30, "6b031e94 00000000 1df645d8");  // debugfs stores the seconds too high
    put(revoke_, 0x00, "c03b3998 00000005 00000002 00000028");
    put(revoke_, 0x10, "0000000000001388 0000000000001389 000000000000004d");
    put(revoke_, 0x3FC, "6432528c");
  }
  Block superblock_ = Block(1024), descriptor_ = Block(1024), commit_ = Block(1024),
        revoke_ = Block(1024);
};

TEST_F(GoldenBytes, Parse) {
  const auto superblock = JournalSuperblock::parse(superblock_);
  ASSERT_TRUE(superblock) << superblock.error().what;
  const JournalFormat format = superblock->format();
  EXPECT_EQ(format.checksum, ChecksumKind::kV3);
  EXPECT_TRUE(format.is_64bit);

  EXPECT_TRUE(tail_checksum_matches(descriptor_, format));
  const auto tags = parse_descriptor(descriptor_, format, Tid(1));
  ASSERT_TRUE(tags);
  ASSERT_EQ(tags->size(), 2u);
  EXPECT_EQ((*tags)[0].block, BlockNo(5000));
  EXPECT_FALSE((*tags)[0].is_escaped);
  EXPECT_EQ((*tags)[1].block, BlockNo(5001));
  EXPECT_TRUE((*tags)[1].is_escaped);
  EXPECT_EQ(tag_checksum(Block(1024, 'A'), format, Tid(1)), (*tags)[0].checksum);
  EXPECT_EQ(tag_checksum(Block(1024, 0), format, Tid(1)), (*tags)[1].checksum);

  EXPECT_TRUE(commit_checksum_matches(commit_, format));
  const auto commit = parse_commit(commit_, format, Tid(1));
  ASSERT_TRUE(commit);
  EXPECT_EQ(commit->nanoseconds, 0x1df645d8u);

  EXPECT_TRUE(tail_checksum_matches(revoke_, format));
  const auto revokes = parse_revoke(revoke_, format, Tid(2));
  ASSERT_TRUE(revokes);
  EXPECT_EQ(*revokes, (std::vector{BlockNo(5000), BlockNo(5001), BlockNo(77)}));
}

TEST_F(GoldenBytes, AreWrittenTheSame) {
  const auto superblock = JournalSuperblock::parse(superblock_);
  ASSERT_TRUE(superblock);
  const JournalFormat format = superblock->format();
  Block block(1024);
  block[0x43] = 1;  // s_nr_users
  superblock->encode(block);
  EXPECT_EQ(block, superblock_);
  encode_commit(block, format, *parse_commit(commit_, format, Tid(1)));
  EXPECT_EQ(block, commit_);
  encode_revoke(block, format, Tid(2), *parse_revoke(revoke_, format, Tid(2)));
  EXPECT_EQ(block, revoke_);
  encode_descriptor(block, format, Tid(1), *parse_descriptor(descriptor_, format, Tid(1)));
  EXPECT_TRUE(std::ranges::equal(Bytes(block).first(0xCC), Bytes(descriptor_).first(0xCC)));
}

TEST(FastCommitHead, IsLittleEndian) {
  Block block(1024);
  EXPECT_FALSE(parse_fast_commit_head(block));
  put(block, 0, "0900 0800 00000000 04030201");
  EXPECT_EQ(parse_fast_commit_head(block), Tid(0x01020304));
  EXPECT_FALSE(parse_fast_commit_head(Bytes(block).first(11)));
}

TEST(Ring, GoesRound) {
  EXPECT_EQ(next_in_ring(LogBlock(1), LogBlock(1), LogBlock(4)), LogBlock(2));
  EXPECT_EQ(next_in_ring(LogBlock(3), LogBlock(1), LogBlock(4)), LogBlock(1));
}

}  // namespace
}  // namespace powercut
