// The journal's writer under every strategy, with the power going at any event; and mistakes of the
// disk's user that must be found.
#include <gtest/gtest.h>

#include <iostream>

#include "tests/simulation/journal_scene.h"
#include "tests/support/e2fs_image.h"

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
class MistakenDevice : public BlockDevice {
 public:
  explicit MistakenDevice(BlockDevice& disk) : disk_(disk) {}
  std::uint64_t size_bytes() const override { return disk_.size_bytes(); }

 protected:
  Result<void> do_read(std::uint64_t offset, MutableBytes into) const override {
    return disk_.read(offset, into);
  }
  Result<void> do_write(std::uint64_t offset, Bytes from, Durability durability) override {
    return disk_.write(offset, from, durability);
  }
  Result<void> do_write_all(std::span<const BlockWrite> writes) override {
    return disk_.write_all(writes);
  }
  Result<void> do_write_zeroes(std::uint64_t offset, std::uint64_t length,
                               Durability durability) override {
    return disk_.write_zeroes(offset, length, durability);
  }
  Result<void> do_discard(std::uint64_t offset, std::uint64_t length) override {
    return disk_.discard(offset, length);
  }
  Result<void> do_flush() override { return disk_.flush(); }

  BlockDevice& disk_;
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
  const std::uint64_t events =
      scene().play({.simulation = {.seed = 1, .trace_steps_max = 0}}).event_count;
  ASSERT_GT(events, 100u);
  std::uint64_t crashes = 0, steps = 0, commits = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SceneOptions options;
    options.simulation.seed = seed;
    options.simulation.strategy = seed % 2 == 0 ? SearchStrategy::kRandom : SearchStrategy::kPct;
    options.simulation.pct_steps = 2000;
    options.disk.seed = seed;
    options.disk.crash_at_event = 1 + seed * 7919 % events;
    options.disk.atomic_bytes = seed % 3 == 0 ? 512 : 4096;
    const SceneResult result = scene().play(options);
    ASSERT_FALSE(result.simulation.has_finding()) << words_of(result);
    ASSERT_EQ(result.finding, "") << words_of(result) << " seed " << seed;
    crashes += result.has_crashed ? 1 : 0;
    steps += result.simulation.steps;
    commits += result.commit_count;
  }
  std::cout << "power cuts: " << crashes << ", steps: " << steps << ", commits: " << commits
            << '\n';
  EXPECT_GT(crashes, 200u);
}

// The seed at which a mistake is found, by what.
std::string found_by(const Decorator& decorator, bool crashes) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SceneOptions options;
    options.simulation.seed = seed;
    options.disk.seed = seed;
    options.disk.crash_at_event = crashes ? 20 + seed * 13 % 300 : 0;
    options.decorator = decorator;
    const SceneResult result = scene().play(options);
    if (!result.finding.empty()) {
      std::cout << "seed " << seed << ": " << result.finding << '\n';
      return result.finding;
    }
  }
  return "nothing";
}

TEST(JournalSimulation, AFlushThatIsLeftOutIsFound) {
  SKIP_WITHOUT_TOOL("mke2fs");
  EXPECT_TRUE(found_by(with<WithoutFlushes>(), false).starts_with("order: "));
  EXPECT_NE(found_by(with<WithoutFlushes>(), true), "nothing");
}

TEST(JournalSimulation, ACommitBlockThatIsNotForcedIsFound) {
  SKIP_WITHOUT_TOOL("mke2fs");
  EXPECT_NE(found_by(with<WithoutForce>(), true), "nothing");
}

TEST(JournalSimulation, ABlockThatChangedOnItsWayIsFound) {
  SKIP_WITHOUT_TOOL("mke2fs");
  EXPECT_TRUE(found_by(with<WithAStaleBlock>(), false).starts_with("tag: checksum changed"));
}

}  // namespace
}  // namespace powercut::testing
