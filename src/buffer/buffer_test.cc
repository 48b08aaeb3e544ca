#include "buffer/buffer.h"

#include <gtest/gtest.h>

#include "block/memory_device.h"
#include "buffer/buffer_cache.h"

namespace powercut {
namespace {

constexpr std::uint32_t kBlockBytes = 1024;

void set_first(MutableBytes bytes, std::uint8_t value) {
  bytes[0] = value;
}
std::uint8_t first_of(const Content& content) {
  return content ? content.bytes()[0] : 0xEE;
}

TEST(Content, IsCopiedByWhoeverChangesItWhileOthersHoldIt) {
  Content mine = Content::zeroes(kBlockBytes);
  const Content yours = mine;
  EXPECT_TRUE(mine.is(yours));
  set_first(mine.own(), 7);
  EXPECT_FALSE(mine.is(yours));
  EXPECT_EQ(first_of(yours), 0);
  const std::uint8_t* before = mine.bytes().data();
  set_first(mine.own(), 8);
  EXPECT_EQ(mine.bytes().data(), before) << "nobody else holds it: no copy";
}

TEST(ContentDeathTest, SharedBytesAreNotGivenOutToBeChanged) {
  Content mine = Content::zeroes(kBlockBytes);
  const Content yours = mine;
  EXPECT_DEATH(static_cast<void>(mine.mutable_bytes()), "others hold");
}

TEST(Buffer, ATransactionThatCommitsKeepsItsContentWhenTheNextOneChangesTheBlock) {
  Buffer buffer(BlockNo(1), kBlockBytes);
  buffer.offer(Content::zeroes(kBlockBytes));
  const Tid one(1), two(2);
  EXPECT_TRUE(buffer.change_for(one, [](MutableBytes bytes) { set_first(bytes, 1); }));
  EXPECT_FALSE(buffer.change_for(one, [](MutableBytes bytes) { set_first(bytes, 2); }));
  EXPECT_TRUE(buffer.change_for(two, [](MutableBytes bytes) { set_first(bytes, 3); }));
  EXPECT_EQ(first_of(buffer.collect(one)), 2);
  EXPECT_EQ(first_of(buffer.snapshot()), 3);
  EXPECT_EQ(first_of(buffer.collect(two)), 3);
  EXPECT_FALSE(buffer.collect(two)) << "collected once";
  EXPECT_TRUE(buffer.is_clean());
}

TEST(Buffer, WhatWasCollectedDoesNotChangeWithTheBlock) {
  Buffer buffer(BlockNo(1), kBlockBytes);
  buffer.offer(Content::zeroes(kBlockBytes));
  buffer.change_for(Tid(1), [](MutableBytes bytes) { set_first(bytes, 1); });
  const Content logged = buffer.collect(Tid(1));
  buffer.change_for(Tid(2), [](MutableBytes bytes) { set_first(bytes, 2); });
  EXPECT_EQ(first_of(logged), 1);
}

TEST(Buffer, OnlyTheNewestCommittedContentGoesHome) {
  Buffer buffer(BlockNo(1), kBlockBytes);
  buffer.committed(Tid(1), Content::zeroes(kBlockBytes));
  buffer.committed(Tid(2), Content::zeroes(kBlockBytes));
  EXPECT_FALSE(buffer.home_content(Tid(1)));
  EXPECT_TRUE(buffer.home_content(Tid(2)));
  buffer.is_home(Tid(1));
  EXPECT_FALSE(buffer.is_clean());
  buffer.is_home(Tid(2));
  EXPECT_TRUE(buffer.is_clean());
}

TEST(Buffer, ABlockThatIsGivenUpIsNotCollected) {
  Buffer buffer(BlockNo(1), kBlockBytes);
  buffer.offer(Content::zeroes(kBlockBytes));
  buffer.change_for(Tid(1), [](MutableBytes bytes) { set_first(bytes, 1); });
  EXPECT_FALSE(buffer.disown(Tid(2)));
  EXPECT_TRUE(buffer.disown(Tid(1)));
  EXPECT_FALSE(buffer.collect(Tid(1)));
}

TEST(BufferCache, GivesOneBufferForABlockAndReadsItOnce) {
  MemoryDevice device(64 * kBlockBytes);
  device.bytes()[5 * kBlockBytes] = 9;
  BufferCache cache(device, kBlockBytes, 1000);
  const BufferRef buffer = cache.get(BlockNo(5)).value();
  device.bytes()[5 * kBlockBytes] = 10;
  EXPECT_EQ(cache.get(BlockNo(5)).value(), buffer);
  EXPECT_EQ(first_of(buffer->snapshot()), 9);
}

TEST(BufferCache, GivesUpWhatNobodyHoldsAndKeepsTheRest) {
  MemoryDevice device(4096 * kBlockBytes);
  BufferCache cache(device, kBlockBytes, 128);
  const BufferRef kept = cache.get(BlockNo(3)).value();
  for (std::uint64_t block = 0; block < 4096; ++block) ASSERT_TRUE(cache.get(BlockNo(block)));
  EXPECT_LE(cache.size(), 200u);
  EXPECT_EQ(cache.get(BlockNo(3)).value(), kept);
  cache.drop_clean();
  EXPECT_EQ(cache.size(), 1u);
}

TEST(BufferCache, ARunComesWholeWhateverIsHereAlready) {
  MemoryDevice device(64 * kBlockBytes);
  for (std::size_t block = 0; block < 64; ++block) {
    device.bytes()[block * kBlockBytes] = static_cast<std::uint8_t>(block);
  }
  BufferCache cache(device, kBlockBytes, 1000);
  const BufferRef changed = cache.get(BlockNo(12)).value();
  changed->change_for(Tid(1), [](MutableBytes bytes) { set_first(bytes, 99); });
  const auto run = cache.get_run(BlockNo(10), 6).value();
  const std::vector<std::uint8_t> expected = {10, 11, 99, 13, 14, 15};
  for (std::size_t i = 0; i < run.size(); ++i) {
    EXPECT_EQ(first_of(run[i]->snapshot()), expected[i]);
  }
}

TEST(BufferCache, ABlockPastTheEndIsAnError) {
  MemoryDevice device(64 * kBlockBytes);
  BufferCache cache(device, kBlockBytes, 1000);
  const auto past = cache.get(BlockNo(64));
  ASSERT_FALSE(past);
  EXPECT_EQ(past.error().code, Errc::kCorrupt);
}

}  // namespace
}  // namespace powercut
