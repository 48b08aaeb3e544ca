#include "fs/extent_map.h"

#include <gtest/gtest.h>

#include "fs/file.h"
#include "tests/support/mounted_image.h"

namespace powercut::fs {
namespace {

std::size_t extents_of(Core& core, const Node& node) {
  SharedLock lock(node.lock);
  std::size_t count = 0;
  const auto walked = for_each_run(core, node, FileBlock(0), [&](const MappedRun&) {
    ++count;
    return true;
  });
  EXPECT_TRUE(walked) << error_words(walked.error());
  return count;
}

std::uint16_t depth_of_tree(const Core& core, const Node& node) {
  SharedLock lock(node.lock);
  return ExtentNode::parse_root(node.inode.block_area, node.number, core.shape)->depth;
}

TEST(ExtentMap, TwoFilesThatGrowInTurnHaveFewExtents) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TestMount disk("-b 4096", "128M");
  disk.mount();
  const NodeRef a = disk.make_file("a"), b = disk.make_file("b");
  const auto bytes = pattern(64 * 1024, 3);
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(append_file(disk.core(), *a, bytes));
    ASSERT_TRUE(append_file(disk.core(), *b, bytes));
  }
  EXPECT_LE(extents_of(disk.core(), *a), 16u);
  EXPECT_LE(extents_of(disk.core(), *b), 16u);
  disk.unmount();
  EXPECT_TRUE(is_clean(disk.device.bytes()));
}

TEST(ExtentMap, AFileThatIsWrittenAtOnceHasOneExtentAGroup) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TestMount disk("-b 4096", "128M");
  disk.mount();
  const NodeRef a = disk.make_file("a");
  ASSERT_TRUE(write_file(disk.core(), *a, 0, pattern(48u << 20, 4)));
  EXPECT_LE(extents_of(disk.core(), *a), 3u);
  EXPECT_EQ(depth_of_tree(disk.core(), *a), 0u);
}

// Every other block, first in order, then from the end, then in the middle of what is there.
TEST(ExtentMap, ATreeGrowsAndShrinksAgain) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TestMount disk("-b 1024 -J size=4", "32M");
  disk.mount();
  Core& core = disk.core();
  const NodeRef a = disk.make_file("a");
  const std::uint64_t free_before = core.groups->free_blocks();
  std::vector<std::uint8_t> model;
  const auto put = [&](std::uint64_t block) {
    const auto bytes = pattern(1024, block);
    const auto count = write_file(core, *a, block * 1024, bytes);
    ASSERT_TRUE(count) << error_words(count.error());
    model.resize(std::max<std::size_t>(model.size(), (block + 1) * 1024));
    std::ranges::copy(bytes, model.begin() + static_cast<std::ptrdiff_t>(block * 1024));
  };
  for (std::uint64_t i = 0; i < 4000; ++i) put(2 * i);
  EXPECT_EQ(extents_of(core, *a), 4000u);
  EXPECT_EQ(depth_of_tree(core, *a), 2u);
  for (std::uint64_t i = 8000; i-- > 6000;) {
    if (i % 2 == 1) put(i);
  }
  for (std::uint64_t i = 0; i < 500; ++i) put(2001 + 4 * i);
  disk.remount();
  EXPECT_TRUE(is_clean(disk.unmounted_image()));
  EXPECT_TRUE(content_of(disk.unmounted_image(), "/a") == model);
  const NodeRef again = disk.file("a");
  for (const std::uint64_t size : {7'000'001u, 5'000'000u, 100'000u, 3000u, 0u}) {
    const auto done = truncate_file(disk.core(), again, size);
    ASSERT_TRUE(done) << error_words(done.error());
    model.resize(size);
    disk.mounted->sync().value();
    TestMount after(disk.crashed());
    after.mount();
    after.unmount();
    EXPECT_TRUE(is_clean(after.device.bytes())) << size;
    EXPECT_TRUE(content_of(after.device.bytes(), "/a") == model) << size;
  }
  EXPECT_EQ(depth_of_tree(disk.core(), *again), 0u);
  EXPECT_EQ(disk.core().groups->free_blocks(), free_before);
}

// A truncate of many extents takes several transactions of a small journal; a power cut between two
// of them leaves an orphan, which recovery finishes.
TEST(ExtentMap, ACutInALongTruncateIsFinished) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TestMount disk("-b 1024 -J size=1 -g 256", "4M");
  disk.mount();
  const NodeRef a = disk.make_file("a");
  for (std::uint64_t i = 0; i < 1200; ++i) {
    ASSERT_TRUE(write_file(disk.core(), *a, i * 2048, pattern(1024, i)));
  }
  ASSERT_TRUE(disk.mounted->sync());
  const auto commits = disk.core().journal->counters().commits;
  ASSERT_TRUE(truncate_file(disk.core(), a, 5000));
  RecordProperty("commits", static_cast<int>(disk.core().journal->counters().commits - commits));
  TestMount after(disk.crashed());
  after.mount();
  const std::uint64_t recovered = after.mounted->recovered_orphans().truncated;
  after.unmount();
  EXPECT_TRUE(is_clean(after.device.bytes()));
  if (disk.core().journal->counters().commits > commits) {
    EXPECT_EQ(recovered, 1u);
    EXPECT_EQ(content_of(after.device.bytes(), "/a").size(), 5000u);
  }
}

TEST(ExtentMap, BlocksThatAreNoFilesAreDamage) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TestMount disk("");
  disk.mount();
  Core& core = disk.core();
  const NodeRef a = disk.make_file("a");
  ASSERT_TRUE(write_file(core, *a, 0, pattern(10'000, 1)));
  const BlockNo table = core.groups->descriptor(0).inode_table;
  {
    ExclusiveLock lock(a->lock);
    auto root = ExtentNode::parse_root(a->inode.block_area, a->number, core.shape);
    root->extents.front().device = table;
    root->encode_root(a->inode.block_area);
  }
  const auto written = write_file(core, *a, 0, pattern(100, 2));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Errc::kCorrupt);
  const auto cut = truncate_file(core, a, 0);
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, Errc::kCorrupt);
}

}  // namespace
}  // namespace powercut::fs
