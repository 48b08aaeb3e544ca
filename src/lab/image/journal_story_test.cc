#include "lab/image/journal_story.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "tests/support/logged_image.h"

namespace powercut::lab {
namespace {

using testing::LoggedImage;
using testing::LoggedImageOptions;
using Kind = BuiltWrite::Kind;

class Story : public ::testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_TOOL("mke2fs");
    SKIP_WITHOUT_TOOL("debugfs");
  }
};

JournalStory story_of(const LoggedImage& image, const StoryOptions& options = {}) {
  const auto opened = ImageFile::open({.path = image.path()});
  CHECK(opened, "the image opens");
  auto story = tell_journal(*opened, options);
  CHECK(story, error_words(story.error()).c_str());
  return *std::move(story);
}

// "5 live 1-4: replayed, revoked" for each transaction.
std::vector<std::string> told(const JournalStory& story) {
  std::vector<std::string> lines;
  for (const StoryTransaction& each : story.transactions) {
    std::string line = std::to_string(each.found.tid.value()) + " " +
                       std::string(standing_name(each.standing)) + ":";
    for (const StoryBlock& block : each.blocks) {
      line += " " + std::string(block_fate_name(block.fate));
      if (block.by) line += "/" + std::to_string(block.by->value());
    }
    if (!each.found.has_beginning) line += " (no beginning)";
    if (!each.found.commit) line += " (no commit)";
    if (each.found.missing_count != 0) {
      line += " (" + std::to_string(each.found.missing_count) + " missing)";
    }
    if (each.found.trouble != nullptr) line += " (trouble)";
    lines.push_back(line);
  }
  return lines;
}

using Lines = std::vector<std::string>;

TEST_F(Story, SaysWhatBecomesOfEachBlock) {
  LoggedImage image;
  JournalBuilder& log = image.builder();
  log.add_transaction(image.blocks(0, 3, 1));  // 5: block 1 comes again, block 2 is revoked
  log.add_transaction(image.blocks(1, 1, 2));
  TransactionSpec revoking = image.blocks(3, 1, 3);
  revoking.revokes = {image.pool()[2]};
  log.add_transaction(revoking);
  TransactionSpec last = image.blocks(4, 2, 4);
  last.has_commit = false;
  log.add_transaction(last);
  image.write();
  EXPECT_EQ(told(story_of(image)),
            (Lines{"5 live: replayed superseded/6 revoked/7", "6 live: replayed",
                   "7 live: replayed", "8 uncommitted: not replayed not replayed (no commit)"}));
}

TEST_F(Story, DamageIsToldByItsKind) {
  struct Case {
    const char* what;
    Kind kind;
    Lines expected;
  };
  const Case cases[] = {
      {"data", Kind::kData, {"5 live: replayed", "6 live: damaged replayed", "7 live: replayed"}},
      {"descriptor",
       Kind::kDescriptor,
       {"5 live: not reached", "6 damaged: (trouble)", "7 not reached: not replayed"}},
      {"commit",
       Kind::kCommit,
       {"5 live: replayed", "6 damaged: not replayed not replayed", "7 not reached: not replayed"}},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.what);
    LoggedImage image;
    image.builder().add_transaction(image.blocks(0, 1));
    image.builder().add_transaction(image.blocks(1, 2));
    image.builder().add_transaction(image.blocks(3, 1));
    image.builder().damage(Tid(6), each.kind, 0, each.kind == Kind::kData ? 100 : 40);
    image.write();
    const JournalStory story = story_of(image);
    EXPECT_EQ(told(story), each.expected);
    EXPECT_TRUE(story.is_damaged());
  }
}

TEST_F(Story, OldTransactionsAreFoundFromBehindTheEndOn) {
  LoggedImage image;
  for (int i = 0; i < 4; ++i) image.builder().add_transaction(image.blocks(0, 2, 9));
  const LogBlock third = image.builder().write_of(Tid(7), Kind::kDescriptor).log;
  image.write([&](JournalSuperblock& superblock) {
    superblock.start = third;
    superblock.sequence = Tid(7);
  });
  EXPECT_EQ(told(story_of(image)),
            (Lines{"5 old: not replayed not replayed", "6 old: not replayed not replayed",
                   "7 live: superseded/8 superseded/8", "8 live: replayed replayed"}));
}

