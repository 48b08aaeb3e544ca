// What is explored while a recording grows is what an exploration of all of it says of the same
// crash points.
#include "lab/campaign/online_explorer.h"

#include <gtest/gtest.h>

#include "host/machine.h"
#include "lab/campaign/online_thread.h"
#include "lab/campaign/state_judges.h"
#include "lab/record/recording_edit.h"
#include "lab/verify/journal_place.h"

namespace powercut::lab {
namespace {

constexpr std::uint64_t kNoBound = std::uint64_t{1} << 40;

// A stream of Linux 6.18 in which one logged block is not what its checksum says.
class OnlineExplorerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto file = File::open(POWERCUT_SOURCE_DIR "/tests/planted/linux-6.18-ordered.pcrec",
                                 File::Access::kRead);
    ASSERT_TRUE(file);
    original_ = read_recording(*file, std::uint64_t{256} << 20).value();
    RecordedView view(original_);
    for (const RecordedEvent& event : original_.events) {
      if (event.kind == EventKind::kBase) view.apply(event);
    }
    map_.emplace(locate_journal(Volume::open(view).value()).value());
    damage();
  }

  // The first data block behind a descriptor in the middle of the stream.
  void damage() {
    const std::uint64_t size = map_->block_bytes();
    RecordingEdit edit(original_);
    for (std::size_t i = original_.events.size() / 2; i < original_.events.size(); ++i) {
      const RecordedEvent& event = original_.events[i];
      const bool is_write =
          event.kind == EventKind::kSubmitted && event.request == RequestKind::kWrite;
      if (!is_write || !map_->log_block(BlockNo(event.offset / size))) continue;
      const auto header = parse_journal_header(event.data.first(size));
      const bool is_descriptor = header && header->is(JournalBlockType::kDescriptor);
      if (!is_descriptor || event.length < 2 * size) continue;
      std::vector<std::uint8_t> bytes(event.data.begin(), event.data.end());
      bytes[size + 100] ^= 1;
      edit.replace(event.sequence, bytes);
      break;
    }
    edited_ = edit.take();
  }

  // Gives the events [first, end) of the stream to the writer.
  void record(std::size_t first, std::size_t end) {
    const std::vector<RecordedEvent>& events = edited_.recording.events;
    for (std::size_t i = first; i < std::min(end, events.size()); ++i) {
      const RecordedEvent& event = events[i];
      const Request request{event.request, event.durability, event.sequence,
                            event.offset,  event.length,     event.data};
      if (event.kind == EventKind::kSubmitted) {
        submitted_[event.sequence] = request;
        writer_->on_submitted(request, event.when);
      } else if (event.kind == EventKind::kCompleted) {
        writer_->on_completed(submitted_[event.sequence], event.when);
      } else if (event.kind == EventKind::kMark) {
        writer_->on_mark({reinterpret_cast<const char*>(event.data.data()), event.data.size()},
                         event.when);
      }
    }
  }
  void begin_recording() {
    RecordedView view(edited_.recording);
    while (edited_.recording.events[base_count_].kind == EventKind::kBase) {
      view.apply(edited_.recording.events[base_count_++]);
    }
    // Small frames, so that the file grows often.
    writer_ = RecordingWriter::create(path(), view, std::uint64_t{2} << 20).value();
  }

  // What an exploration of all of it says of some crash points.
  struct Whole {
    ExplorerCounts counts;
    std::vector<GroupedFinding> findings;
  };
  Whole whole(std::uint64_t first, std::uint64_t end) const {
    auto stream =
        BlockStream::make(edited_.recording, map_->block_bytes(), std::uint64_t{1} << 30).value();
    ExplorerOptions options = online_options().explore.explorer;
    options.first_point = first;
    options.end_point = end;
    options.stream_goes_on = true;
    const StateJudges judges(online_options().explore.judges);
    Explorer explorer(stream, *map_, judges.all(), clock_, options);
    EXPECT_TRUE(explorer.run([](const ExplorerCounts&) { return true; }));
    return {explorer.counts(), explorer.findings()};
  }

  OnlineOptions online_options() const {
    OnlineOptions options;
    options.explore.judges = {JudgeName::kRecover, JudgeName::kStructure};
    options.explore.explorer.states_max = kNoBound;
    // All states, or so few that no random ones are among them.
    options.explore.explorer.walk = {.all_max = 64, .some_max = 2};
    options.explore.explorer.runs = {.all_max = 1024, .random_max = 0};
    options.window_events = window_events_;
    options.window_time = std::chrono::hours(1);
    return options;
  }
  void expect_as_whole(const OnlineResult& online) const {
    ExplorerCounts sum;
    std::uint64_t refusals = 0;
    for (const auto& [first, end] : online.ranges) {
      const Whole part = whole(first, end);
      sum.explored += part.counts.explored;
      sum.whole += part.counts.whole;
      sum.runs += part.counts.runs;
      sum.outcomes += part.counts.outcomes;
      sum.walked += part.counts.walked;
      for (const GroupedFinding& group : part.findings) refusals += group.state_count;
    }
    EXPECT_EQ(online.counts.explored, sum.explored);
    EXPECT_EQ(online.counts.whole, sum.whole);
    EXPECT_EQ(online.counts.runs, sum.runs);
    EXPECT_EQ(online.counts.outcomes, sum.outcomes);
    EXPECT_EQ(online.counts.walked, sum.walked);
    std::uint64_t found = 0;
    for (const GroupedFinding& group : online.findings) found += group.state_count;
    EXPECT_EQ(found, refusals);
  }

