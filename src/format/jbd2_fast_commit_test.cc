#include "format/jbd2_fast_commit.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "base/crc32c.h"
#include "base/stored_int.h"

namespace powercut {
namespace {

using Block = std::vector<std::uint8_t>;
using enum FastCommitTag;

constexpr std::uint32_t kBlockBytes = 1024;
constexpr Tid kTid{77};

// Writes an area record by record, as Linux does.
class AreaWriter {
 public:
  AreaWriter& add(FastCommitTag tag, const Block& value) {
    if (block_.size() + 4 + value.size() > kBlockBytes) pad();
    put(tag, value.size());
    block_.insert(block_.end(), value.begin(), value.end());
    return *this;
  }
  AreaWriter& head(Tid tid, std::uint32_t features = 0) {
    return add(kHead, words({features, tid.value()}));
  }
  AreaWriter& inode(std::uint32_t number) {
    Block value = words({number});
    value.resize(132);
    return add(kInode, value);
  }
  AreaWriter& name(FastCommitTag tag, std::uint32_t parent, std::uint32_t number,
                   const std::string& text) {
    Block value = words({parent, number});
    value.insert(value.end(), text.begin(), text.end());
    return add(tag, value);
  }
  // Fills the rest of the block, so that the next record begins the next one.
  AreaWriter& pad() {
    put(kPad, kBlockBytes - block_.size() - 4);
    return end_block();
  }
  AreaWriter& tail(Tid tid, std::uint32_t wrong = 0) {
    put(kTail, kBlockBytes - block_.size() - 4);
    append(words({tid.value()}));
    const std::uint32_t sum = crc32c(crc32c(0, summed_), block_);
    append(words({sum ^ wrong}));
    end_block();
    summed_.clear();
    return *this;
  }
  // An area of at least `blocks` blocks; `unfinished` records without a tail are part of it.
  Block area(std::size_t blocks = 8) const {
    Block all = done_;
    all.insert(all.end(), block_.begin(), block_.end());
    all.resize(std::max(all.size(), blocks * kBlockBytes));
    return all;
  }

 private:
  static Block words(std::initializer_list<std::uint32_t> values) {
    Block bytes;
    for (const Le32 value : values) {
      const Bytes stored = bytes_of(value);
      bytes.insert(bytes.end(), stored.begin(), stored.end());
    }
    return bytes;
  }
  void append(const Block& bytes) { block_.insert(block_.end(), bytes.begin(), bytes.end()); }
  void put(FastCommitTag tag, std::size_t length) {
    const Le16 halves[] = {static_cast<std::uint16_t>(tag), static_cast<std::uint16_t>(length)};
    for (const Le16& half : halves) {
      const Bytes stored = bytes_of(half);
      block_.insert(block_.end(), stored.begin(), stored.end());
    }
  }
  AreaWriter& end_block() {
    summed_.insert(summed_.end(), block_.begin(), block_.end());
    block_.resize(kBlockBytes);
    summed_.resize((summed_.size() + kBlockBytes - 1) / kBlockBytes * kBlockBytes);
    done_.insert(done_.end(), block_.begin(), block_.end());
    block_.clear();
    return *this;
  }