TEST_F(Story, AnEmptyLogHasOnlyOldOnes) {
  LoggedImage image;
  image.builder().add_transaction(image.blocks(0, 1));
  image.builder().add_transaction(image.blocks(0, 1));
  image.write(
      [](JournalSuperblock& superblock) {
        superblock.start = LogBlock(0);
        superblock.sequence = Tid(7);
      },
      false);
  const JournalStory story = story_of(image);
  EXPECT_EQ(told(story), (Lines{"5 old: not replayed", "6 old: not replayed"}));
  EXPECT_FALSE(story.is_damaged());
  EXPECT_FALSE(story.is_dirty);
}

// A new life of the journal from its first block on: what it covers is gone, and of the transaction
// at its end only the later pieces are left.
TEST_F(Story, WhatIsLeftOfAnOverwrittenTransactionIsSaidToBeLeft) {
  LoggedImage image;
  TransactionSpec large = image.blocks(0, 9, 1);
  large.tags_per_descriptor = 3;
  image.builder().add_transaction(large);  // 1 to 13: three times 1 + 3, and a commit block
  image.builder().add_transaction(image.blocks(9, 1, 1));
  image.write();
  JournalSpec spec = image.builder().spec();
  spec.sequence = Tid(90);
  image.builder() = JournalBuilder(spec);
  image.builder().add_transaction(image.blocks(20, 1, 2));  // 1 to 3
  image.builder().add_transaction(image.blocks(21, 1, 2));  // 4 to 6
  image.write();
  EXPECT_EQ(told(story_of(image)),
            (Lines{"5 old: not replayed not replayed not replayed (no beginning)",
                   "6 old: not replayed", "90 live: replayed", "91 live: replayed"}));
}

// A power cut: the descriptor is there, and of its blocks only the first.
TEST_F(Story, BlocksThatWereNeverWrittenAreNotTakenForOld) {
  LoggedImage image;
  for (int i = 0; i < 4; ++i) image.builder().add_transaction(image.blocks(0, 2, 9));
  image.write();
  JournalSpec spec = image.builder().spec();
  spec.sequence = Tid(90);
  image.builder() = JournalBuilder(spec);
  image.builder().add_transaction(image.blocks(20, 1, 2));  // 1 to 3
  image.builder().add_transaction(image.blocks(21, 3, 2));  // 4 to 8: 5 is a descriptor of old
  auto& writes = image.builder().writes();
  writes.erase(writes.begin() + 4, writes.end());
  image.write();
  const Lines lines = told(story_of(image));
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_EQ(lines[0], "6 old: not replayed not replayed (no beginning)");
  EXPECT_EQ(lines[3], "90 live: replayed");
  EXPECT_EQ(lines[4], "91 uncommitted: (no commit) (3 missing)");
}

TEST_F(Story, WrapsAndTidsAroundTheirLimit) {
  LoggedImageOptions options;
  options.start = LogBlock(1020);  // of 1024
  options.sequence = Tid(0xFFFFFFFF);
  LoggedImage image(options);
  image.builder().add_transaction(image.blocks(0, 6));
  image.builder().add_transaction(image.blocks(6, 1));
  image.write();
  const JournalStory story = story_of(image);
  ASSERT_EQ(story.transactions.size(), 2u);
  EXPECT_EQ(story.transactions[0].found.first, LogBlock(1020));
  EXPECT_EQ(story.transactions[0].found.last, LogBlock(4));
  EXPECT_EQ(story.transactions[0].found.length, 8u);
  EXPECT_EQ(story.transactions[1].found.tid, Tid(0));
}

