#include "block/overlay_device.h"

#include <gtest/gtest.h>

#include "base/prng.h"
#include "block/memory_device.h"

namespace powercut {
namespace {

TEST(OverlayDevice, AgreesWithAPlainDiskAndLeavesTheBaseAlone) {
  constexpr std::uint64_t kSize = 10 * 4096 + 512;  // a short last page
  Prng prng(3);
  MemoryDevice base(kSize);
  prng.fill(base.bytes());
  const std::vector<std::uint8_t> before(base.bytes().begin(), base.bytes().end());
  MemoryDevice model(before);
  OverlayDevice overlay(base);
  for (int step = 0; step < 500; ++step) {
    const std::uint64_t offset = prng.below(kSize);
    const std::uint64_t length = prng.below(std::min<std::uint64_t>(9000, kSize - offset) + 1);
    std::vector<std::uint8_t> data(length);
    prng.fill(data);
    if (prng.chance(1, 4)) {
      ASSERT_TRUE(overlay.write_zeroes(offset, length));
      ASSERT_TRUE(model.write_zeroes(offset, length));
    } else {
      ASSERT_TRUE(overlay.write(offset, data));
      ASSERT_TRUE(model.write(offset, data));
    }
    std::vector<std::uint8_t> seen(kSize);
    ASSERT_TRUE(overlay.read(0, seen));
    ASSERT_TRUE(std::ranges::equal(seen, model.bytes()));
  }
  EXPECT_TRUE(std::ranges::equal(before, base.bytes()));
}

TEST(OverlayDevice, StopsAtItsMemoryBound) {
  MemoryDevice base(std::uint64_t{64} << 10);
  OverlayDevice overlay(base, 2 * OverlayDevice::kPageBytes);
  const std::vector<std::uint8_t> one(1, 7);
  EXPECT_TRUE(overlay.write(0, one));
  EXPECT_TRUE(overlay.write(5000, one));
  const auto third = overlay.write(9000, one);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Errc::kNoSpace);
}

TEST(BlockDevice, RefusesRangesPastTheEnd) {
  MemoryDevice disk(4096);
  std::vector<std::uint8_t> bytes(2);
  EXPECT_FALSE(disk.read(4095, bytes));
  EXPECT_FALSE(disk.write(~std::uint64_t{0}, bytes));
  EXPECT_FALSE(disk.discard(1, ~std::uint64_t{0}));
  EXPECT_TRUE(disk.read(4094, bytes));
}

}  // namespace
}  // namespace powercut
