#include "fs/groups.h"

#include <gtest/gtest.h>

#include <set>

#include "fs/bitmap_scan.h"
#include "fs/extent_map.h"
#include "fs/file.h"
#include "tests/support/mounted_image.h"

namespace powercut::fs {
namespace {

// 'x' used, 'h' held, '.' free.
struct Bits {
  explicit Bits(const std::string& text) : bitmap(128, 0xFF), held(16), count(0) {
    for (const char c : text) {
      if (c == ' ') continue;
      put_bits(MutableBytes(bitmap), {count, 1}, c == 'x');
      put_bits(std::span<std::uint64_t>(held), {count, 1}, c == 'h');
      ++count;
    }
  }
  FreeBits free() const { return {bitmap, held, count}; }
  std::vector<std::uint8_t> bitmap;
  std::vector<std::uint64_t> held;
  std::uint32_t count;
};

std::string text_of(BitRun run) {
  return std::to_string(run.first) + "+" + std::to_string(run.count);
}

TEST(BitmapScan, FindsRuns) {
  const Bits bits("..xx...h.x....");
  EXPECT_EQ(text_of(bits.free().first_run(0, 1)), "0+2");
  EXPECT_EQ(text_of(bits.free().first_run(0, 3)), "4+3");
  EXPECT_EQ(text_of(bits.free().first_run(0, 4)), "10+4");
  EXPECT_EQ(text_of(bits.free().first_run(0, 5)), "10+4") << "the longest, if none is as long";
  EXPECT_EQ(text_of(bits.free().first_run(5, 1)), "5+2");
  EXPECT_EQ(text_of(bits.free().run_at(4, 2)), "4+2");
  EXPECT_EQ(text_of(bits.free().run_at(7, 2)), "7+0");
  EXPECT_EQ(text_of(bits.free().run_at(12, 9)), "12+2") << "not past the end";
  EXPECT_EQ(bits.free().count_free(), 10u);
  EXPECT_EQ(bits.free().next_used(10), 14u);
  EXPECT_EQ(bits.free().next_free(14), 14u);
}

TEST(BitmapScan, IsWhatALookAtEachBitSays) {
  Prng random(5);
  for (int round = 0; round < 200; ++round) {
    std::string text;
    const std::uint64_t length = 1 + random.below(900);
    while (text.size() < length) text.append(1 + random.below(70), "x.h."[random.below(4)]);
    text.resize(length);
    const Bits bits(text);
    for (std::uint32_t at = 0; at < length; ++at) {
      const auto next = text.find('.', at);
      const auto used = text.find_first_of("xh", at);
      ASSERT_EQ(bits.free().next_free(at), next == std::string::npos ? length : next) << text;
      ASSERT_EQ(bits.free().next_used(at), used == std::string::npos ? length : used) << text;
    }
  }
}

class Full : public ::testing::TestWithParam<const char*> {};

// To the last block, and again after some of it was freed.
TEST_P(Full, NoSpaceIsSaidAndNothingIsHalfDone) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TestMount disk(GetParam(), "10M");
  disk.mount();
  Core& core = disk.core();
  const NodeRef a = disk.make_file("a"), b = disk.make_file("b");
  for (int round = 0; round < 3; ++round) {
    std::uint64_t size = round == 0 ? 0 : 100'000;
    for (std::size_t some = 200'000; some > 0; some /= 2) {
      for (;;) {
        const auto bytes = pattern(some, size);
        const auto count = write_file(core, round % 2 == 0 ? *a : *b, size, bytes);
        if (!count) {
          EXPECT_EQ(count.error().code, Errc::kNoSpace) << error_words(count.error());
          break;
        }
        size += *count;
        if (*count < some) break;
      }
    }
    EXPECT_LT(core.groups->available_blocks(), 16u);
    const NodeRef& grown = round % 2 == 0 ? a : b;
    {
      SharedLock lock(grown->lock);
      EXPECT_EQ(grown->inode.size, size);
    }
    ASSERT_TRUE(disk.mounted->sync());
    TestMount after(disk.crashed());
    after.mount();
    after.unmount();
    EXPECT_TRUE(is_clean(after.device.bytes()));
    ASSERT_TRUE(truncate_file(core, grown, 100'000));
  }
  disk.unmount();
  EXPECT_TRUE(is_clean(disk.device.bytes()));
}

INSTANTIATE_TEST_SUITE_P(Of, Full,
                         ::testing::Values("-b 1024", "-b 4096", "-b 1024 -g 1024",
                                           "-b 1024 -m 0 -O ^flex_bg -g 512"));

TEST(Groups, ReservedBlocksAreNotHandedOut) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TestMount disk("-m 20");
  disk.mount();
  const Groups& groups = *disk.core().groups;
  EXPECT_EQ(groups.available_blocks(), groups.free_blocks() - disk.core().shape.reserved_blocks);
  disk.unmount();
  disk.options.uses_reserved = true;
  disk.mount();
  EXPECT_EQ(disk.core().groups->available_blocks(), disk.core().groups->free_blocks());
}

// Groups that mke2fs never wrote: their bitmaps are made, their flags cleared.
TEST(Groups, GroupsThatWereNeverWrittenAreUsed) {
  SKIP_WITHOUT_TOOL("mke2fs");
  for (const char* kind : {"-b 1024", "-b 1024 -O ^flex_bg", "-b 1024 -O ^metadata_csum,uninit_bg",
                           "-b 1024 -O meta_bg,^resize_inode", "-b 1024 -O sparse_super2"}) {
    SCOPED_TRACE(kind);
    TestMount disk(kind, "64M");
    disk.mount();
    const NodeRef a = disk.make_file("a");
    const auto bytes = pattern(45u << 20, 1);
    const auto count = write_file(disk.core(), *a, 0, bytes);
    ASSERT_TRUE(count) << error_words(count.error());
    ASSERT_EQ(*count, bytes.size());
    disk.unmount();
    EXPECT_TRUE(is_clean(disk.device.bytes()));
    EXPECT_TRUE(content_of(disk.device.bytes(), "/a") == bytes);
  }
}

TEST(Groups, DirectoriesOfTheRootSpreadAndFilesStayNear) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TestMount disk("-b 1024", "64M");
  disk.mount();
  Core& core = disk.core();
  std::set<std::uint32_t> groups;
  std::vector<InodeNo> numbers;
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(core.groups->prepare(BlockNo(0), 1, kRootInode));
    auto handle = core.start(Credits(Groups::kAllocateCredits * 2));
    ASSERT_TRUE(handle);
    const auto directory = core.groups->allocate_inode(*handle, kRootInode, true);
    ASSERT_TRUE(directory);
    groups.insert((directory->value() - 1) / core.shape.inodes_per_group);
    const auto file = core.groups->allocate_inode(*handle, *directory, false);
    ASSERT_TRUE(file);
    EXPECT_EQ((file->value() - 1) / core.shape.inodes_per_group,
              (directory->value() - 1) / core.shape.inodes_per_group);
  }
  EXPECT_GE(groups.size(), 5u);
}

