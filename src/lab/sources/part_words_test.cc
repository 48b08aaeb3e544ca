#include "lab/sources/part_words.h"

#include <gtest/gtest.h>

namespace powercut::lab {
namespace {

TEST(PartWords, KeysNumbersAndTheCommand) {
  const auto words = PartWords::parse({"a=1", "b=x=y", "c=", "--", "sh", "d=2", "--"});
  ASSERT_TRUE(words);
  EXPECT_EQ(words->number("a").value(), 1u);
  EXPECT_EQ(words->text("b").value(), "x=y");
  EXPECT_EQ(words->text("c").value(), "");
  EXPECT_EQ(words->text_or("d", "none"), "none");
  EXPECT_EQ(words->command(), (std::vector<std::string>{"sh", "d=2", "--"}));
}

TEST(PartWords, WhatIsNotThereOrNoNumberIsAnError) {
  const auto words = PartWords::parse({"a=x", "b=1x", "c="});
  ASSERT_TRUE(words);
  EXPECT_FALSE(words->text("d"));
  for (const char* const key : {"a", "b", "c", "d"}) EXPECT_FALSE(words->number(key)) << key;
  EXPECT_FALSE(PartWords::parse({"word"}));
  EXPECT_FALSE(PartWords::parse({"a=1", "a=2"}));
}

}  // namespace
}  // namespace powercut::lab
