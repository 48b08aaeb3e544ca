// powercut verify, on the recording that ships.
#include <gtest/gtest.h>

#include "tests/commands/program.h"

namespace powercut::testing {
namespace {

const std::string kShipped = POWERCUT_SOURCE_DIR "/share/first-find.pcrec";

TEST(VerifyCommand, BothJudgesAndTheCausesOfWhatTheyFind) {
  const Ended ended = powercut("verify --json " + kShipped);
  ASSERT_EQ(ended.code, 1) << ended.errors;
  const auto json = ended.json();
  EXPECT_EQ(json["findings"].size(), 1u);
  EXPECT_EQ(json["order"]["findings"].size(), 3u);
  EXPECT_EQ(json["order"]["findings"][0]["rule"], "home-ahead");
  // None of the four follows from another.
  EXPECT_EQ(json["causes"].size(), 4u);
  const Ended text = powercut("verify " + kShipped);
  EXPECT_EQ(text.code, 1);
  EXPECT_TRUE(text.says("order home-ahead: request 410: block 3618")) << text.output;
  EXPECT_TRUE(text.says("cause     order home-ahead, request 410")) << text.output;
}

TEST(VerifyCommand, TheJudgesAreChosen) {
  const Ended order = powercut("verify --json --judges order --data journal " + kShipped);
  EXPECT_EQ(order.code, 1) << order.errors;
  EXPECT_FALSE(order.json().contains("findings"));
  const Ended tag = powercut("verify --json --judges tag " + kShipped);
  EXPECT_EQ(tag.code, 1) << tag.errors;
  EXPECT_TRUE(tag.json()["order"].is_null());
  EXPECT_EQ(powercut("verify --judges nonsense " + kShipped).code, 2);
  EXPECT_EQ(powercut("verify --data nonsense " + kShipped).code, 2);
}

}  // namespace
}  // namespace powercut::testing
