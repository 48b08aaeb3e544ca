// The journal's writer under every strategy, with the power going at any event; and mistakes of the
// disk's user that must be found.
#include <gtest/gtest.h>

#include <iostream>

#include "tests/simulation/journal_scene.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/passing_device.h"

namespace powercut::testing {
namespace {

const JournalScene& scene() {
  static const JournalScene kScene;
  return kScene;
}

std::string words_of(const SceneResult& result) {
  return result.finding + "\n" + result.simulation.what + "\n" + result.simulation.repeat;
}

// Passes everything on, but for one mistake.
class MistakenDevice : public PassingDevice {
 public:
  using PassingDevice::PassingDevice;

 protected:
  Result<void> do_write_all(std::span<const BlockWrite> writes) override {
    return disk_.write_all(writes);
  }
};

class WithoutFlushes final : public MistakenDevice {
 public:
  using MistakenDevice::MistakenDevice;

 private:
  Result<void> do_flush() override { return {}; }
};

class WithoutForce final : public MistakenDevice {
 public:
  using MistakenDevice::MistakenDevice;

 private:
  Result<void> do_write(std::uint64_t offset, Bytes from, Durability) override {
    return disk_.write(offset, from);
  }
  Result<void> do_write_all(std::span<const BlockWrite> writes) override {
    std::vector<BlockWrite> unforced(writes.begin(), writes.end());
    for (BlockWrite& write : unforced) write.durability = Durability::kCached;
    return disk_.write_all(unforced);
  }
};

// One block of the log is not what its checksum was made of.
class WithAStaleBlock final : public MistakenDevice {
 public:
  using MistakenDevice::MistakenDevice;

 private:
  Result<void> do_write_all(std::span<const BlockWrite> writes) override {
    std::vector<BlockWrite> changed(writes.begin(), writes.end());
    std::vector<std::uint8_t> bytes;
    if (changed.size() > 1 && ++batch_ == 3) {
      bytes.assign(changed[1].from.begin(), changed[1].from.end());
      ++bytes[100];
      changed[1].from = bytes;
    }
    return disk_.write_all(changed);
  }
  int batch_ = 0;
};

template <class Device>
Decorator with() {
  return [](BlockDevice& disk) { return std::make_unique<Device>(disk); };
}

TEST(JournalSimulation, OneSeedGivesOneTrace) {
  SKIP_WITHOUT_TOOL("mke2fs");
  const SceneOptions options{.simulation = {.seed = 7}};
  const SceneResult first = scene().play(options), second = scene().play(options);
  EXPECT_EQ(first.finding, "") << words_of(first);
  EXPECT_GT(first.commit_count, 5u);
  EXPECT_GT(first.transaction_count, 5u);
  EXPECT_EQ(first.simulation.trace, second.simulation.trace);
  EXPECT_EQ(first.simulation.trace_hash, second.simulation.trace_hash);
  EXPECT_EQ(first.event_count, second.event_count);
}

TEST(JournalSimulation, WhatIsDurableSurvivesAPowerCutAtAnyEvent) {
  SKIP_WITHOUT_TOOL("mke2fs");
  const std::uint64_t events = scene().play({}).event_count;
  ASSERT_GT(events, 100u);
  for (const SearchStrategy strategy : {SearchStrategy::kRandom, SearchStrategy::kPct}) {
    const SceneResult result =
        scene().play({.simulation = {.strategy = strategy, .pct_steps = 2000},
                      .seed_count = 300,
                      .crash_events = events,
                      .tears = true});
    EXPECT_FALSE(result.simulation.has_finding()) << words_of(result);
    EXPECT_GT(result.crash_count, 200u);
    std::cout << "power cuts: " << result.crash_count << ", commits: " << result.commit_count
              << ", evaluated by the order judge: " << result.transaction_count << '\n';
  }
}

// One operation each of two tasks beside the journal's own, with every schedule of two preemptions.
TEST(JournalSimulation, EveryScheduleOfTwoSmallTasksIsRight) {
  SKIP_WITHOUT_TOOL("mke2fs");
  const SceneResult result = scene().play({.simulation = {.strategy = SearchStrategy::kExhaustive,
                                                          .preemptions_max = 2,
                                                          .schedules_max = 5000},
                                           .writers = 2,
                                           .rounds = 1,
                                           .has_service = false});
  EXPECT_FALSE(result.simulation.has_finding()) << words_of(result);
  EXPECT_TRUE(result.simulation.is_complete);
  std::cout << "schedules: " << result.simulation.runs << " with at most 2 preemptions, "
            << result.simulation.states << " states, " << result.simulation.beyond_bound
            << " choices beyond the bound\n";
}

// How a mistake is found.
std::string found_by(const Decorator& decorator, std::uint64_t crash_events) {
  const SceneResult result =
      scene().play({.seed_count = 100, .crash_events = crash_events, .decorator = decorator});
  std::cout << "seed " << result.simulation.seed << ": " << result.finding << '\n';
  return result.finding;
}

TEST(JournalSimulation, AFlushThatIsLeftOutIsFound) {
  SKIP_WITHOUT_TOOL("mke2fs");
  EXPECT_TRUE(found_by(with<WithoutFlushes>(), 0).starts_with("order: "));
}

TEST(JournalSimulation, ACommitBlockThatIsNotForcedIsFound) {
  SKIP_WITHOUT_TOOL("mke2fs");
  EXPECT_NE(found_by(with<WithoutForce>(), 300), "");
}

TEST(JournalSimulation, ABlockThatChangedOnItsWayIsFound) {
  SKIP_WITHOUT_TOOL("mke2fs");
  EXPECT_TRUE(found_by(with<WithAStaleBlock>(), 0).starts_with("tag: checksum changed"));
}

}  // namespace
}  // namespace powercut::testing
