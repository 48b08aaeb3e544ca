// The block of multiple mount protection against debugfs and the running kernel, and damaged.
#include "format/ext4_mmp.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/stored_int.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/loop_mount.h"
#include "tests/support/raw_ext4.h"

namespace powercut {
namespace {

using testing::E2fsImage;
using testing::LoopMount;
using testing::number_after;
using testing::RawExt4;
using testing::TemporaryFolder;

// Parses the image's block, compares it with debugfs, and encodes it over itself.
MmpBlock same_as_debugfs(const E2fsImage& image) {
  auto disk = RawExt4::open(image.bytes());
  EXPECT_TRUE(disk);
  const auto stored = disk->block(disk->superblock.mmp_block);
  const auto mmp = MmpBlock::parse(stored, disk->superblock);
  EXPECT_TRUE(mmp) << (mmp ? "" : mmp.error().what);
  if (!mmp) return {};
  std::vector<std::uint8_t> copy(stored.begin(), stored.end());
  mmp->encode(copy, disk->superblock);
  EXPECT_TRUE(std::ranges::equal(copy, stored));
  const std::string text = image.debugfs("dump_mmp");
  EXPECT_EQ(number_after(text, "block_number:"), disk->superblock.mmp_block.value()) << text;
  EXPECT_EQ(number_after(text, "check_interval:"), mmp->check_seconds);
  EXPECT_EQ(number_after(text, "time:"), mmp->seconds);
  EXPECT_NE(text.find("node_name: " + std::string(mmp->node()) + "\n"), std::string::npos) << text;
  EXPECT_NE(text.find("device_name: " + std::string(mmp->device()) + "\n"), std::string::npos);
  return *mmp;
}

TEST(MmpBlock, ValuesAreThoseOfDebugfs) {
  SKIP_WITHOUT_TOOL("debugfs");
  for (const char* options : {"-b 1024 -O mmp", "-b 4096 -O mmp", "-b 2048 -O mmp,^metadata_csum",
                              "-b 1024 -O mmp -E mmp_update_interval=33"}) {
    E2fsImage image({.mke2fs = options});
    ASSERT_TRUE(image.is_made()) << image.log();
    const MmpBlock mmp = same_as_debugfs(image);
    EXPECT_EQ(mmp.state(), MmpState::kClean) << options;
    EXPECT_EQ(mmp_state_name(mmp.state()), "clean");
    EXPECT_FALSE(mmp.node().empty());
  }
}

TEST(MmpBlock, OfAMountedFileSystemIsInUse) {
  SKIP_WITHOUT_TOOL("debugfs");
  SKIP_WITHOUT_LOOP_MOUNTS();
  E2fsImage image({.mke2fs = "-b 1024 -O mmp"});
  ASSERT_TRUE(image.is_made()) << image.log();
  TemporaryFolder folder;
  LoopMount mount(image.path(), folder.path() / "mount");
  ASSERT_TRUE(mount.is_mounted()) << mount.log();
  const MmpBlock mmp = same_as_debugfs(image);
  EXPECT_EQ(mmp.state(), MmpState::kInUse);
  EXPECT_EQ(mmp.device(), mount.device());
  ASSERT_TRUE(mount.unmount()) << mount.log();
  EXPECT_EQ(same_as_debugfs(image).state(), MmpState::kClean);
}

TEST(MmpBlock, RefusesDamageByName) {
  Superblock superblock;
  superblock.mmp_block = BlockNo(99);
  superblock.ro_compat = static_cast<std::uint32_t>(Ext4RoCompat::kMetadataChecksum);
  MmpBlock mmp;
  mmp.sequence = 0xFF4D4D50;
  mmp.seconds = 1'700'000'000;
  std::vector<std::uint8_t> good(4096, 0xEE);
  mmp.encode(good, superblock);
  ASSERT_TRUE(MmpBlock::parse(good, superblock));
  EXPECT_FALSE(MmpBlock::parse(Bytes(good).first(1023), superblock));
  struct Row {
    std::size_t offset;
    std::uint32_t value;
    Errc code;
    const char* what;
  };
  const Row rows[] = {
      {0, 0x4D4D51, Errc::kCorrupt, "multiple mount protection: magic"},
      {8, 1, Errc::kChecksum, "multiple mount protection: checksum"},
      {0x3FC, 1, Errc::kChecksum, "multiple mount protection: checksum"},
  };
  for (const Row& row : rows) {
    auto block = good;
    store(block, row.offset, Le32(row.value));
    const auto outcome = MmpBlock::parse(block, superblock);
    ASSERT_FALSE(outcome) << row.what;
    EXPECT_EQ(outcome.error().code, row.code);
    EXPECT_STREQ(outcome.error().what, row.what);
    EXPECT_EQ(outcome.error().where, 99u);
  }
  const std::pair<std::uint32_t, std::optional<MmpState>> sequences[] = {
      {0, MmpState::kInUse},          {1, MmpState::kInUse},      {0xE24D4D4F, MmpState::kInUse},
      {0xE24D4D50, MmpState::kFsck},  {0xE24D4D51, std::nullopt}, {0xFF4D4D4F, std::nullopt},
      {0xFF4D4D50, MmpState::kClean}, {0xFF4D4D51, std::nullopt}};
  for (const auto& [sequence, state] : sequences) {
    mmp.sequence = sequence;
    auto block = good;
    mmp.encode(block, superblock);
    const auto parsed = MmpBlock::parse(block, superblock);
    ASSERT_EQ(parsed.has_value(), state.has_value()) << sequence;
    if (parsed) {
      EXPECT_EQ(parsed->state(), *state) << sequence;
    }
  }
}

}  // namespace
}  // namespace powercut