  Block done_, block_;
  Block summed_;  // since the last tail, without block_
};

// "head tail | inode ..." with a bar behind each tail.
std::string text_of(const std::optional<FastCommits>& commits) {
  if (!commits) return "none";
  std::string text = std::to_string(commits->commit_count) + ":";
  for (const FastCommitRecord& record : commits->records) {
    text += " " + std::string(fast_commit_tag_name(record.tag));
  }
  return text;
}

std::string parsed(const AreaWriter& writer, Tid expected = kTid) {
  return text_of(parse_fast_commits(writer.area(), kBlockBytes, expected));
}

AreaWriter one_commit() {
  AreaWriter writer;
  writer.head(kTid).inode(12).tail(kTid);
  return writer;
}

TEST(FastCommits, WholeOnesAreListed) {
  EXPECT_EQ(parsed(one_commit()), "1: head inode tail");
  AreaWriter two = one_commit();
  two.name(kCreate, 2, 13, "a").name(kLink, 2, 13, "b").name(kUnlink, 2, 13, "a").tail(kTid);
  EXPECT_EQ(parsed(two), "2: head inode tail create link unlink tail");
  // Over three blocks; pads are left out.
  AreaWriter long_one = one_commit();
  for (std::uint32_t i = 0; i < 15; ++i) long_one.inode(20 + i);
  long_one.tail(kTid);
  std::string inodes;
  for (int i = 0; i < 15; ++i) inodes += " inode";
  EXPECT_EQ(parsed(long_one), "2: head inode tail" + inodes + " tail");
}

TEST(FastCommits, Values) {
  AreaWriter writer;
  writer.head(kTid).name(kCreate, 2, 13, "new name");
  writer.add(kAddRange, {13, 0, 0, 0, 7, 0, 0, 0, 5, 0, 1, 0, 0x34, 0x12, 0, 0});
  writer.add(kAddRange, {13, 0, 0, 0, 7, 0, 0, 0, 3, 0x80, 0, 0, 9, 0, 0, 0});
  writer.add(kDeleteRange, {13, 0, 0, 0, 1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x7F});
  writer.tail(kTid);
  const auto commits = parse_fast_commits(writer.area(), kBlockBytes, kTid);
  ASSERT_TRUE(commits);
  EXPECT_EQ(commits->tid, kTid);
  const auto& records = commits->records;
  ASSERT_EQ(records.size(), 6u);
  EXPECT_EQ(records[0].offset, 0u);
  EXPECT_EQ(records[1].offset, 12u);
  EXPECT_EQ(records[1].inode, InodeNo(13));
  EXPECT_EQ(records[1].parent, InodeNo(2));
  EXPECT_EQ(records[1].name, "new name");
  EXPECT_EQ(records[2].file, FileBlock(7));
  EXPECT_EQ(records[2].device, BlockNo(0x100001234));
  EXPECT_EQ(records[2].count, 5u);
  EXPECT_FALSE(records[2].is_unwritten);
  EXPECT_EQ(records[3].count, 3u);
  EXPECT_TRUE(records[3].is_unwritten);
  EXPECT_EQ(records[4].file, FileBlock(1));
  EXPECT_EQ(records[4].count, 0x7FFFFFFFu);
}

// What ends the area: the commits before it count, and it is as if the rest was not there.
TEST(FastCommits, WhereTheAreaEnds) {
  struct Case {
    const char* name;
    std::function<void(AreaWriter&)> second;  // behind one whole commit
  };
  const Case cases[] = {
      {"nothing", [](AreaWriter&) {}},
      {"no tail", [](AreaWriter& w) { w.inode(13); }},
      {"another tid", [](AreaWriter& w) { w.inode(13).tail(Tid(76)); }},
      {"a wrong sum", [](AreaWriter& w) { w.inode(13).tail(kTid, 1); }},
      {"an unknown tag",
       [](AreaWriter& w) {
         w.add(static_cast<FastCommitTag>(10), {1, 2}).tail(kTid);
       }},
      {"tag 0",
       [](AreaWriter& w) {
         w.add(static_cast<FastCommitTag>(0), {1, 2}).tail(kTid);
       }},
      {"a short name", [](AreaWriter& w) { w.add(kCreate, Block(7)).tail(kTid); }},
      {"a short range", [](AreaWriter& w) { w.add(kAddRange, Block(15)).tail(kTid); }},
      {"a short deletion", [](AreaWriter& w) { w.add(kDeleteRange, Block(11)).tail(kTid); }},
      {"a short inode", [](AreaWriter& w) { w.add(kInode, Block(3)).tail(kTid); }},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.name);
    AreaWriter writer = one_commit();
    each.second(writer);
    EXPECT_EQ(parsed(writer), "1: head inode tail");
    AreaWriter first;
    first.head(kTid);
    each.second(first);
    EXPECT_EQ(parsed(first), "none");
  }
}

TEST(FastCommits, NothingWithoutTheRightHead) {
  EXPECT_EQ(text_of(parse_fast_commits({}, kBlockBytes, kTid)), "none");
  EXPECT_EQ(text_of(parse_fast_commits(Block(kBlockBytes - 1), kBlockBytes, kTid)), "none");
  EXPECT_EQ(parsed(AreaWriter()), "none");
  EXPECT_EQ(parsed(one_commit(), kTid.next()), "none");
  EXPECT_EQ(parsed(AreaWriter().head(kTid, 1).tail(kTid)), "none") << "features";
  EXPECT_EQ(parsed(AreaWriter().inode(12).tail(kTid)), "none");
}

// Each byte that a tail covers changes its sum.
TEST(FastCommits, TheTailCoversAllSinceTheLast) {
  AreaWriter writer = one_commit();
  writer.name(kLink, 2, 12, "b").tail(kTid);
  const Block area = writer.area();
  const std::size_t covered = 4 + 9 + 4 + 4;  // of the second block: a link, and a tail to its tid
  for (std::size_t i = 0; i < covered; ++i) {
    Block damaged = area;
    damaged[kBlockBytes + i] ^= 1;
    EXPECT_EQ(text_of(parse_fast_commits(damaged, kBlockBytes, kTid)), "1: head inode tail") << i;
  }
  Block behind = area;
  behind[kBlockBytes + covered + 4] ^= 1;
  EXPECT_EQ(text_of(parse_fast_commits(behind, kBlockBytes, kTid)), "2: head inode tail link tail");
}

// A length that goes past the end of its block, for every place of a record.
TEST(FastCommits, LengthsPastTheBlock) {
  const Block area = one_commit().area();
  for (const std::size_t record : {std::size_t{0}, std::size_t{12}}) {
    Block damaged = area;
    store(damaged, record + 2, Le16(0xFFFF));
    EXPECT_EQ(text_of(parse_fast_commits(damaged, kBlockBytes, kTid)), "none");
  }
}

TEST(FastCommits, WhereTheAreaLies) {
  JournalSuperblock superblock;
  superblock.log_block_count = 2048;
  superblock.first = LogBlock(1);
  EXPECT_EQ(fast_commit_area(superblock).block_count, 0u);
  superblock.incompat = static_cast<std::uint32_t>(JournalIncompat::kFastCommit);
  superblock.fast_commit_block_count = 0;  // stands for 256
  EXPECT_EQ(superblock.ring_end(), LogBlock(1792));
  EXPECT_EQ(fast_commit_area(superblock).first, LogBlock(1793));
  EXPECT_EQ(fast_commit_area(superblock).block_count, 255u);
  superblock.fast_commit_block_count = 1;
  EXPECT_EQ(fast_commit_area(superblock).block_count, 0u);
}

}  // namespace
}  // namespace powercut
