#include "lab/check/order_stream.h"

#include <gtest/gtest.h>

#include "host/machine.h"
#include "lab/record/recording_edit.h"

namespace powercut::lab {
namespace {

void expect_same(const OrderVerification& one, const OrderVerification& other) {
  EXPECT_EQ(one.trouble, other.trouble);
  EXPECT_EQ(one.counters.transaction_count, other.counters.transaction_count);
  EXPECT_EQ(one.counters.version_count, other.counters.version_count);
  EXPECT_EQ(one.counters.home_write_count, other.counters.home_write_count);
  EXPECT_EQ(one.counters.suspect_count, other.counters.suspect_count);
  EXPECT_EQ(one.counters.settled_count, other.counters.settled_count);
  ASSERT_EQ(one.findings.size(), other.findings.size());
  for (std::size_t i = 0; i < one.findings.size(); ++i) {
    EXPECT_EQ(one.findings[i].rule, other.findings[i].rule);
    EXPECT_EQ(one.findings[i].sequence, other.findings[i].sequence);
    EXPECT_EQ(one.findings[i].words, other.findings[i].words);
  }
}

// The stream as it is, and one without its flushes, event by event and from memory.
TEST(OrderStream, SaysWhatIsSaidOfTheRecordingInMemory) {
  const auto file = File::open(POWERCUT_SOURCE_DIR "/tests/planted/linux-6.18-external.pcrec",
                               File::Access::kRead);
  ASSERT_TRUE(file);
  const Recording recording = read_recording(*file, std::uint64_t{256} << 20).value();
  const auto reader = RecordingReader::open(*file, std::uint64_t{1} << 20).value();
  expect_same(verify_order(*reader).value(), verify_order(recording));

  RecordingEdit edit(recording);
  for (const RecordedEvent& event : recording.events) {
    const bool is_flush =
        event.kind == EventKind::kSubmitted && event.request == RequestKind::kFlush;
    if (is_flush) edit.remove(event.sequence);
  }
  const EditedRecording edited = edit.take();
  const TempDirectory folder = TempDirectory::make("order-stream-test").value();
  RecordedView base(edited.recording), view(edited.recording);
  for (const RecordedEvent& event : edited.recording.events) {
    if (event.kind == EventKind::kBase) base.apply(event);
  }
  const auto path = folder.path() / "rec";
  const auto writer =
      RecordingWriter::create(path, base, std::uint64_t{1} << 30, recording.split).value();
  play(edited.recording, view, {writer.get()});
  ASSERT_TRUE(writer->close());
  const auto written = File::open(path, File::Access::kRead).value();
  const auto again = RecordingReader::open(written, std::uint64_t{1} << 20).value();
  const OrderVerification without = verify_order(*again).value();
  EXPECT_FALSE(without.findings.empty());
  expect_same(without, verify_order(edited.recording));
}

}  // namespace
}  // namespace powercut::lab
