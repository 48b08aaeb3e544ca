#include "lab/image/replay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "host/file.h"
#include "tests/support/files.h"
#include "tests/support/logged_image.h"

namespace powercut::lab {
namespace {

namespace fs = std::filesystem;
using testing::LoggedImage;
using Kind = BuiltWrite::Kind;

class Replay : public ::testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_TOOL("mke2fs");
    SKIP_WITHOUT_TOOL("debugfs");
  }
};

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

Result<ReplayOutcome> replay(const LoggedImage& image, ReplayMode mode, const fs::path& output = {},
                             RecoverAs rules = RecoverAs::kLinux) {
  const ImageFile opened = TRY(ImageFile::open({.path = image.path(), .recover_as = rules}));
  return replay_journal(opened, {mode, output});
}

// What a log of three transactions must leave at home, and that the image says that it is clean.
void expect_recovered(const fs::path& path, LoggedImage& image) {
  const auto bytes = testing::read_file(path);
  for (const auto& [block, content] : image.builder().expected_home()) {
    const Bytes home = Bytes(bytes).subspan(block * image.block_bytes(), image.block_bytes());
    EXPECT_TRUE(std::ranges::equal(home, content)) << "block " << block;
  }
  const auto opened = ImageFile::open({.path = path});
  ASSERT_TRUE(opened && opened->journal());
  EXPECT_FALSE(opened->is_dirty());
  EXPECT_EQ(opened->journal()->plan.end, RecoveryEnd::kNothingToDo);
}

void add_plain_log(LoggedImage& image) {
  for (std::uint64_t i = 0; i < 3; ++i) {
    image.builder().add_transaction(image.blocks(i, 2, i));
  }
}

TEST_F(Replay, InEachModeWritesWhereItSays) {
  LoggedImage image;
  add_plain_log(image);
  image.write();
  const auto before = testing::read_file(image.path());
  const fs::path copy = image.path().parent_path() / "copy.img";

  const auto dry = replay(image, ReplayMode::kDryRun);
  ASSERT_TRUE(dry) << error_words(dry.error());
  EXPECT_EQ(dry->plan.replay_count, 6u);
  EXPECT_EQ(dry->superseded_count, 2u);
  EXPECT_TRUE(dry->ends_recovered());
  EXPECT_EQ(testing::read_file(image.path()), before);

  const auto copied = replay(image, ReplayMode::kCopy, copy);
  ASSERT_TRUE(copied) << error_words(copied.error());
  EXPECT_EQ(testing::read_file(image.path()), before);
  expect_recovered(copy, image);

  const auto again = replay(image, ReplayMode::kCopy, copy);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::kExists);

  ASSERT_TRUE(replay(image, ReplayMode::kInPlace));
  expect_recovered(image.path(), image);
  EXPECT_EQ(testing::read_file(image.path()), testing::read_file(copy));
  EXPECT_EQ(image.image().fsck("-fn").status, 0) << image.image().fsck("-fn").output;
  // And once more: nothing is left to do.
  const auto clean = replay(image, ReplayMode::kInPlace);
  ASSERT_TRUE(clean);
  EXPECT_FALSE(clean->is_dirty);
  EXPECT_EQ(testing::read_file(image.path()), testing::read_file(copy));
}

TEST_F(Replay, DamageIsRefusedOrEmptiedByTheRules) {
  struct Case {
    RecoverAs rules;
    bool ends_recovered;
  };
  for (const Case& each : {Case{RecoverAs::kLinux, false}, Case{RecoverAs::kLinux61, false},
                           Case{RecoverAs::kE2fsck, true}}) {
    SCOPED_TRACE(recover_as_name(each.rules));
    LoggedImage image;
    add_plain_log(image);
    image.builder().damage(Tid(6), Kind::kData, 0);
    image.write();
    const auto outcome = replay(image, ReplayMode::kInPlace, {}, each.rules);
    ASSERT_TRUE(outcome) << error_words(outcome.error());
    EXPECT_TRUE(outcome->is_damaged());
    EXPECT_EQ(outcome->ends_recovered(), each.ends_recovered);
    ASSERT_EQ(outcome->findings.size(), 1u);
    EXPECT_EQ(outcome->findings[0].finding.tid, Tid(6));
    const auto opened = ImageFile::open({.path = image.path()});
    ASSERT_TRUE(opened && opened->journal());
    EXPECT_EQ(opened->is_dirty(), !each.ends_recovered);
    EXPECT_EQ(opened->journal()->plan.end,
              each.ends_recovered ? RecoveryEnd::kNothingToDo : RecoveryEnd::kRefused);
    // The sound blocks are at home by either.
    std::vector<std::uint8_t> home(image.block_bytes());
    const BlockNo last = image.pool()[3];
    ASSERT_TRUE(opened->device().read(last.value() * home.size(), home));
    EXPECT_EQ(home, image.blocks(3, 1, 2).blocks[0].content);
  }
}

TEST_F(Replay, ALogThatDoesNotCountIsLeftAlone) {
  LoggedImage image;
  add_plain_log(image);
  image.write({}, false);
  const auto before = testing::read_file(image.path());
  const auto outcome = replay(image, ReplayMode::kInPlace);
  ASSERT_TRUE(outcome);
  EXPECT_FALSE(outcome->is_damaged());
  EXPECT_EQ(testing::read_file(image.path()), before);
  const fs::path copy = image.path().parent_path() / "copy.img";
  ASSERT_TRUE(replay(image, ReplayMode::kCopy, copy));
  EXPECT_EQ(testing::read_file(copy), before);
}

TEST_F(Replay, NothingIsLeftOfACopyThatFailed) {
  LoggedImage image;
  add_plain_log(image);
  image.write();
  image.change_log_block(LogBlock(0), [](MutableBytes block) { block[0x58] ^= 1; });
  const fs::path folder = image.path().parent_path();
  const auto before = names_in(folder);
  const auto outcome = replay(image, ReplayMode::kCopy, folder / "copy.img");
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::kChecksum);
  EXPECT_EQ(names_in(folder), before);
  const auto nowhere = replay(image, ReplayMode::kCopy, folder / "no" / "folder.img");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(names_in(folder), before);
}

TEST_F(Replay, TwoOfUsDoNotWriteAtOnce) {
  LoggedImage image;
  add_plain_log(image);
  image.write();
  const auto other = File::open(image.path(), File::Access::kExclusive);
  ASSERT_TRUE(other);
  const auto outcome = replay(image, ReplayMode::kInPlace);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::kInUse);
}

}  // namespace
}  // namespace powercut::lab
