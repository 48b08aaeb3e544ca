#include "lab/check/check_finding.h"

#include <gtest/gtest.h>

namespace powercut::lab {
namespace {

TEST(JudgeName, IsFoundByItsName) {
  for (int i = 0; i <= static_cast<int>(JudgeName::kCommand); ++i) {
    const auto judge = static_cast<JudgeName>(i);
    EXPECT_EQ(judge_of(judge_name(judge)), judge);
  }
  EXPECT_EQ(judge_of("taste"), std::nullopt);
}

}  // namespace
}  // namespace powercut::lab
