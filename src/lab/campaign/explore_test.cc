#include "lab/campaign/explore.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "host/machine.h"
#include "tests/support/logged_image.h"

namespace powercut::lab {
namespace {

using powercut::testing::LoggedImage;

// A file system with a transaction in its log; then one block is written and not flushed.
class ExploreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_TOOL("mke2fs");
    image_ = std::make_unique<LoggedImage>();
    image_->builder().add_transaction(image_->blocks(0, 3));
    image_->write();
    base_ = image_->image().bytes();
    written_.assign(image_->block_bytes(), 'w');
    recording_.disk_bytes = base_.size();
    RecordedEvent event;
    event.kind = EventKind::kBase;
    event.length = base_.size();
    event.data = base_;
    recording_.events.push_back(event);
    event = {};
    event.kind = EventKind::kSubmitted;
    event.sequence = 1;
    event.offset = image_->pool()[40].value() * image_->block_bytes();
    event.length = written_.size();
    event.data = written_;
    recording_.events.push_back(event);
  }
  Result<ExploreResult> explored(const ExploreOptions& options) const {
    return explore(recording_, options, clock_, [](const ExplorerCounts&) { return true; });
  }

  std::unique_ptr<LoggedImage> image_;
  std::vector<std::uint8_t> base_, written_;
  Recording recording_;
  SteadyClock clock_;
};

TEST_F(ExploreTest, BothStatesAreJudged) {
  const auto result = explored({});
  ASSERT_TRUE(result) << error_words(result.error());
  EXPECT_EQ(result->counts.judged, 2u);
  EXPECT_FALSE(result->has_findings());
}

TEST_F(ExploreTest, AStateIsWrittenToAFile) {
  const auto folder = TempDirectory::make("explore-test").value();
  ExploreOptions options;
  options.one = StateId{1, "1"};
  options.extract = folder.path() / "state";
  const auto result = explored(options);
  ASSERT_TRUE(result) << error_words(result.error());
  auto expected = base_;
  std::ranges::copy(
      written_, expected.begin() + static_cast<std::ptrdiff_t>(recording_.events.back().offset));
  const auto file = File::open(options.extract, File::Access::kRead).value();
  std::vector<std::uint8_t> found(expected.size());
  ASSERT_TRUE(file.read_at(0, found));
  EXPECT_TRUE(found == expected);
  EXPECT_EQ(explored(options).error().code, Errc::kExists);
}

TEST_F(ExploreTest, WhatCannotBeExploredIsRefused) {
  ExploreOptions options;
  options.one = StateId{7, "none"};
  EXPECT_EQ(explored(options).error().code, Errc::kInvalid);
  options = {};
  options.judges = {JudgeName::kCommand};  // without a command
  EXPECT_EQ(explored(options).error().code, Errc::kInvalid);
  std::ranges::fill(base_, std::uint8_t{0});
  EXPECT_FALSE(explored({}));
}

// What the memory does not do for is left out from its beginning; what is left keeps its names.
TEST(ExploreFile, OfALargeRecordingTheEndIsExplored) {
  const char* const path = POWERCUT_SOURCE_DIR "/tests/planted/linux-6.18-external.pcrec";
  const SteadyClock clock;
  const auto goes_on = [](const ExplorerCounts&) { return true; };
  const auto explored = [&](std::uint64_t memory, const ExploreOptions& options) {
    return explore_file(path, memory, options, clock, goes_on);
  };
  ExploreOptions options;
  options.explorer.states_max = 2000;
  const auto whole = explored(std::uint64_t{1} << 30, options);
  ASSERT_TRUE(whole) << error_words(whole.error());
  EXPECT_EQ(whole->left_out_events, 0u);

  const std::uint64_t too_little = (whole->disk_bytes + (std::uint64_t{1} << 20)) * 16 / 15;
  const auto end = explored(too_little, options);
  ASSERT_TRUE(end) << error_words(end.error());
  EXPECT_GT(end->left_out_events, 0u);
  EXPECT_LT(end->counts.crash_points, whole->counts.crash_points);
  EXPECT_GT(end->counts.judged, 0u);
  EXPECT_FALSE(end->has_findings());

  // The first crash point from that event on.
  const auto choose_state_from = [&](std::uint64_t event) {
    const std::uint64_t last = event + 50;
    do {
      options.one = StateId{event, "none"};
    } while (!explored(std::uint64_t{1} << 30, options) && ++event < last);
    EXPECT_LT(event, last);
  };
  choose_state_from(end->left_out_events - 100);
  EXPECT_EQ(explored(too_little, options).error().code, Errc::kLimit);
  choose_state_from(end->left_out_events + 100);
  EXPECT_TRUE(explored(too_little, options));
  EXPECT_EQ(explored(whole->disk_bytes, options).error().code, Errc::kLimit);
}

}  // namespace
}  // namespace powercut::lab