TEST_F(Story, OwnersAreReadAsOfTheirTransaction) {
  LoggedImage image;
  const auto source = image.path().parent_path() / "source";
  std::ofstream(source) << "Written by debugfs\n";
  const auto change = image.change_of("write " + source.string() + " /written\n");
  const auto written = std::ranges::find_if(change, [](const DataSpec& block) {
    return block.content[0] == 'W' && block.content[1] == 'r';
  });
  ASSERT_NE(written, change.end());
  const BlockNo content = written->home;
  TransactionSpec before = image.blocks(0, 1);
  before.blocks.push_back({content, patterned_block(image.block_bytes(), 5)});
  image.builder().add_transaction(before);  // 5: the block belongs to nobody yet
  TransactionSpec writing;
  writing.blocks = change;
  image.builder().add_transaction(writing);  // 6: it is the file's
  image.write();
  StoryOptions options;
  options.block = content;
  const JournalStory story = story_of(image, options);
  ASSERT_EQ(story.versions.size(), 2u);
  const auto owner_of = [&](const BlockVersion& version) {
    return story.transactions[version.transaction].blocks[*version.block].owner->describe(1024);
  };
  EXPECT_EQ(owner_of(story.versions[0]), "free");
  EXPECT_EQ(owner_of(story.versions[1]).substr(0, 8), "/written");
  EXPECT_EQ(story.home_owner->path, "/written");
  EXPECT_FALSE(story.versions[0].is_at_home);
}

TEST_F(Story, TheHistoryOfABlockNamesTheVersionAtHome) {
  LoggedImage image;
  TransactionSpec first = image.blocks(0, 1, 1);
  first.blocks.front().content = magic_block(image.block_bytes(), 3);
  image.builder().add_transaction(first);
  image.builder().add_transaction(image.blocks(0, 1, 2));
  TransactionSpec revoking = image.blocks(1, 1);
  revoking.revokes = {image.pool()[0]};
  image.builder().add_transaction(revoking);
  image.write();
  {
    std::fstream file(image.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(image.pool()[0].value() * image.block_bytes()));
    file.write(reinterpret_cast<const char*>(first.blocks.front().content.data()),
               static_cast<std::streamsize>(image.block_bytes()));
  }
  StoryOptions options;
  options.block = image.pool()[0];
  const JournalStory story = story_of(image, options);
  ASSERT_EQ(story.versions.size(), 3u);
  EXPECT_TRUE(story.versions[0].is_at_home);
  EXPECT_FALSE(story.versions[1].is_at_home);
  EXPECT_FALSE(story.versions[2].block);
}

TEST_F(Story, OwnersAreBoundedAndWorkCanBeStopped) {
  LoggedImage image;
  image.builder().add_transaction(image.blocks(0, 5));
  image.write();
  StoryOptions options;
  options.has_all_owners = true;
  options.owners_max = 2;
  const JournalStory story = story_of(image, options);
  EXPECT_EQ(story.owners_left_out, 3u);
  EXPECT_TRUE(story.transactions[0].blocks[1].owner);
  EXPECT_FALSE(story.transactions[0].blocks[2].owner);
  const auto opened = ImageFile::open({.path = image.path()});
  const auto stopped =
      tell_journal(*opened, options, [](std::uint64_t, std::uint64_t) { return false; });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Errc::kAborted);
}

TEST_F(Story, WhatIsNotThereIsRefusedByName) {
  LoggedImage image;
  image.builder().add_transaction(image.blocks(0, 1));
  image.write();
  const auto opened = ImageFile::open({.path = image.path()});
  const auto no_tid = tell_journal(*opened, {.tid = Tid(77)});
  ASSERT_FALSE(no_tid);
  EXPECT_EQ(no_tid.error().code, Errc::kInvalid);
  const auto no_block = tell_journal(*opened, {.block = BlockNo(1u << 30)});
  ASSERT_FALSE(no_block);
  EXPECT_EQ(no_block.error().code, Errc::kInvalid);
}

}  // namespace
}  // namespace powercut::lab
