#include "block/window_device.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/prng.h"
#include "block/memory_device.h"

namespace powercut {
namespace {

TEST(WindowDevice, IsAPartOfTheDiskAndTouchesNoOther) {
  constexpr std::uint64_t kBefore = 1536, kLength = 6000, kAfter = 700;
  Prng prng(12);
  MemoryDevice disk(kBefore + kLength + kAfter);
  prng.fill(disk.bytes());
  const std::vector<std::uint8_t> old(disk.bytes().begin(), disk.bytes().end());
  MemoryDevice model(std::vector<std::uint8_t>(old.begin() + kBefore, old.end() - kAfter));
  WindowDevice window(disk, kBefore, kLength);
  ASSERT_EQ(window.size_bytes(), kLength);
  for (int step = 0; step < 1000; ++step) {
    const std::uint64_t offset = prng.below(kLength + 1);
    const std::uint64_t length = prng.below(std::min<std::uint64_t>(900, kLength - offset) + 1);
    std::vector<std::uint8_t> data(length), seen(length);
    prng.fill(data);
    switch (prng.below(3)) {
      case 0:
        ASSERT_TRUE(window.write(offset, data, Durability::kFua));
        ASSERT_TRUE(model.write(offset, data));
        break;
      case 1:
        ASSERT_TRUE(window.write_zeroes(offset, length));
        ASSERT_TRUE(model.write_zeroes(offset, length));
        break;
      default:
        ASSERT_TRUE(window.discard(offset, length));
        ASSERT_TRUE(model.discard(offset, length));
    }
    ASSERT_TRUE(window.read(offset, seen));
    ASSERT_TRUE(std::ranges::equal(seen, model.bytes().subspan(offset, length)));
  }
  ASSERT_TRUE(window.flush());
  const Bytes now = disk.bytes();
  EXPECT_TRUE(std::ranges::equal(now.first(kBefore), Bytes(old).first(kBefore)));
  EXPECT_TRUE(std::ranges::equal(now.subspan(kBefore, kLength), model.bytes()));
  EXPECT_TRUE(std::ranges::equal(now.last(kAfter), Bytes(old).last(kAfter)));
}

TEST(WindowDevice, RefusesWhatTheDiskHasBehindIt) {
  MemoryDevice disk(4096);
  WindowDevice window(disk, 1024, 1024);
  std::vector<std::uint8_t> two(2);
  EXPECT_TRUE(window.read(1022, two));
  EXPECT_EQ(window.read(1023, two).error().code, Errc::kInvalid);
  EXPECT_EQ(window.write(1024, two).error().code, Errc::kInvalid);
  EXPECT_EQ(window.write_zeroes(0, 1025).error().code, Errc::kInvalid);
  EXPECT_EQ(window.discard(~std::uint64_t{0}, 2).error().code, Errc::kInvalid);
  WindowDevice empty(disk, 4096, 0);
  EXPECT_EQ(empty.size_bytes(), 0u);
}

TEST(WindowDeviceDeathTest, LiesInsideItsDisk) {
  MemoryDevice disk(4096);
  EXPECT_DEATH(WindowDevice(disk, 4000, 97), "a window lies inside its disk");
  EXPECT_DEATH(WindowDevice(disk, ~std::uint64_t{0}, 2), "a window lies inside its disk");
}

}  // namespace
}  // namespace powercut
