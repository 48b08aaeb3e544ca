#include "block/joined_device.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/prng.h"
#include "block/memory_device.h"
#include "block/overlay_device.h"

namespace powercut {
namespace {

// Every operation at random places on two disks joined, and on one disk that is as long.
TEST(JoinedDevice, IsOneDisk) {
  constexpr std::uint64_t kFirst = 5000, kUsed = 4608, kSecond = 3000;
  Prng prng(11);
  MemoryDevice first(kFirst), second(kSecond);
  prng.fill(first.bytes());
  prng.fill(second.bytes());
  const std::vector<std::uint8_t> unused(first.bytes().begin() + kUsed, first.bytes().end());
  MemoryDevice model(kUsed + kSecond);
  std::copy_n(first.bytes().begin(), kUsed, model.bytes().begin());
  copy_bytes(second.bytes(), model.bytes().subspan(kUsed));
  JoinedDevice joined(first, kUsed, second);
  ASSERT_EQ(joined.size_bytes(), kUsed + kSecond);
  for (int step = 0; step < 2000; ++step) {
    const std::uint64_t offset = prng.below(joined.size_bytes() + 1);
    const std::uint64_t length =
        prng.below(std::min<std::uint64_t>(2000, joined.size_bytes() - offset) + 1);
    std::vector<std::uint8_t> data(length), seen(length);
    prng.fill(data);
    switch (prng.below(3)) {
      case 0:
        ASSERT_TRUE(joined.write(offset, data));
        ASSERT_TRUE(model.write(offset, data));
        break;
      case 1:
        ASSERT_TRUE(joined.write_zeroes(offset, length));
        ASSERT_TRUE(model.write_zeroes(offset, length));
        break;
      default:
        ASSERT_TRUE(joined.discard(offset, length));  // memory disks read as zero then
        ASSERT_TRUE(model.discard(offset, length));
    }
    ASSERT_TRUE(joined.read(offset, seen));
    ASSERT_TRUE(std::ranges::equal(seen, model.bytes().subspan(offset, length)));
  }
  ASSERT_TRUE(joined.flush());
  EXPECT_TRUE(std::ranges::equal(first.bytes().first(kUsed), model.bytes().first(kUsed)));
  EXPECT_TRUE(std::ranges::equal(second.bytes(), model.bytes().subspan(kUsed)));
  EXPECT_TRUE(std::ranges::equal(first.bytes().subspan(kUsed), unused));
}

TEST(JoinedDevice, RefusesWhatIsPastItsEnd) {
  MemoryDevice first(4096), second(1024);
  JoinedDevice joined(first, 4096, second);
  std::vector<std::uint8_t> two(2);
  EXPECT_TRUE(joined.read(5118, two));
  EXPECT_EQ(joined.read(5119, two).error().code, Errc::kInvalid);
  EXPECT_EQ(joined.write(~std::uint64_t{0}, two).error().code, Errc::kInvalid);
  EXPECT_EQ(joined.discard(5000, ~std::uint64_t{0}).error().code, Errc::kInvalid);
}

// An error of either disk is the joined disk's.
TEST(JoinedDevice, TellsTheErrorsOfBoth) {
  MemoryDevice first_base(8192), second_base(8192);
  OverlayDevice full(first_base, 0);  // has no room for anything
  MemoryDevice second(8192);
  JoinedDevice first_is_full(full, 8192, second);
  const std::vector<std::uint8_t> data(4096, 1);
  EXPECT_EQ(first_is_full.write(6000, data).error().code, Errc::kNoSpace);
  EXPECT_EQ(second.bytes()[0], 0);  // in order: nothing of it is written behind the error
  EXPECT_TRUE(first_is_full.write(8192, data));
  OverlayDevice also_full(second_base, 0);
  JoinedDevice second_is_full(second, 8192, also_full);
  EXPECT_TRUE(second_is_full.write(0, data));
  EXPECT_EQ(second_is_full.write(6000, data).error().code, Errc::kNoSpace);
}

// Counts how its writes and flushes come.
class CountingDevice final : public BlockDevice {
 public:
  std::uint64_t size_bytes() const override { return 4096; }
  int fua_writes = 0, flushes = 0;

 private:
  Result<void> do_read(std::uint64_t, MutableBytes) const override { return {}; }
  Result<void> do_write(std::uint64_t, Bytes, Durability durability) override {
    fua_writes += durability == Durability::kFua ? 1 : 0;
    return {};
  }
  Result<void> do_write_zeroes(std::uint64_t, std::uint64_t, Durability durability) override {
    fua_writes += durability == Durability::kFua ? 1 : 0;
    return {};
  }
  Result<void> do_discard(std::uint64_t, std::uint64_t) override { return {}; }
  Result<void> do_flush() override {
    ++flushes;
    return {};
  }
};

TEST(JoinedDevice, DurabilityReachesBoth) {
  CountingDevice first, second;
  JoinedDevice joined(first, 4096, second);
  const std::vector<std::uint8_t> data(200, 1);
  ASSERT_TRUE(joined.write(4000, data, Durability::kFua));
  ASSERT_TRUE(joined.write_zeroes(4000, 200, Durability::kFua));
  ASSERT_TRUE(joined.write(4000, data));
  ASSERT_TRUE(joined.flush());
  EXPECT_EQ(first.fua_writes, 2);
  EXPECT_EQ(second.fua_writes, 2);
  EXPECT_EQ(first.flushes, 1);
  EXPECT_EQ(second.flushes, 1);
}

}  // namespace
}  // namespace powercut
