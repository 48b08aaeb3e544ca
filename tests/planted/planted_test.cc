// Every planted fault is found, by the right judge and rule, at the right request, as one cause and
// no other.
#include <gtest/gtest.h>

#include <algorithm>

#include "lab/check/cause.h"
#include "tests/planted/planted_faults.h"
#include "tests/planted/survey.h"
#include "tests/support/journaled_stream.h"

namespace powercut::planted {
namespace {

using lab::JudgeName;
using testing::JournaledStream;

struct Expected {
  Fault fault;
  std::string_view first;  // "judge rule" of the first cause
};
constexpr Expected kTable[] = {
    {Fault::kFlippedDataBit, "tag data-checksum"},
    {Fault::kFlippedDescriptorBit, "tag descriptor-checksum"},
    {Fault::kFlippedCommitBit, "tag commit-checksum"},
    {Fault::kFlippedRevokeBit, "tag revoke-checksum"},
    {Fault::kChangeAfterChecksum, "tag data-checksum"},
    {Fault::kDroppedFlushBefore, "order commit-before-flush"},
    {Fault::kDroppedFlushBehind, "order commit-not-flushed"},
    {Fault::kCommitOvertakes, "order commit-overtakes"},
    {Fault::kHomeBeforeCommit, "order home-before-commit"},
    {Fault::kTailMovedEarly, "order tail-before-home"},
    {Fault::kLogOverwritten, "order log-overwritten"},
    {Fault::kLostRevoke, "order reuse-without-revoke"},
    {Fault::kLostHomeWrite, "order tail-before-home"},
    {Fault::kStaleLog, "order stale-log"},
    {Fault::kMisdirectedWrite, "order misdirected-write"},
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

TEST_P(PlantedTest, IsFoundAsOneCause) {
  const lab::Recording recording = lawful_stream();
  const SteadyClock clock;
  std::size_t planted_count = 0;
  for (std::size_t index = 0; index < 4; ++index) {
    const auto planted = plant(recording, GetParam().fault, index * 2);
    if (!planted) break;
    ++planted_count;
    SCOPED_TRACE(std::string(fault_name(GetParam().fault)) + " " + std::to_string(index * 2));
    const auto causes = lab::find_causes(planted->edited.recording,
                                         lab::judge_stream(planted->edited.recording, clock), clock);
    ASSERT_EQ(causes.size(), 1u) << causes_text(causes);
    const lab::CheckFinding& first = causes.front().finding.check;
    EXPECT_EQ(std::string(lab::judge_name(first.judge)) + " " + first.rule, GetParam().first);
    EXPECT_EQ(first.sequence, planted->sequence) << causes_text(causes);
  }
  EXPECT_GE(planted_count, 2u);
}

std::string name_of(const ::testing::TestParamInfo<Expected>& tested) {
  std::string name(fault_name(tested.param.fault));
  std::ranges::replace(name, ' ', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Faults, PlantedTest, ::testing::ValuesIn(kTable), name_of);

}  // namespace
}  // namespace powercut::planted
