#include "lab/record/fold.h"

#include <gtest/gtest.h>

#include <ranges>

#include "host/machine.h"
#include "lab/record/recording_file.h"
#include "lab/record/recording_test_support.h"

namespace powercut::lab {
namespace {

class FoldTest : public ::testing::Test {
 protected:
  // The same use of a disk of 12 and a half units, with a limit and without one.
  void record(std::uint64_t bytes_max, int steps) {
    Prng(7).fill(MutableBytes(disk_.bytes()).first(3 * 4096 + 100));
    whole_ = RecordingWriter::create(path("whole"), disk_, std::uint64_t{1} << 40).value();
    limited_ = RecordingWriter::create(path("limited"), disk_, bytes_max).value();
    RandomUse use(disk_, {whole_.get(), limited_.get()}, 11);
    use.steps(steps);
    EXPECT_TRUE(whole_->close());
    EXPECT_TRUE(limited_->close());
    EXPECT_EQ(whole_->trouble(), "");
  }
  std::filesystem::path path(const char* name) const { return folder_.path() / name; }

  TempDirectory folder_ = TempDirectory::make("fold-test").value();
  MemoryDevice disk_{12 * 4096 + 2048};
  std::unique_ptr<RecordingWriter> whole_, limited_;
};

TEST_F(FoldTest, AtTheLimitTheOldestPartBecomesTheBase) {
  constexpr std::uint64_t kLimit = 600'000;
  record(kLimit, 4000);
  EXPECT_EQ(limited_->trouble(), "");
  EXPECT_LE(std::filesystem::file_size(path("limited")), kLimit);
  EXPECT_GT(std::filesystem::file_size(path("whole")), 4 * kLimit);
  ASSERT_GT(limited_->folded_events(), 2000u);
  const auto folded = tell(path("limited"));
  ASSERT_TRUE(folded) << folded.error().what;
  // What is left is just the end of the whole one, begun where the other begins.
  const auto whole = tell(path("whole"), limited_->folded_events());
  ASSERT_TRUE(whole) << whole.error().what;
  EXPECT_EQ(folded->first_number, limited_->folded_events());
  EXPECT_EQ(folded->base, whole->base);
  EXPECT_EQ(folded->under_way, whole->under_way);
  EXPECT_EQ(folded->events, whole->events);
}

TEST_F(FoldTest, AFoldLeavesOneWholeFile) {
  record(300'000, 1000);
  const auto recording =
      read_recording(File::open(path("limited"), File::Access::kRead).value(), 1u << 24);
  ASSERT_TRUE(recording) << recording.error().what;
  EXPECT_GT(recording->folded_events, 0u);
  EXPECT_FALSE(recording->is_cut);
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    const std::string name = entry.path().filename();
    EXPECT_EQ(name.find("folding"), std::string::npos) << name;
  }
}

TEST_F(FoldTest, ALimitBelowTheContentOfTheDiskEndsTheRecording) {
  record(60'000, 1000);
  EXPECT_NE(limited_->trouble().find("size limit"), std::string::npos) << limited_->trouble();
  EXPECT_LE(std::filesystem::file_size(path("limited")), 60'000u);
  EXPECT_TRUE(tell(path("limited")));
}

// Starting in the middle is the same as reading from the beginning and doing what was completed.
TEST_F(FoldTest, AStartInTheMiddleGivesTheDiskAsOfThen) {
  record(std::uint64_t{1} << 40, 300);
  const auto all = tell(path("whole"));
  ASSERT_TRUE(all);
  for (const std::size_t first : {std::size_t{1}, std::size_t{7}, std::size_t{150},
                                  all->events.size() - 1, all->events.size()}) {
    const auto part = tell(path("whole"), first);
    ASSERT_TRUE(part) << part.error().what;
    EXPECT_EQ(part->events.size(), all->events.size() - first);
    EXPECT_TRUE(std::ranges::equal(
        part->events, all->events | std::views::drop(static_cast<std::ptrdiff_t>(first))));
  }
  const auto end = tell(path("whole"), all->events.size());
  EXPECT_TRUE(std::ranges::equal(end->base, disk_.bytes()));
  EXPECT_EQ(tell(path("whole"), all->events.size() + 1).error().code, Errc::kInvalid);
}

TEST_F(FoldTest, WhatIsFoldedCannotBeStartedAt) {
  record(300'000, 2000);
  ASSERT_GT(limited_->folded_events(), 1u);
  EXPECT_EQ(tell(path("limited"), 1).error().code, Errc::kInvalid);
}

}  // namespace
}  // namespace powercut::lab
