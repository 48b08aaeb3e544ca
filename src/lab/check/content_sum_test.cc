#include "lab/check/content_sum.h"

#include <gtest/gtest.h>

namespace powercut::lab {
namespace {

TEST(SumTable, KeepsANumberForEachSum) {
  SumTable table;
  for (std::uint64_t i = 0; i < 5000; ++i) {
    EXPECT_EQ(table.of(i << 20), 0u);
    table.of(i << 20) = static_cast<std::uint32_t>(i + 1);
  }
  EXPECT_EQ(table.size(), 5000u);
  for (std::uint64_t i = 0; i < 5000; ++i) EXPECT_EQ(table.of(i << 20), i + 1);
}

TEST(PartOfSum, TellsBlockAndContentApart) {
  EXPECT_NE(part_of_sum(BlockNo(1), ContentId(2)), part_of_sum(BlockNo(2), ContentId(1)));
  EXPECT_NE(part_of_sum(BlockNo(1), ContentId(2)), part_of_sum(BlockNo(1), ContentId(3)));
}

}  // namespace
}  // namespace powercut::lab
