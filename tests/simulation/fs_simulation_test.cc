// The whole file system with the power going at any event: what a recovery finds is a prefix of
// what each task did, with all that was answered.  POWERCUT_SEEDS=N: so many seeds.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "base/trace.h"
#include "tests/simulation/fs_scene.h"
#include "tests/simulation/fs_stream.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/long_form.h"
#include "tests/support/mount_forms.h"

namespace powercut::testing {
namespace {

// Small journals, which wrap; transaction numbers that pass 2^32; no room.
const std::vector<FsForm>& forms() {
  static const std::vector<FsForm> kForms = {
      {short_journal_form(1024, 64), "4M", Tid(0xFFFF'FFF0)},
      {short_journal_form(1024, 64) + kOrphanFileFeatures, "4M", Tid(7), 256},
      {short_journal_form(4096, 64), "9M", Tid(0xFFFF'FFE0)},
      {short_journal_form(2048, 64) + " -I 128 -O ^metadata_csum,^64bit,^dir_index", "5M", Tid(1),
       256},
      {short_journal_form(1024, 64), "4M", Tid(1), 256},
  };
  return kForms;
}

const FsScene& scene_of(std::uint64_t seed) {
  static std::map<std::uint64_t, FsScene> scenes;
  const std::uint64_t which = seed % forms().size();
  return scenes.try_emplace(which, forms()[which]).first->second;
}

FsSceneOptions options_of_seed(std::uint64_t seed) {
  FsSceneOptions options;
  options.seed = seed;
  options.strategy = seed % 3 == 0 ? SearchStrategy::kPct : SearchStrategy::kRandom;
  options.tears = seed % 5 == 0;
  options.has_service = seed % 7 != 0;
  options.single_wait = seed % 10 == 8;  // in the form without checksums, every other time
  options.lives = 5;
  // Every other seed fills the log, so that checkpoints and waits for room are among what is cut.
  options.operations = seed % 2 == 0 ? 120 : 40;
  options.crash_events = seed % 2 == 0 ? 2400 : 700;
  options.asks_e2fsck = seed % 8 == 0;
  return options;
}

std::uint64_t seed_count() {
  const char* const words = std::getenv("POWERCUT_SEEDS");
  if (words != nullptr) return std::stoull(words);
  return is_long_form() ? 2000 : 40;
}

TEST(FsSimulation, OneSeedGivesOneTrace) {
  SKIP_WITHOUT_TOOL("mke2fs");
  const FsSceneOptions options = options_of_seed(2);
  const FsSceneResult first = scene_of(2).run(options), second = scene_of(2).run(options);
  EXPECT_EQ(first.finding, "");
  EXPECT_EQ(first.trace_hash, second.trace_hash);
  EXPECT_EQ(first.events, second.events);
}

TEST(FsSimulation, EveryPowerCutLeavesAPrefixWithAllThatWasAnswered) {
  SKIP_WITHOUT_TOOL("mke2fs");
  const std::uint64_t seeds = seed_count();
  FsSceneResult sum;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const FsSceneResult result = scene_of(seed).run(options_of_seed(seed));
    ASSERT_EQ(result.finding, "") << "seed " << seed;
    sum.add(result);
  }
  std::cout << seeds << " seeds: " << sum.tally.operations << " operations, " << sum.tally.syncs
            << " answered syncs, " << sum.tally.renames_over << " renames over a file, "
            << sum.tally.orphans << " unlinked while open, " << sum.tally.without_room
            << " without room; " << sum.cuts << " power cuts, " << sum.orderly_ends << " unmounts, "
            << sum.recovered_orphans << " orphans recovered; " << sum.commits << " commits, "
            << sum.checkpoints << " checkpoints, " << sum.revokes << " revokes, "
            << sum.waits_for_room << " waits for room; " << sum.events << " events, " << sum.steps
            << " steps\n";
  for (const std::string& point : FsScene::aim_points()) {
    std::cout << point << ": " << sum.passings[point] << '\n';
    EXPECT_TRUE(sum.passings[point] > 0 || seeds < 40) << "nobody comes to " << point;
  }
}

#ifdef POWERCUT_MUTANTS
// Mistakes on purpose in the file system and in the recovery that its mount makes; those of the
// journal and the buffers are journal_litmus_test.cc's.
constexpr const char* kFsMutants[] = {
    "fs.mount.unannounced",  "fs.node.no_tid",      "fs.orphans.left",    "fs.remove.no_orphan",
    "fs.rename.split",       "fs.zero.unclaimed",   "recovery.end.early", "recovery.flush.skip",
    "fs.truncate.no_orphan", "recovery.oldest.kept"};

// The same in all states of a load's stream.
std::string finding_in_states(std::uint64_t seed, const char* mutant) {
  FsLoad load;
  load.kind = seed % 2 == 0 ? "mixed" : "rename";
  load.seed = seed;
  load.sync_percent = 50;
  load.mutants = {mutant};
  const RecordedLoad recorded = record_load(scene_of(seed).image(), load);
  if (!recorded.finding.empty()) return recorded.finding;
  return judge_load(recorded.recording, 5000, seed).finding;
}

class FsMutants : public ::testing::TestWithParam<const char*> {};

TEST_P(FsMutants, IsFound) {
  SKIP_WITHOUT_TOOL("mke2fs");
  constexpr std::uint64_t kSeedsMax = 2000;
  for (std::uint64_t seed = 1; seed <= kSeedsMax; ++seed) {
    FsSceneOptions options = options_of_seed(seed);
    options.mutants = {GetParam()};
    options.asks_e2fsck = true;
    std::string finding = scene_of(seed).run(options).finding;
    if (finding.empty() && seed % 4 == 1) finding = finding_in_states(seed, GetParam());
    if (finding.empty()) continue;
    std::cout << GetParam() << ": seed " << seed << ": " << finding.substr(0, 200) << '\n';
    return;
  }
  FAIL() << GetParam() << " is not found";
}

INSTANTIATE_TEST_SUITE_P(All, FsMutants, ::testing::ValuesIn(kFsMutants), [](const auto& one) {
  std::string name(one.param);
  std::ranges::replace(name, '.', '_');
  return name;
});

TEST(FsMutantNames, AllOfThemAreTried) {
  std::size_t count = 0;
  for (const std::string& name : mutant_names()) {
    if (!name.starts_with("fs.") && !name.starts_with("recovery.")) continue;
    ++count;
    EXPECT_NE(std::ranges::find(kFsMutants, name), std::end(kFsMutants)) << name;
  }
  EXPECT_EQ(count, std::size(kFsMutants));
}
#endif

}  // namespace
}  // namespace powercut::testing
