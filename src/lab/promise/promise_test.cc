#include "lab/promise/promise.h"

#include <gtest/gtest.h>

namespace powercut::lab {
namespace {

Promise all_clauses() {
  return {
      0xA1B2C3D4,
      {BeginClause{"mixed", DataMode::kJournal},
       FileClause{7, InodeNo(14), 4000000000u, {.is_solid = true, .is_overwritten = true}},
       FileClause{8, InodeNo(15), 0, {}}, SizeClause{7, 4096, 8192},
       SizeClause{7, 4096, SizeClause::kNoLimit}, WordsClause{7, 128, 200, 5},
       WordsClause{7, 0, kIndexMax + 1, WordsClause::kMustBeZero}, GoneClause{8},
       NameClause{InodeNo(12), 7, "x0", false, false},
       NameClause{InodeNo(12), std::nullopt, "x1", false, false},
       NameClause{InodeNo(12), 7, "x2", true, false},
       NameClause{InodeNo(12), std::nullopt, "x2", true, false},
       NameClause{InodeNo(12), std::nullopt, "x3", true, true}, HeldClause{7, 0, 2}, EndClause{}}};
}

TEST(Promise, IsReadAsItWasWritten) {
  const Promise promise = all_clauses();
  const std::string text = promise_text(promise);
  EXPECT_EQ(text,
            "promise1 a1b2c3d4 begin mixed journal; file 7 14 4000000000 so; file 8 15 0 -; "
            "size 7 4096 8192; size 7 4096 -; words 7 128 200 5; words 7 0 1048576 zero; gone 8; "
            "name 12 7 x0; name 12 - x1; may-name 12 7 x2; may-name 12 - x2; may-name 12 ? x3; "
            "held 7 0 2; end");
  const auto read = parse_promise(text);
  ASSERT_TRUE(read) << error_words(read.error());
  EXPECT_EQ(*read, promise);
}

TEST(Promise, WhatHasNoFormIsRefused) {
  for (const char* const clauses : {"",
                                    "begin",
                                    "begin write",
                                    "begin write fast",
                                    "file 1 2 3",
                                    "file 1 2 3 x",
                                    "file 262144 2 3 -",
                                    "file 1 4294967296 3 -",
                                    "size 1 2",
                                    "size 1 3 2",
                                    "size 1 -1 2",
                                    "words 1 1 128 1",
                                    "words 1 128 128 1",
                                    "words 1 0 1048577 1",
                                    "words 1 0 1 1048576",
                                    "words 1 0 1 x",
                                    "gone",
                                    "gone 1 2",
                                    "name 1 ? x",
                                    "name 1 2",
                                    "name 1 2 a/b",
                                    "may-name 1 2 3 4 5 6 7",
                                    "held 1 2 1",
                                    "end 1",
                                    "fly 1",
                                    "end;end",
                                    "end; ; end"}) {
    EXPECT_FALSE(parse_promise("promise1 1 " + std::string(clauses) + " ")) << clauses;
    if (*clauses != '\0') {
      EXPECT_FALSE(parse_promise("promise1 1 " + std::string(clauses))) << clauses;
    }
  }
  EXPECT_FALSE(parse_promise("promise1 x end"));
  EXPECT_FALSE(parse_promise("promise1 100000000 end"));
  EXPECT_FALSE(parse_promise("promise2 1 end"));
  EXPECT_FALSE(parse_promise("promise1 1 " + std::string(kPromiseBytesMax, ' ')));
  EXPECT_FALSE(is_promise("transaction 7 committed"));
}

TEST(SelfWords, SayWhatTheyAre) {
  const WordCode code(77), other(78);
  for (const SelfWord word :
       {SelfWord{0, 0, 1}, SelfWord{kFileMax, kIndexMax, kVersionMax}, SelfWord{5, 1000, 3}}) {
    const std::uint64_t stored = code.encode(word);
    EXPECT_TRUE(code.is_own(stored));
    EXPECT_EQ(WordCode::decode(stored), word);
  }
  EXPECT_FALSE(code.is_own(0));
  // Six bits tell runs apart in one word, so all but a few of many do.
  int taken_count = 0;
  for (std::uint32_t i = 0; i < 640; ++i) taken_count += code.is_own(other.encode({1, i, 1}));
  EXPECT_LT(taken_count, 40);
}

TEST(SelfWords, FillABlockInOrder) {
  const WordCode code(1);
  std::vector<std::uint8_t> block(kUnitBytes);
  code.fill(block, {9, 256, 4});
  for (std::uint32_t i = 0; i < kUnitWords; ++i) {
    const std::uint64_t stored = word_at(block, i * kWordBytes);
    EXPECT_TRUE(code.is_own(stored));
    EXPECT_EQ(WordCode::decode(stored), (SelfWord{9, 256 + i, 4}));
  }
}

}  // namespace
}  // namespace powercut::lab
