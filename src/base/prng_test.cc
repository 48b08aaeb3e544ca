#include "base/prng.h"

#include <gtest/gtest.h>

#include <vector>

namespace powercut {
namespace {

TEST(Prng, KnownValues) {
  // xoshiro256** with its state from splitmix64 of seed 0.
  Prng prng(0);
  constexpr std::uint64_t kExpected[] = {0x99EC5F36CB75F2B4, 0xBF6E1F784956452A, 0x1A5F849D4933E6E0,
                                         0x6AA594F1262D2D2C};
  for (const std::uint64_t expected : kExpected) {
    EXPECT_EQ(prng.next(), expected);
  }
}

TEST(Prng, BelowStaysBelowAndReachesAll) {
  Prng prng(3);
  std::vector<int> counts(5);
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t draw = prng.below(counts.size());
    ASSERT_LT(draw, counts.size());
    ++counts[draw];
  }
  for (const int count : counts) EXPECT_GT(count, 100);  // 200 is the mean
  EXPECT_EQ(prng.below(1), 0u);
  EXPECT_LT(prng.below(~0ull), ~0ull);
}

TEST(PrngDeathTest, BelowZero) {
  Prng prng(0);
  EXPECT_DEATH(prng.below(0), "CHECK failed: a draw below 0");
}

TEST(Prng, ChanceAtItsEnds) {
  Prng prng(4);
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(prng.chance(0, 3));
    EXPECT_TRUE(prng.chance(3, 3));
  }
}

TEST(Prng, FillsEveryLength) {
  for (const std::size_t length : {0u, 1u, 7u, 8u, 9u, 100u}) {
    std::vector<std::uint8_t> bytes(length + 1, 0xEE);
    Prng(5).fill(MutableBytes(bytes).first(length));
    EXPECT_EQ(bytes[length], 0xEE) << "wrote past the end of " << length;
    std::vector<std::uint8_t> again(length);
    Prng(5).fill(again);
    bytes.pop_back();
    EXPECT_EQ(bytes, again);
  }
}

TEST(Prng, AChildDependsOnSeedAndNameOnly) {
  Prng drawn(6);
  drawn.next();
  EXPECT_EQ(drawn.child("writeback").next(), Prng(6).child("writeback").next());
  EXPECT_NE(Prng(6).child("writeback").next(), Prng(6).child("commit").next());
  EXPECT_NE(Prng(6).child("writeback").next(), Prng(7).child("writeback").next());
  EXPECT_NE(Prng(6).child("").next(), Prng(6).next());
}

}  // namespace
}  // namespace powercut
