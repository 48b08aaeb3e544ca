// Faults planted into a stream of two devices: the file system's and its journal's, each with a
// cache of its own, so that a flush of one says nothing of the other.
#include <gtest/gtest.h>

#include <algorithm>

#include "lab/check/cause.h"
#include "tests/planted/planted_faults.h"
#include "tests/planted/states.h"
#include "tests/planted/survey.h"

namespace powercut::planted {
namespace {

using lab::JudgeName;

// Of Linux 6.18, recorded with `powercut run --size 24 --external-journal 5`, a load of creating,
// writing, renaming and deleting files.  data=ordered with dioread_lock: without, Linux does not
// keep the order of data and commits on two devices (docs/findings.md).
lab::Recording stream_of_two_devices() {
  const auto file = File::open(POWERCUT_SOURCE_DIR "/tests/planted/linux-6.18-external.pcrec",
                               File::Access::kRead);
  CHECK(file, "the recording is there");
  auto recording = lab::read_recording(*file, std::uint64_t{256} << 20);
  CHECK(recording, "the recording can be read");
  return std::move(*recording);
}

std::vector<lab::StreamFinding> findings_in_ordered(const lab::Recording& recording) {
  const SteadyClock clock;
  return lab::judge_stream(recording, clock, {lab::DataMode::kOrdered});
}

TEST(TwoDevices, TheStreamItselfIsLawful) {
  const lab::Recording recording = stream_of_two_devices();
  ASSERT_TRUE(recording.split.is_split());
  const Survey survey = survey_of(recording);
  ASSERT_TRUE(survey.map);
  EXPECT_GT(survey.transactions.size(), 10u);
  EXPECT_GT(survey.tails.size(), 2u);
  for (const auto& finding : findings_in_ordered(recording)) {
    ADD_FAILURE() << finding.check.rule << ": " << finding.check.words;
  }
  EXPECT_EQ(seen_in_states(recording, recording), "");
}

TEST(TwoDevices, FaultsAreFoundAsOneCause) {
  struct Case {
    Fault fault;
    std::string_view rule;
    std::string_view in_states;  // what is bad first
    bool is_at_fault = true;     // it is found at the request at fault, not before it
  };
  const Case kCases[] = {
      {Fault::kFlippedDataBit, "data-checksum", "recover recovery-refused"},
      {Fault::kDroppedFlushBefore, "commit-before-flush", "recover recovery-refused"},
      // The next flush is of the other device, and for what is written home by then.
      {Fault::kDroppedFlushBehind, "home-before-commit", "structure", false},
      {Fault::kCommitOvertakes, "commit-overtakes", "recover recovery-refused"},
      {Fault::kTailMovedEarly, "tail-before-home", "structure"},
  };
  const lab::Recording recording = stream_of_two_devices();
  const SteadyClock clock;
  for (const Case& each : kCases) {
    SCOPED_TRACE(fault_name(each.fault));
    const auto planted = plant(recording, each.fault, 0);
    ASSERT_TRUE(planted) << "no place for it";
    const lab::Recording& edited = planted->edited.recording;
    const auto causes = lab::find_causes(edited, lab::judge_stream(edited, clock), clock);
    ASSERT_EQ(causes.size(), 1u);
    EXPECT_EQ(causes.front().finding.check.rule, each.rule);
    EXPECT_EQ(causes.front().finding.check.sequence == planted->sequence, each.is_at_fault);
    const std::string seen = seen_in_states(edited, recording);
    EXPECT_TRUE(seen.starts_with(each.in_states)) << seen;
  }
}

// The tail moves behind flushes of the journal's device alone: what lies home is not durable.
TEST(TwoDevices, AFlushOfTheJournalIsNoneOfTheFileSystem) {
  const lab::Recording recording = stream_of_two_devices();
  lab::RecordingEdit edit(recording);
  for (const lab::RecordedEvent& event : recording.events) {
    const bool is_flush =
        event.kind == lab::EventKind::kSubmitted && event.request == lab::RequestKind::kFlush;
    if (is_flush && recording.split.device_of(event.offset) == 0) edit.remove(event.sequence);
  }
  const lab::EditedRecording edited = edit.take();
  const auto findings = findings_in_ordered(edited.recording);
  const auto has = [&](std::string_view rule) {
    return std::ranges::any_of(
        findings, [&](const lab::StreamFinding& finding) { return finding.check.rule == rule; });
  };
  EXPECT_TRUE(has("tail-before-home"));
  EXPECT_TRUE(has("commit-before-data"));
  EXPECT_FALSE(has("commit-before-flush")) << "the journal's own flushes are there";
  EXPECT_NE(seen_in_states(edited.recording, recording), "");
}

}  // namespace
}  // namespace powercut::planted
