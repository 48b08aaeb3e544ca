#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

namespace powercut {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return fail(Errc::kInvalid, "half: odd", static_cast<std::uint64_t>(number));
  return number / 2;
}

Result<void> halves_twice(int number) {
  const int once = TRY(half(number));
  TRY(half(once));
  return {};
}

Result<std::unique_ptr<int>> boxed(int number) {
  auto box = std::make_unique<int>(TRY(half(number)));
  return box;
}

TEST(Result, HoldsAValueOrAnError) {
  const auto good = half(8);
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, 4);
  const auto bad = half(7);
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().code, Errc::kInvalid);
  EXPECT_STREQ(bad.error().what, "half: odd");
  EXPECT_EQ(bad.error().where, 7u);
}

TEST(Error, InWords) {
  EXPECT_EQ(error_words(fail(Errc::kIo, "disk: gone").error), "disk: gone");
  EXPECT_EQ(error_words(fail(Errc::kCorrupt, "inode: no type", 12).error), "inode: no type (12)");
  EXPECT_EQ(error_words(fail_with(Errc::kNotFound, "cannot open a file", "x: none", 2).error),
            "cannot open a file: x: none");
}

TEST(Result, TryGoesOnOrReturnsTheErrorAsItWasMade) {
  EXPECT_TRUE(halves_twice(8));
  const auto bad = halves_twice(6);  // 3 is odd
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().where, 3u);
  EXPECT_NE(std::string(bad.error().place.file).find("result_test.cc"), std::string::npos);
  EXPECT_EQ(bad.error().place.line, half(7).error().place.line);
}

TEST(Result, MovesWhatCannotBeCopied) {
  auto box = boxed(8);
  ASSERT_TRUE(box);
  const std::unique_ptr<int> taken = std::move(box).value();
  EXPECT_EQ(*taken, 4);
  EXPECT_FALSE(boxed(7));
}

TEST(Result, DetailIsCutOffAtItsCapacity) {
  const auto text_in_error = [](const std::string& text) {
    return std::string(fail_with(Errc::kNotFound, "no such file", text).error.detail.view());
  };
  EXPECT_EQ(text_in_error("/a/path"), "/a/path");
  EXPECT_EQ(text_in_error(std::string(500, 'x')), std::string(Detail::kCapacity - 1, 'x'));
}

TEST(Result, EveryCodeHasAName) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(Errc::kNotPermitted); ++code) {
    names.insert(errc_name(static_cast<Errc>(code)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(Errc::kNotPermitted) + 1);
  EXPECT_EQ(names.count(errc_name(static_cast<Errc>(255))), 0u);
}

TEST(ResultDeathTest, NotLookedAt) {
  const auto bad = half(7);
  EXPECT_DEATH(static_cast<void>(*bad), "CHECK failed: value of a Result that holds an error");
  const auto good = half(8);
  EXPECT_DEATH(static_cast<void>(good.error()), "CHECK failed: error\\(\\) of a Result");
  const Result<void> void_bad = fail(Errc::kIo, "x");
  EXPECT_DEATH(void_bad.value(), "CHECK failed: value of a Result that holds an error");
}

}  // namespace
}  // namespace powercut