  std::filesystem::path path() const { return folder_.path() / "rec"; }

  const TempDirectory folder_ = TempDirectory::make("online-explorer-test").value();
  const SteadyClock clock_;
  std::uint64_t window_events_ = 20'000;
  Recording original_;
  std::optional<JournalMap> map_;
  EditedRecording edited_;
  std::size_t base_count_ = 0;
  std::map<std::uint64_t, Request> submitted_;
  std::unique_ptr<RecordingWriter> writer_;
};

const OnlineExplorer::GoesOn kAlways = [](const ExplorerCounts&,
                                          const std::vector<GroupedFinding>&) { return true; };

TEST_F(OnlineExplorerTest, SaysOfAGrowingRecordingWhatIsSaidOfTheWhole) {
  begin_recording();
  OnlineExplorer online(path(), online_options(), clock_);
  const std::size_t count = edited_.recording.events.size();
  for (std::size_t at = base_count_; at < count; at += 150) {
    record(at, at + 150);
    ASSERT_TRUE(online.explore_next(kAlways));
  }
  ASSERT_TRUE(writer_->close());
  ASSERT_TRUE(online.explore_next(kAlways));
  const OnlineResult& result = online.result();
  EXPECT_GT(result.windows, 3u);
  ASSERT_EQ(result.ranges.size(), 1u) << "no part was left out";
  EXPECT_EQ(result.ranges.front().first, 0u);
  EXPECT_EQ(result.ranges.front().second, count - base_count_);
  expect_as_whole(result);
  // The same states, by the same names.
  const Whole all = whole(0, kNoBound);
  ASSERT_FALSE(all.findings.empty());
  ASSERT_EQ(result.findings.size(), all.findings.size());
  for (std::size_t i = 0; i < all.findings.size(); ++i) {
    EXPECT_EQ(result.findings[i].finding.rule, all.findings[i].finding.rule);
    EXPECT_EQ(result.findings[i].first.crash_point, all.findings[i].first.crash_point);
    EXPECT_EQ(result.findings[i].first.writes, all.findings[i].first.writes);
  }
  EXPECT_GE(result.counts.crash_points, all.counts.crash_points);
  EXPECT_LE(result.counts.crash_points, all.counts.crash_points * 2);
}

TEST_F(OnlineExplorerTest, AWindowBehindASkippedPartSaysTheSame) {
  window_events_ = 400;
  begin_recording();
  OnlineExplorer online(path(), online_options(), clock_);
  const std::size_t count = edited_.recording.events.size();
  for (std::size_t at = base_count_; at < count; at += 900) {
    record(at, at + 900);
    ASSERT_TRUE(online.explore_next(kAlways));
  }
  ASSERT_TRUE(writer_->close());
  ASSERT_TRUE(online.explore_next(kAlways));
  EXPECT_GT(online.result().ranges.size(), 1u) << "parts were left out";
  EXPECT_GT(online.result().counts.explored, 0u);
  expect_as_whole(online.result());
}

TEST_F(OnlineExplorerTest, NothingNewIsNotExploredAgain) {
  begin_recording();
  record(base_count_, edited_.recording.events.size());
  ASSERT_TRUE(writer_->close());
  OnlineExplorer online(path(), online_options(), clock_);
  EXPECT_TRUE(online.explore_next(kAlways).value());
  const std::uint64_t explored = online.result().counts.explored;
  EXPECT_FALSE(online.explore_next(kAlways).value());
  EXPECT_EQ(online.result().counts.explored, explored);
}

TEST_F(OnlineExplorerTest, AThreadTellsFindingsAndEndsWhenItIsTold) {
  begin_recording();
  record(base_count_, edited_.recording.events.size());
  ASSERT_TRUE(writer_->close());
  OnlineOptions options = online_options();
  options.share = 1;
  OnlineThread thread(path(), options, clock_);
  std::vector<GroupedFinding> found;
  while (found.empty()) {
    const OnlineThread::News news = thread.news();
    found.insert(found.end(), news.fresh.begin(), news.fresh.end());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(found.front().finding.judge, JudgeName::kRecover);
  const OnlineResult& result = thread.stop();
  EXPECT_EQ(result.trouble, "");
  EXPECT_FALSE(result.findings.empty());
}

TEST_F(OnlineExplorerTest, AThreadWithoutARecordingSaysWhy) {
  OnlineThread thread(folder_.path() / "none", online_options(), clock_);
  EXPECT_NE(thread.stop().trouble.find("none"), std::string::npos);
}

}  // namespace
}  // namespace powercut::lab
