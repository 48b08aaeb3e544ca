#include "lab/explore/lazy_choices.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace powercut::lab {
namespace {

// Reads slot 0; if it is 1, slots 1 and 2; else slot 3.
std::string run_of(LazyChoices& choices) {
  std::string run = std::to_string(choices.digit(0));
  if (run == "1") {
    run += std::to_string(choices.digit(1));
    run += std::to_string(choices.digit(2));
    run += std::to_string(choices.digit(1));  // again: the same
  } else {
    run += std::to_string(choices.digit(3));
  }
  return run;
}

const std::vector<std::uint32_t> kRadices = {2, 2, 3, 2, 5};

TEST(LazyChoices, MakesEveryRunOnce) {
  LazyChoices choices(kRadices, {}, Prng(1));
  std::vector<std::string> runs;
  do {
    runs.push_back(run_of(choices));
    EXPECT_EQ(choices.made().size(), runs.back()[0] == '1' ? 3u : 2u);
  } while (choices.next());
  const std::vector<std::string> expected = {"00",   "01",   "1000", "1010",
                                             "1020", "1101", "1111", "1121"};
  EXPECT_EQ(runs, expected);
  EXPECT_TRUE(choices.is_whole());
  EXPECT_DOUBLE_EQ(choices.share(), 1);
}

TEST(LazyChoices, DrawsAtRandomBeyondItsBound) {
  LazyChoices choices(kRadices, {.all_max = 3, .random_max = 200}, Prng(1));
  std::set<std::string> runs;
  std::size_t count = 0;
  do {
    runs.insert(run_of(choices));
    ++count;
  } while (choices.next());
  EXPECT_EQ(count, 203u);
  EXPECT_EQ(runs.size(), 8u);
  EXPECT_FALSE(choices.is_whole());
  EXPECT_DOUBLE_EQ(choices.share(), 0.5 + 1.0 / 12);
}

TEST(LazyChoices, OneRunWhereNothingIsAsked) {
  LazyChoices choices({}, {}, Prng(1));
  EXPECT_FALSE(choices.next());
  EXPECT_TRUE(choices.is_whole());
}

}  // namespace
}  // namespace powercut::lab
