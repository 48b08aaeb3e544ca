// Every planted fault is found, by the right judge and rule, at the right request, as one cause and
// no other.
#include <gtest/gtest.h>

#include <algorithm>

#include "lab/check/cause.h"
#include "tests/planted/planted_faults.h"
#include "tests/planted/states.h"
#include "tests/planted/survey.h"
#include "tests/support/journaled_stream.h"

namespace powercut::planted {
namespace {

using lab::JudgeName;
using testing::JournaledStream;

struct Expected {
  Fault fault;
  std::string_view first;  // "judge rule" of the first cause
  // What the judges of states say first of a stream of Linux with it; empty: no state is bad, only
  // the order is.
  std::string_view in_states = {};
  bool is_in_ordered = true, is_in_journal = true;  // there is a place for it in Linux's stream
};
constexpr std::string_view kRefused = "recover recovery-refused";
constexpr Expected kTable[] = {
    {Fault::kFlippedDataBit, "tag data-checksum", kRefused},
    {Fault::kFlippedDescriptorBit, "tag descriptor-checksum", kRefused},
    {Fault::kFlippedCommitBit, "tag commit-checksum", kRefused},
    {Fault::kFlippedRevokeBit, "tag revoke-checksum", kRefused, true, false},
    {Fault::kChangeAfterChecksum, "tag data-checksum", kRefused},
    {Fault::kDroppedFlushBefore, "order commit-before-flush", kRefused},
    {Fault::kDroppedFlushBehind, "order commit-not-flushed", ""},
    {Fault::kCommitOvertakes, "order commit-overtakes", kRefused},
    {Fault::kHomeBeforeCommit, "order home-before-commit", ""},
    {Fault::kTailMovedEarly, "order tail-before-home", "structure"},
    {Fault::kLogOverwritten, "order log-overwritten", kRefused},
    {Fault::kLostRevoke, "order reuse-without-revoke", "", false, false},
    {Fault::kLostHomeWrite, "order tail-before-home", "structure"},
    {Fault::kStaleLog, "order stale-log", ""},
    {Fault::kMisdirectedWrite, "order misdirected-write", "structure"},
};
static_assert(std::size(kTable) == kFaultCount);

// A stream of many transactions with revokes, reuse in place, checkpoints and a log that wraps.
lab::Recording lawful_stream() {
  JournalSpec spec;
  spec.start = LogBlock(900);
  spec.sequence = Tid(40);
  JournaledStream stream(spec);
  stream.announce();
  Tid tid = spec.sequence;
  std::uint64_t seed = 1;
  for (int round = 0; round < 12; ++round) {
    TransactionSpec first, second;
    std::vector<std::pair<BlockNo, std::uint64_t>> at_home;
    for (std::size_t i = 0; i < 4; ++i) {
      first.blocks.push_back({stream.file_block(i), stream.content(seed)});
      at_home.emplace_back(stream.file_block(i), seed++);
    }
    const BlockNo reused = stream.file_block(10 + static_cast<std::size_t>(round));
    first.blocks.push_back({reused, stream.content(seed++)});
    stream.commit(first);
    second.revokes = {reused};
    std::vector<BlockNo> freed;
    for (int i = 0; i <= round; ++i) {
      freed.push_back(stream.file_block(10 + static_cast<std::size_t>(i)));
    }
    second.blocks.push_back({stream.bitmap(), stream.bitmap_without(freed)});
    second.blocks.push_back({stream.file_block(5), stream.content(seed)});
    at_home.emplace_back(stream.file_block(5), seed++);
    second.tags_per_descriptor = 1;
    stream.commit(second);
    stream.write_home(reused, stream.content(seed++));  // data of another file, in place
    for (const auto& [block, version] : at_home) stream.write_home(block, stream.content(version));
    stream.write_home(stream.bitmap(), stream.bitmap_without(freed));
    stream.stream().flush();
    tid = tid.next().next();
    stream.write_tail(stream.builder().head(), tid);
    stream.stream().flush();
  }
  return stream.take();
}

std::string causes_text(const std::vector<lab::Cause>& causes) {
  std::string text;
  for (const lab::Cause& cause : causes) text += cause.describe() + "\n";
  return text;
}

class PlantedTest : public ::testing::TestWithParam<Expected> {
 protected:
  void SetUp() override {
    if (testing::small_image().empty()) GTEST_SKIP() << "mke2fs is not here";
  }
};

// The canary of this test: nothing planted, nothing found.
TEST(PlantedCanary, TheStreamItselfIsLawful) {
  if (testing::small_image().empty()) GTEST_SKIP() << "mke2fs is not here";
  const lab::Recording recording = lawful_stream();
  const SteadyClock clock;
  const auto findings = lab::judge_stream(recording, clock);
  for (const auto& finding : findings) ADD_FAILURE() << finding.check.words;
  const Survey survey = survey_of(recording);
  EXPECT_EQ(survey.transactions.size(), 24u);
  EXPECT_EQ(survey.tails.size(), 13u);
}

// Plants the fault into up to `count` places of the stream; how many there were.
std::size_t check_fault(const lab::Recording& recording, const Expected& expected,
                        std::size_t count) {
  const SteadyClock clock;
  for (std::size_t index = 0; index < count; ++index) {
    const auto planted = plant(recording, expected.fault, index * 2);
    if (!planted) return index;
    SCOPED_TRACE(std::string(fault_name(expected.fault)) + " " + std::to_string(index * 2));
    const auto causes = lab::find_causes(
        planted->edited.recording, lab::judge_stream(planted->edited.recording, clock), clock);
    EXPECT_EQ(causes.size(), 1u) << causes_text(causes);
    if (causes.empty()) continue;
    const lab::CheckFinding& first = causes.front().finding.check;
    EXPECT_EQ(std::string(lab::judge_name(first.judge)) + " " + first.rule, expected.first);
    EXPECT_EQ(first.sequence, planted->sequence) << causes_text(causes);
  }
  return count;
}

TEST_P(PlantedTest, IsFoundAsOneCause) {
  EXPECT_GE(check_fault(lawful_stream(), GetParam(), 4), 2u);
}

// Streams of the running Linux 6.18, recorded with `powercut run --size 24 --journal-size 4`, a
// load of creating, writing, renaming, truncating and deleting files.
lab::Recording stream_of_linux(std::string_view mode) {
  const std::string path = std::string(POWERCUT_SOURCE_DIR) + "/tests/planted/linux-6.18-" +
                           std::string(mode) + ".pcrec";
  const auto file = File::open(path, File::Access::kRead);
  CHECK(file, "the recording is there");
  auto recording = lab::read_recording(*file, std::uint64_t{256} << 20);
  CHECK(recording, "the recording can be read");
  return std::move(*recording);
}

TEST(PlantedCanary, TheStreamsOfLinuxAreLawful) {
  for (const std::string_view mode : {"ordered", "journal"}) {
    const SteadyClock clock;
    const lab::OrderOptions options{lab::data_mode_of(mode).value()};
    for (const auto& finding : lab::judge_stream(stream_of_linux(mode), clock, options)) {
      ADD_FAILURE() << mode << ": " << finding.check.rule << ": " << finding.check.words;
    }
  }
}

TEST_P(PlantedTest, IsFoundInTheStreamsOfLinux) {
  const std::size_t in_ordered = check_fault(stream_of_linux("ordered"), GetParam(), 2);
  const std::size_t in_journal = check_fault(stream_of_linux("journal"), GetParam(), 2);
  EXPECT_EQ(in_ordered > 0, GetParam().is_in_ordered);
  EXPECT_EQ(in_journal > 0, GetParam().is_in_journal);
}

TEST_P(PlantedTest, IsSeenInStatesOfLinux) {
  const lab::Recording recording = stream_of_linux("ordered");
  const auto planted = plant(recording, GetParam().fault, 0);
  EXPECT_EQ(planted.has_value(), GetParam().is_in_ordered);
  if (!planted) return;
  const std::string seen = seen_in_states(planted->edited.recording, recording);
  const std::string_view expected = GetParam().in_states;
  EXPECT_TRUE(expected.empty() ? seen.empty() : seen.starts_with(expected)) << seen;
}

TEST(PlantedCanary, NoStateOfTheStreamOfLinuxIsBad) {
  const lab::Recording recording = stream_of_linux("ordered");
  EXPECT_EQ(seen_in_states(recording, recording), "");
}

std::string name_of(const ::testing::TestParamInfo<Expected>& tested) {
  std::string name(fault_name(tested.param.fault));
  std::ranges::replace(name, ' ', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Faults, PlantedTest, ::testing::ValuesIn(kTable), name_of);

}  // namespace
}  // namespace powercut::planted
