// Blocks of the orphan file: as mke2fs makes them, as the running kernel fills them, and damaged.
#include "format/ext4_orphan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <memory>

#include "base/stored_int.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/files.h"
#include "tests/support/loop_mount.h"
#include "tests/support/raw_ext4.h"

namespace powercut {
namespace {

using testing::E2fsImage;
using testing::LoopMount;
using testing::RawExt4;
using testing::TemporaryFolder;

// The numbers in all blocks of the orphan file, each block parsed and encoded to its own bytes.
std::vector<std::uint32_t> orphans_in(RawExt4& disk) {
  std::vector<std::uint32_t> found;
  const InodeNo number = disk.superblock.orphan_file_inode;
  const auto inode = Inode::parse(disk.inode(number), number, disk.superblock);
  EXPECT_TRUE(inode);
  const auto root = ExtentNode::parse_root(inode->block_area, number, disk.superblock);
  EXPECT_TRUE(root);
  const auto owner = OwnerSeed::make(disk.superblock, number, inode->generation);
  for (const Extent& extent : root->extents) {
    for (std::uint32_t i = 0; i < extent.count; ++i) {
      const BlockNo place = extent.device + i;
      const auto stored = disk.block(place);
      const auto block = OrphanBlock::parse(stored, place, owner, disk.superblock);
      EXPECT_TRUE(block) << (block ? "" : block.error().what) << " " << place.value();
      if (!block) continue;
      EXPECT_EQ(block->slots.size(), orphans_per_block(disk.superblock));
      std::vector<std::uint8_t> copy(stored.begin(), stored.end());
      block->encode(copy, place, owner, disk.superblock);
      EXPECT_TRUE(std::ranges::equal(copy, stored)) << place.value();
      for (const InodeNo orphan : block->slots) {
        if (orphan.value() != 0) found.push_back(orphan.value());
      }
    }
  }
  return found;
}

TEST(OrphanBlock, OfMke2fsIsEmptyAndEncodesToItsBytes) {
  SKIP_WITHOUT_TOOL("mke2fs");
  for (const char* options :
       {"-b 1024 -O orphan_file", "-b 4096 -O orphan_file", "-b 2048 -O orphan_file,^metadata_csum",
        "-b 1024 -O orphan_file,metadata_csum_seed"}) {
    E2fsImage image({.mke2fs = options});
    ASSERT_TRUE(image.is_made()) << image.log();
    auto disk = RawExt4::open(image.bytes());
    ASSERT_TRUE(disk);
    EXPECT_TRUE(orphans_in(*disk).empty()) << options;
  }
}

TEST(OrphanBlock, OfTheRunningKernelHoldsTheOpenFilesWithoutNames) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_LOOP_MOUNTS();
  E2fsImage image({.mke2fs = "-b 1024 -O orphan_file"});
  ASSERT_TRUE(image.is_made()) << image.log();
  TemporaryFolder folder;
  LoopMount mount(image.path(), folder.path() / "mount");
  ASSERT_TRUE(mount.is_mounted()) << mount.log();
  std::vector<std::unique_ptr<std::ofstream>> open_files;
  std::vector<std::uint32_t> expected;
  for (int i = 0; i < 30; ++i) {
    const auto path = folder.path() / "mount" / ("f" + std::to_string(i));
    open_files.push_back(std::make_unique<std::ofstream>(path));
    const auto text = testing::run_shell("stat -c 'inode %i' '" + path.string() + "'").output;
    expected.push_back(
        static_cast<std::uint32_t>(testing::number_after(text, "inode").value_or(0)));
    std::filesystem::remove(path);
  }
  ASSERT_EQ(testing::run_shell("sync -f '" + (folder.path() / "mount").string() + "'").status, 0);
  // sync wrote it home; a checker would delete the orphans.
  const std::string copy = (folder.path() / "copy").string();
  ASSERT_EQ(testing::run_shell("cp '" + image.path().string() + "' '" + copy + "'").status, 0);
  open_files.clear();
  ASSERT_TRUE(mount.unmount()) << mount.log();
  auto disk = RawExt4::open(testing::read_file(copy));
  ASSERT_TRUE(disk);
  EXPECT_TRUE(disk->superblock.has(Ext4RoCompat::kOrphanPresent));
  std::vector<std::uint32_t> found = orphans_in(*disk);
  std::ranges::sort(found);
  std::ranges::sort(expected);
  EXPECT_EQ(found, expected);
}

TEST(OrphanBlock, RefusesDamageByName) {
  Superblock superblock;
  superblock.block_count = 10'000;
  superblock.inode_count = 1000;
  superblock.ro_compat = static_cast<std::uint32_t>(Ext4RoCompat::kMetadataChecksum);
  const auto owner = OwnerSeed::make(superblock, InodeNo(12), 7);
  const BlockNo place(77);
  OrphanBlock orphans;
  orphans.slots.resize(orphans_per_block(superblock));
  orphans.slots[3] = InodeNo(11);
  orphans.slots.back() = InodeNo(1000);
  std::vector<std::uint8_t> good(1024);
  orphans.encode(good, place, owner, superblock);
  const auto parsed = OrphanBlock::parse(good, place, owner, superblock);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->slots, orphans.slots);

  EXPECT_EQ(OrphanBlock::parse(good, place + 1, owner, superblock).error().code, Errc::kChecksum);
  const auto other = OwnerSeed::make(superblock, InodeNo(12), 8);
  EXPECT_EQ(OrphanBlock::parse(good, place, other, superblock).error().code, Errc::kChecksum);
  EXPECT_FALSE(OrphanBlock::parse(Bytes(good).first(1023), place, owner, superblock));
  struct Row {
    std::size_t offset;
    std::uint32_t value;
    bool has_checksum;
    const char* what;
  };
  const Row rows[] = {
      {1016, 0x0B10CA05, true, "orphan block: magic"},
      {1020, 1, true, "orphan block: checksum"},
      {500, 1, true, "orphan block: checksum"},
      {500, 10, false, "orphan block: no inode of a file"},
      {500, 1001, false, "orphan block: no inode of a file"},
      {1012, ~0u, false, "orphan block: no inode of a file"},
  };
  for (const Row& row : rows) {
    auto block = good;
    Superblock under = superblock;
    if (!row.has_checksum) under.ro_compat = 0;
    store(block, row.offset, Le32(row.value));
    const auto outcome = OrphanBlock::parse(block, place, owner, under);
    ASSERT_FALSE(outcome) << row.offset;
    EXPECT_STREQ(outcome.error().what, row.what);
    EXPECT_EQ(outcome.error().where, 77u);
  }
}

}  // namespace
}  // namespace powercut
