#include "base/units.h"

#include <gtest/gtest.h>

#include <type_traits>

namespace powercut {
namespace {

// What must not mix does not even convert.
static_assert(!std::is_convertible_v<std::uint64_t, BlockNo>);
static_assert(!std::is_convertible_v<BlockNo, std::uint64_t>);
static_assert(!std::is_constructible_v<BlockNo, FileBlock>);
static_assert(!std::is_assignable_v<InodeNo&, LogBlock>);

template <class T>
concept HasLess = requires(T a, T b) { a < b; };
static_assert(HasLess<BlockNo>);
static_assert(!HasLess<Tid>, "transaction numbers wrap: comes_before() is their order");

TEST(Units, CountsAddAndSubtract) {
  BlockNo block(7);
  EXPECT_EQ((block + 3).value(), 10u);
  EXPECT_EQ(BlockNo(10) - BlockNo(7), 3u);
  EXPECT_EQ((++block).value(), 8u);
  EXPECT_LT(BlockNo(7), BlockNo(8));
  EXPECT_EQ(LogBlock(), LogBlock(0));
}

TEST(Tid, OrderOnTheCircle) {
  struct Case {
    std::uint32_t first;
    std::uint32_t second;
    bool comes_before;
  };
  const Case cases[] = {
      {1, 2, true},           {2, 1, false},          {5, 5, false},
      {0xFFFFFFFF, 0, true},  {0, 0xFFFFFFFF, false}, {0xFFFFFFF0, 0x10, true},
      {1, 0x80000000, true},  // as far apart as an order can be
      {0x80000000, 1, false},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(Tid(each.first).comes_before(Tid(each.second)), each.comes_before)
        << each.first << " " << each.second;
  }
}

TEST(Tid, StepsWrap) {
  EXPECT_EQ(Tid(0xFFFFFFFF).next(), Tid(0));
  EXPECT_EQ(Tid(0).previous(), Tid(0xFFFFFFFF));
  EXPECT_EQ(Tid(3).since(Tid(0xFFFFFFFE)), 5u);
}

}  // namespace
}  // namespace powercut
