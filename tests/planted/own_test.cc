// Every fault planted into the stream of our own file system: found by the right judge and rule as
// one cause; and our own mount refuses the states that it leaves, by name, or recovers them.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>

#include "lab/check/cause.h"
#include "tests/planted/own_stream.h"
#include "tests/planted/planted_faults.h"

namespace powercut::planted {
namespace {

constexpr std::string_view kOwnRefused = "recover recovery-refused";
constexpr std::string_view kOwnLost = "recover commit-lost; recover recovery-refused";

struct OwnExpected {
  Fault fault;
  std::string_view first;      // "judge rule" of the first cause; empty: there is no place for it
  std::string_view in_states;  // what the judges of states say first; empty: no state is bad
  std::size_t place = 0;
};
constexpr std::size_t kNoPlace = 1000;
constexpr OwnExpected kOwnTable[] = {
    {Fault::kFlippedDataBit, "tag data-checksum", kOwnRefused},
    {Fault::kFlippedDescriptorBit, "tag descriptor-checksum", kOwnRefused},
    {Fault::kFlippedCommitBit, "tag commit-checksum", kOwnRefused},
    {Fault::kFlippedRevokeBit, "tag revoke-checksum", kOwnRefused},
    {Fault::kChangeAfterChecksum, "tag data-checksum", kOwnRefused},
    {Fault::kDroppedFlushBefore, "order commit-before-flush", kOwnLost},
    // Our commit block is forced: see the test of that.
    {Fault::kDroppedFlushBehind, "", "", kNoPlace},
    // It is forced: its transaction is durable when the last block of that comes.
    {Fault::kCommitOvertakes, "order log-overwritten", kOwnLost},
    {Fault::kHomeBeforeCommit, "order home-before-commit", ""},
    // The tail moves twice in this stream, both times far behind what it passes.
    {Fault::kTailMovedEarly, "", "", kNoPlace},
    {Fault::kLogOverwritten, "order log-overwritten", kOwnRefused},
    // Whoever uses a block again logs it: there is no direct write that a replay could undo.
    {Fault::kLostRevoke, "", ""},
    // Data of a file: no structure is damaged.
    {Fault::kLostHomeWrite, "order tail-before-home", ""},
    {Fault::kStaleLog, "order stale-log", ""},
    {Fault::kMisdirectedWrite, "order misdirected-write", ""},
};
static_assert(std::size(kOwnTable) == kFaultCount);

class OwnPlanted : public ::testing::TestWithParam<OwnExpected> {
 protected:
  void SetUp() override {
    if (own_stream().events.empty()) GTEST_SKIP() << "mke2fs is not here";
  }
};

std::string first_cause(const lab::Recording& recording) {
  const SteadyClock clock;
  const auto causes = lab::find_causes(recording, lab::judge_stream(recording, clock), clock);
  if (causes.empty()) return "";
  if (causes.size() > 1) ADD_FAILURE() << "a second cause: " << causes[1].describe();
  const lab::CheckFinding& first = causes.front().finding.check;
  return std::string(lab::judge_name(first.judge)) + " " + first.rule;
}

TEST(OwnPlantedCanary, TheStreamItselfIsLawful) {
  if (own_stream().events.empty()) GTEST_SKIP() << "mke2fs is not here";
  EXPECT_EQ(first_cause(own_stream()), "");
  const OwnStates states = look_at_own_states(own_stream());
  EXPECT_EQ(states.rules, "");
  EXPECT_EQ(states.mount, "mounted, e2fsck -fn clean");
}

void check_states(const OwnStates& states, std::string_view expected, std::string_view name) {
  EXPECT_TRUE(expected.empty() ? states.rules.empty() : states.rules.starts_with(expected))
      << states.rules;
  // A state that no recovery brings back is refused; all others are mounted.
  const bool is_refused = states.rules.find("recovery-refused") != std::string::npos;
  EXPECT_EQ(states.is_mounted, !is_refused) << states.mount;
  if (expected.empty()) {
    EXPECT_EQ(states.mount, "mounted, e2fsck -fn clean");
  }
  std::cout << name << ": " << states.bad << " of " << states.judged << " states are bad ("
            << states.rules << "); our mount: " << states.mount << '\n';
}

TEST_P(OwnPlanted, IsFoundAndItsStatesAreRefusedOrRecovered) {
  const auto planted = plant(own_stream(), GetParam().fault, GetParam().place);
  ASSERT_EQ(planted.has_value(), !GetParam().first.empty());
  if (!planted) return;
  EXPECT_EQ(first_cause(planted->edited.recording), GetParam().first);
  check_states(look_at_own_states(planted->edited.recording), GetParam().in_states,
               fault_name(GetParam().fault));
}

// The first transaction that relies on it is named.
TEST(OwnPlantedCanary, ACommitBlockThatIsNotForcedIsFound) {
  if (own_stream().events.empty()) GTEST_SKIP() << "mke2fs is not here";
  const Unforced unforced = own_stream_with_unforced_commit();
  EXPECT_EQ(first_cause(unforced.recording), "order commit-not-flushed");
  check_states(look_at_own_states(unforced.recording), "", "commit not forced");
}

std::string own_name_of(const ::testing::TestParamInfo<OwnExpected>& tested) {
  std::string name(fault_name(tested.param.fault));
  std::ranges::replace(name, ' ', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Faults, OwnPlanted, ::testing::ValuesIn(kOwnTable), own_name_of);

}  // namespace
}  // namespace powercut::planted
