// Inodes against debugfs and the running kernel: their fields and times.  All structures on all
// kinds of file systems: ext4_matrix_test.cc.
#include "format/ext4.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/e2fs_image.h"
#include "tests/support/loop_mount.h"
#include "tests/support/raw_ext4.h"

namespace powercut {
namespace {

using testing::E2fsImage;
using testing::make_tree;
using testing::number_after;
using testing::RawExt4;
using testing::run_shell;
using testing::TemporaryFolder;

RawExt4 open_raw(const E2fsImage& image) {
  auto raw = RawExt4::open(image.bytes());
  EXPECT_TRUE(raw) << (raw ? "" : raw.error().what);
  return raw ? *std::move(raw) : RawExt4{};
}

TEST(Ext4Inode, ValuesAreThoseOfDebugfs) {
  SKIP_WITHOUT_TOOL("debugfs");
  TemporaryFolder folder;
  make_tree(folder.path() / "tree", 1);
  E2fsImage image({.mke2fs = "-b 4096", .tree = (folder.path() / "tree").string()});
  ASSERT_TRUE(image.is_made()) << image.log();
  image.debugfs(
      "set_inode_field /sparse uid 70000\nset_inode_field /sparse gid 80000\n"
      "set_inode_field /sparse mtime @0x180000000\nset_inode_field /sparse generation 77",
      true);
  const std::string text = image.debugfs("stat /sparse");
  const InodeNo number(static_cast<std::uint32_t>(number_after(text, "Inode:").value_or(0)));
  RawExt4 disk = open_raw(image);
  const auto inode = Inode::parse(disk.inode(number), number, disk.superblock);
  ASSERT_TRUE(inode) << inode.error().what;
  EXPECT_TRUE(inode->is(InodeType::kRegular));
  EXPECT_EQ(number_after(text, "Generation:"), inode->generation);
  EXPECT_EQ(number_after(text, "User:"), inode->uid);
  EXPECT_EQ(inode->uid, 70000u);
  EXPECT_EQ(number_after(text, "Group:"), inode->gid);
  EXPECT_EQ(number_after(text, "Size:"), inode->size);
  EXPECT_EQ(number_after(text, "Links:"), inode->links);
  EXPECT_EQ(number_after(text, "Blockcount:"), inode->sectors);
  EXPECT_EQ(number_after(text, "Flags:"), inode->flags);
  EXPECT_EQ(number_after(text, "Size of extra inode fields:"), inode->extra_bytes);
  EXPECT_EQ(number_after(text, "Inode checksum:"), inode->checksum);
  EXPECT_EQ(inode->modify_time.seconds, 0x180000000);
}

struct TimeRow {
  std::int64_t seconds;
  std::uint32_t nanoseconds;
};
// From the first second that 34 bits can hold to the last.
constexpr TimeRow kTimes[] = {
    {-2147483648, 0}, {-2147483648, 1},    {-1, 999'999'999},   {-1'000'000'000, 5},
    {0, 0},           {1, 500'000'000},    {2147483647, 0},     {2147483647, 999'999'999},
    {2147483648, 0},  {4294967295, 7},     {4294967296, 0},     {6442450943, 123'456'789},
    {6442450944, 0},  {10'737'418'239, 1}, {10'737'418'240, 2}, {15'032'385'535, 999'999'999}};

// The running kernel stores what is asked for, in large inodes as it is, in small ones whole
// seconds up to 2038.
TEST(Ext4Inode, TimesAreThoseThatTheRunningKernelStored) {
  SKIP_WITHOUT_TOOL("debugfs");
  SKIP_WITHOUT_LOOP_MOUNTS();
  for (const unsigned inode_bytes : {128u, 256u, 1024u}) {
    TemporaryFolder folder;
    const E2fsImage image({.mke2fs = "-b 1024 -I " + std::to_string(inode_bytes)});
    ASSERT_TRUE(image.is_made()) << image.log();
    testing::LoopMount mount(image.path(), folder.path() / "mount");
    ASSERT_TRUE(mount.is_mounted()) << mount.log();
    std::string commands = "cd '" + (folder.path() / "mount").string() + "'";
    int count = 0;
    for (const auto& [seconds, nanoseconds] : kTimes) {
      // touch takes the fraction as it is written, towards the past where there is a sign.
      const bool is_before = seconds < 0 && nanoseconds != 0;
      const std::int64_t whole = is_before ? seconds + 1 : seconds;
      const std::uint32_t rest = is_before ? 1'000'000'000 - nanoseconds : nanoseconds;
      const std::string digits = std::to_string(1'000'000'000 + rest).substr(1);
      const std::string sign = seconds < 0 && whole == 0 ? "-" : "";
      commands += " && touch -d @" + sign + std::to_string(whole) + "." + digits + " f" +
                  std::to_string(count++);
    }
    const auto touched = run_shell(commands);
    ASSERT_EQ(touched.status, 0) << touched.output;
    ASSERT_TRUE(mount.unmount()) << mount.log();
    RawExt4 disk = open_raw(image);
    for (int i = 0; i < count; ++i) {
      const auto found = number_after(image.debugfs("stat /f" + std::to_string(i)), "Inode:");
      const InodeNo number(static_cast<std::uint32_t>(found.value_or(0)));
      const auto stored = disk.inode(number);
      const auto inode = Inode::parse(stored, number, disk.superblock);
      ASSERT_TRUE(inode);
      Timestamp expected{kTimes[i].seconds, kTimes[i].nanoseconds};
      // It cuts times off at its limits, and knows no fraction of the first and last second.
      const std::int64_t last = inode_bytes == 128 ? 2147483647 : 15'032'385'535;
      if (expected.seconds <= -2147483648 || expected.seconds >= last) expected.nanoseconds = 0;
      expected.seconds = std::min(expected.seconds, last);
      if (inode_bytes == 128) expected.nanoseconds = 0;
      EXPECT_EQ(inode->modify_time, expected)
          << inode_bytes << " " << expected.seconds << " saw " << inode->modify_time.seconds;
      EXPECT_EQ(inode->access_time, expected);
      std::vector<std::uint8_t> copy(stored.begin(), stored.end());
      inode->encode(copy, number, disk.superblock);
      EXPECT_TRUE(std::equal(copy.begin(), copy.end(), stored.begin()));
    }
  }
}

// All four times, in all sizes of inodes, through both ways; debugfs writes the checksum.
TEST(Ext4Inode, TimesAreThoseThatDebugfsWrote) {
  SKIP_WITHOUT_TOOL("debugfs");
  for (const unsigned inode_bytes : {128u, 256u, 512u, 2048u}) {
    const E2fsImage image({.mke2fs = "-b 2048 -N 512 -I " + std::to_string(inode_bytes)});
    ASSERT_TRUE(image.is_made()) << image.log();
    const bool is_large = inode_bytes > 128;
    for (const auto& [seconds, nanoseconds] : kTimes) {
      if (!is_large && (seconds > 2147483647 || nanoseconds != 0)) continue;
      std::string commands;
      const auto low = static_cast<std::uint32_t>(seconds);
      const auto epoch =
          static_cast<std::uint32_t>((seconds - static_cast<std::int32_t>(low)) >> 32);
      for (const char* field : {"atime", "ctime", "mtime", "crtime"}) {
        if (!is_large && field[1] == 'r') continue;
        commands += std::string("set_inode_field <2> ") + field + " @" + std::to_string(low) + "\n";
        if (!is_large) continue;
        commands += std::string("set_inode_field <2> ") + field + "_extra " +
                    std::to_string((nanoseconds << 2) | epoch) + "\n";
      }
      image.debugfs(commands, true);
      RawExt4 disk = open_raw(image);
      const auto stored = disk.inode(kRootInode);
      const auto inode = Inode::parse(stored, kRootInode, disk.superblock);
      ASSERT_TRUE(inode) << inode.error().what;
      const Timestamp expected{seconds, nanoseconds};
      EXPECT_EQ(inode->access_time, expected) << seconds;
      EXPECT_EQ(inode->change_time, expected) << seconds;
      EXPECT_EQ(inode->modify_time, expected) << seconds;
      if (is_large) {
        EXPECT_EQ(inode->create_time, expected) << seconds;
      }
      std::vector<std::uint8_t> copy(stored.begin(), stored.end());
      inode->encode(copy, kRootInode, disk.superblock);
      EXPECT_TRUE(std::equal(copy.begin(), copy.end(), stored.begin()));
    }
  }
}

// The example of docs/format-ext4.md: what debugfs showed of an inode.
TEST(Ext4Inode, WorkedExample) {
  Superblock superblock;
  superblock.block_count = 1024;
  superblock.first_data_block = BlockNo(1);
  superblock.ro_compat = static_cast<std::uint32_t>(Ext4RoCompat::kMetadataChecksum);
  for (std::size_t i = 0; i < 16; ++i) superblock.uuid[i] = static_cast<std::uint8_t>(0x11 * i);
  std::vector<std::uint8_t> bytes(256);
  const auto put = [&bytes](std::size_t offset, std::initializer_list<std::uint8_t> values) {
    std::copy(values.begin(), values.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
  };
  put(0x00, {0xa4, 0x81, 0, 0, 0x08, 0x07, 0, 0, 0xff, 0x23, 0x03, 0x6b, 0xff, 0x23, 0x03, 0x6b});
  put(0x10, {0xff, 0x23, 0x03, 0x6b, 0, 0, 0, 0, 0, 0, 1, 0, 4, 0, 0, 0});
  put(0x20, {0, 0, 8, 0, 0, 0, 0, 0, 0x0a, 0xf3, 1, 0, 4, 0, 0, 0});
  put(0x34, {0, 0, 0, 0, 2, 0, 0, 0, 0x11, 0, 0, 0});
  put(0x7c, {0xe5, 0xe1, 0, 0, 0x20, 0, 0xda, 0xb7});
  put(0x90, {0, 0x10, 0x5e, 0x5f});
  const auto inode = Inode::parse(bytes, InodeNo(12), superblock);
  ASSERT_TRUE(inode) << inode.error().what;
  EXPECT_EQ(inode->mode, 0100644);
  EXPECT_EQ(inode->size, 1800u);
  EXPECT_EQ(inode->modify_time, (Timestamp{0x6b0323ff, 0}));
  EXPECT_EQ(inode->create_time, (Timestamp{1'600'000'000, 0}));
  EXPECT_EQ(inode->checksum, 0xb7dae1e5u);
  const auto root = ExtentNode::parse_root(inode->block_area, InodeNo(12), superblock);
  ASSERT_TRUE(root);
  EXPECT_EQ(root->extents, (std::vector<Extent>{{FileBlock(0), BlockNo(17), 2, false}}));
  EXPECT_EQ(Inode::parse(bytes, InodeNo(13), superblock).error().code, Errc::kChecksum);
}

}  // namespace
}  // namespace powercut
