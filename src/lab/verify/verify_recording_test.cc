#include "lab/verify/verify_recording.h"

#include <gtest/gtest.h>

#include "host/machine.h"

namespace powercut::lab {
namespace {

Result<Recording> shipped() {
  const auto file =
      File::open(std::string(POWERCUT_SOURCE_DIR) + "/share/first-find.pcrec", File::Access::kRead);
  if (!file) return Failure{file.error()};
  return read_recording(*file, std::uint64_t{256} << 20);
}

// The writes of Debian's Linux 6.1 under `hunt`, until shortly after its first bad block.
TEST(VerifyRecording, FindsInTheShippedRecordingWhatWasFoundInFlight) {
  const auto recording = shipped();
  ASSERT_TRUE(recording) << recording.error().what;
  const SteadyClock clock;
  const Verification verification = verify_recording(*recording, clock);
  EXPECT_EQ(verification.trouble, "");
  EXPECT_EQ(verification.counters.commit_count, verification.counters.tid_count);
  ASSERT_EQ(verification.findings.size(), 1u);
  const Finding& finding = verification.findings.front();
  EXPECT_EQ(finding.kind, FindingKind::kDataChecksum);
  EXPECT_EQ(finding.tid, Tid(84));
  EXPECT_EQ(finding.log_block, LogBlock(444));
  EXPECT_EQ(finding.home, BlockNo(7708));
  EXPECT_EQ(finding.stored, 0x06433ef9u);
  EXPECT_EQ(finding.computed, 0x04b53bbcu);
  ASSERT_TRUE(finding.owner);
  EXPECT_EQ(finding.owner->path, "/work/hot-2");
}

// One more bit in any block of the log that is checked, and there is one finding more.
TEST(VerifyRecording, AFlippedBitInAJournalBlockOfARealKernelIsFound) {
  auto recording = shipped();
  ASSERT_TRUE(recording) << recording.error().what;
  RecordedView view(*recording);
  for (const RecordedEvent& event : recording->events) {
    if (event.kind == EventKind::kBase) view.apply(event);
  }
  const auto map = locate_journal(Volume::open(view).value()).value();
  const SteadyClock clock;
  std::uint64_t flipped = 0, journal_writes = 0;
  for (RecordedEvent& event : recording->events) {
    if (event.kind != EventKind::kSubmitted || event.request != RequestKind::kWrite) continue;
    const auto log = map.log_block(BlockNo(event.offset / map.block_bytes()));
    // Every 20th request; not the superblock, and not the end of the recording, where the commit
    // block that would show the damage is missing.
    if (!log || *log == LogBlock(0) || ++journal_writes % 20 != 0 || journal_writes > 150) continue;
    std::vector<std::uint8_t> changed(event.data.begin(), event.data.end());
    changed[changed.size() / 2] ^= 0x10;
    const Bytes original = event.data;
    event.data = changed;
    EXPECT_EQ(verify_recording(*recording, clock).findings.size(), 2u) << event.sequence;
    event.data = original;
    ++flipped;
  }
  EXPECT_GE(flipped, 5u);
}

// The shipped recording in format 2, read as it is played.
class StreamedVerification : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto recording = shipped();
    ASSERT_TRUE(recording) << recording.error().what;
    RecordedView view(*recording);
    for (const RecordedEvent& event : recording->events) {
      if (event.kind == EventKind::kBase) view.apply(event);
    }
    const auto writer =
        RecordingWriter::create(folder_.path() / "rec", view, std::uint64_t{1} << 30).value();
    play(*recording, view, {writer.get()});
    ASSERT_TRUE(writer->close());
  }
  Verification verify_from(std::uint64_t first) {
    const File file = File::open(folder_.path() / "rec", File::Access::kRead).value();
    const auto reader = RecordingReader::open(file).value();
    if (first != 0) {
      EXPECT_TRUE(reader->start_at(first));
    }
    const SteadyClock clock;
    return verify_recording(*reader, clock).value();
  }
  TempDirectory folder_ = TempDirectory::make("verify-recording-test").value();
};

TEST_F(StreamedVerification, FindsTheSame) {
  const auto recording = shipped();
  const SteadyClock clock;
  const Verification whole = verify_recording(*recording, clock);
  const Verification streamed = verify_from(0);
  EXPECT_EQ(streamed.trouble, "");
  EXPECT_EQ(streamed.counters.commit_count, whole.counters.commit_count);
  EXPECT_EQ(streamed.counters.verified_count, whole.counters.verified_count);
  ASSERT_EQ(streamed.findings.size(), 1u);
  EXPECT_EQ(streamed.findings[0].tid, Tid(84));
  EXPECT_EQ(streamed.findings[0].when, whole.findings[0].when);
  EXPECT_EQ(streamed.findings[0].owner->path, "/work/hot-2");
}

// A recording may begin anywhere in a transaction, as a fold leaves it: that is no finding.
TEST_F(StreamedVerification, ABeginningInTheMiddleIsNoFinding) {
  for (std::uint64_t first = 1; first < 1000; first += 41) {
    const Verification part = verify_from(first);
    EXPECT_EQ(part.trouble, "") << first;
    for (const Finding& finding : part.findings) EXPECT_EQ(finding.tid, Tid(84)) << first;
  }
}

}  // namespace
}  // namespace powercut::lab
