// The loads of the lab on our own file system, and every state that a power cut could leave of
// their streams: nothing is to be found.
//
// POWERCUT_STATES says how many distinct recovered states there are to be in the long form; a
// million by name:
//   POWERCUT_STATES=1000000 build/dev/tests/simulation/simulation_test --gtest_filter='FsStream*'
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "tests/simulation/fs_stream.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/long_form.h"
#include "tests/support/mount_forms.h"

namespace powercut::testing {
namespace {

const std::vector<FsForm>& stream_forms() {
  static const std::vector<FsForm> kForms = {
      {short_journal_form(1024, 128), "8M", Tid(0xFFFF'FFC0)},
      {short_journal_form(1024, 128) + kOrphanFileFeatures, "8M", Tid(9)},
      {short_journal_form(2048, 128) + " -O ^metadata_csum,^64bit,^dir_index", "12M", Tid(1)},
      {short_journal_form(4096, 128), "16M", Tid(0xFFFF'FFE0)},
  };
  return kForms;
}

const FsScene& form_of(std::uint64_t seed) {
  static std::map<std::uint64_t, FsScene> scenes;
  const std::uint64_t which = seed % stream_forms().size();
  return scenes.try_emplace(which, stream_forms()[which]).first->second;
}

FsLoad load_of_seed(std::uint64_t seed, std::uint64_t operations) {
  constexpr const char* kKinds[] = {"mixed", "rename", "append", "write", "mixed"};
  FsLoad load;
  load.seed = seed;
  load.kind = kKinds[seed % std::size(kKinds)];
  load.operations = operations;
  load.sync_percent = seed % 2 == 0 ? 20 : 60;
  load.has_service = seed % 7 != 0;
  load.single_wait = seed % 8 == 6;  // in the form without checksums, every other time
  return load;
}

std::uint64_t wanted_states() {
  const char* const words = std::getenv("POWERCUT_STATES");
  if (words != nullptr) return std::strtoull(words, nullptr, 10);
  return is_long_form() ? 100'000 : 1500;
}

TEST(FsStream, NoJudgeFindsAnythingInAnyState) {
  SKIP_WITHOUT_TOOL("mke2fs");
  const std::uint64_t wanted = wanted_states();
  const std::uint64_t operations = wanted > 10'000 ? 400 : 60;
  lab::ExplorerCounts sum;
  std::uint64_t loads = 0, commits = 0, checkpoints = 0;
  for (std::uint64_t seed = 1; sum.recovered < wanted; ++seed, ++loads) {
    const RecordedLoad load = record_load(form_of(seed).image(), load_of_seed(seed, operations));
    ASSERT_EQ(load.finding, "") << "seed " << seed;
    const JudgedLoad judged = judge_load(load.recording, 200'000, seed);
    ASSERT_EQ(judged.finding, "") << "seed " << seed;
    commits += load.commits;
    checkpoints += load.checkpoints;
    sum.add(judged.counts);
  }
  std::cout << loads << " loads: " << commits << " commits, " << checkpoints << " checkpoints; "
            << sum.explored << " of " << sum.crash_points << " crash points, " << sum.whole
            << " of them completely; " << sum.walked << " states walked, " << sum.distinct
            << " distinct, " << sum.recovered << " distinct when recovered, " << sum.judged
            << " judged in " << sum.seconds << " s, " << sum.compared << " recovered twice\n";
}

}  // namespace
}  // namespace powercut::testing