TEST(Groups, WhatIsFreeIsNotFreedAgain) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TestMount disk("");
  disk.mount();
  Core& core = disk.core();
  auto handle = core.start(Credits(20));
  ASSERT_TRUE(handle);
  const auto run = core.groups->allocate(*handle, BlockNo(0), 10);
  ASSERT_TRUE(run);
  const std::uint64_t free = core.groups->free_blocks();
  ASSERT_TRUE(core.groups->release(*handle, *run));
  EXPECT_EQ(core.groups->free_blocks(), free + run->count);
  const auto again = core.groups->release(*handle, *run);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::kCorrupt);
  const auto table = core.groups->release(*handle, {core.groups->descriptor(0).inode_table, 1});
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().code, Errc::kCorrupt);
  const auto number = core.groups->allocate_inode(*handle, kRootInode, false);
  ASSERT_TRUE(number);
  ASSERT_TRUE(core.groups->release_inode(*handle, *number, false));
  const auto inode = core.groups->release_inode(*handle, *number, false);
  ASSERT_FALSE(inode);
  EXPECT_EQ(inode.error().code, Errc::kCorrupt);
}

TEST(Groups, ADamagedBitmapIsPassedOver) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TestMount disk("-b 1024", "32M");
  disk.mount();
  const BlockNo bitmap = disk.core().groups->descriptor(1).block_bitmap;
  ASSERT_TRUE(write_file(disk.core(), *disk.make_file("first"), 0, pattern(10u << 20, 1)));
  disk.unmount();
  disk.device.bytes()[bitmap.value() * 1024 + 1000] ^= 1;
  disk.mount();
  Core& core = disk.core();
  const NodeRef a = disk.make_file("a");
  const auto count = write_file(core, *a, 0, pattern(10u << 20, 1));
  ASSERT_TRUE(count) << error_words(count.error());
  EXPECT_EQ(core.groups->damaged_groups(), 1u);
  {
    SharedLock lock(a->lock);
    ASSERT_TRUE(for_each_run(core, *a, FileBlock(0), [&](const MappedRun& run) {
      EXPECT_NE(core.shape.group_of(run.device), 1u);
      return true;
    }));
  }
  disk.unmount();
  // The next one is told.
  const auto refused = Mounted::open(disk.device, disk.clock, disk.wall_clock, disk.options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kCorrupt);
}

}  // namespace
}  // namespace powercut::fs
