#include "base/bytes.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <vector>

#include "base/stored_int.h"

namespace powercut {
namespace {

TEST(Load, CopiesOutOrRefusesAtTheEnd) {
  const std::array<std::uint8_t, 6> block{1, 2, 3, 4, 5, 6};
  EXPECT_EQ(load<Be32>(block, 0)->value(), 0x01020304u);
  EXPECT_EQ(load<Be32>(block, 2)->value(), 0x03040506u);
  for (const std::size_t offset :
       {std::size_t{3}, std::size_t{6}, std::size_t{7}, std::numeric_limits<std::size_t>::max()}) {
    const auto past = load<Be32>(block, offset);
    ASSERT_FALSE(past) << offset;
    EXPECT_EQ(past.error().code, Errc::kCorrupt);
    EXPECT_EQ(past.error().where, offset);
  }
  EXPECT_FALSE(load<Be32>(Bytes{}, 0));
}

TEST(Store, PutsInPlace) {
  std::array<std::uint8_t, 6> block{};
  store(MutableBytes(block), 1, Be32(0x01020304));
  EXPECT_EQ(block, (std::array<std::uint8_t, 6>{0, 1, 2, 3, 4, 0}));
}

TEST(StoreDeathTest, PastTheEnd) {
  std::array<std::uint8_t, 6> block{};
  EXPECT_DEATH(store(MutableBytes(block), 3, Be32(1)), "CHECK failed: store past the end");
  EXPECT_DEATH(store(MutableBytes(block), std::numeric_limits<std::size_t>::max(), Be32(1)),
               "CHECK failed: store past the end");
}

TEST(AllZero, OneByteAnywhereIsSeen) {
  EXPECT_TRUE(all_zero({}));
  for (const std::size_t length : {1u, 2u, 63u, 64u, 65u}) {
    std::vector<std::uint8_t> bytes(length);
    EXPECT_TRUE(all_zero(bytes)) << length;
    for (std::size_t i = 0; i < length; ++i) {
      bytes[i] = 1;
      EXPECT_FALSE(all_zero(bytes)) << i << " of " << length;
      bytes[i] = 0;
    }
  }
}

}  // namespace
}  // namespace powercut
