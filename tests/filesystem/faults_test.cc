// Errors of the disk inside operations: for a sequence of operations, each read, write and flush in
// turn fails, once or from then on.  Whatever fails:
//   1. an operation is refused with words, and changed nothing
//   2. after a write or a flush failed, everything is refused (kAborted), and it stays so
//   3. what was acknowledged is there after e2fsck, the tree is a moment of the model, and e2fsck
//      finds nothing the second time
//
// The short form takes some of the requests, the long form all; POWERCUT_SEEDS=N: of so many
// sequences, all of the requests (six take some ten minutes).
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "format/jbd2.h"
#include "fs/journal_place.h"
#include "tests/filesystem/model_run.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/files.h"
#include "tests/support/long_form.h"
#include "tests/support/mounted_image.h"

namespace powercut::fs {
namespace {

constexpr std::array kFaultForms = {
    Form{"Blocks1kFaults", "-b 1024 -N 128 -J size=1", "4M", 1024},
    Form{"OrphanFileFaults", "-b 1024 -N 128 -J size=1 -O orphan_file,metadata_csum_seed", "4M"},
};

// Enough for two turns of a small log.
std::vector<Operation> sequence(std::uint64_t seed) {
  Mix mix = plain_mix();
  mix[static_cast<std::size_t>(Verb::kSync)] *= 4;
  mix[static_cast<std::size_t>(Verb::kSyncFile)] *= 2;
  Prng random(seed);
  return draw_operations(random, 120, mix);
}

// What is marked as having errors is mended by e2fsck, which then finds nothing.
std::vector<std::uint8_t> mended(const std::vector<std::uint8_t>& image) {
  testing::TemporaryFolder folder;
  const std::string path = (folder.path() / "image").string();
  testing::write_file(path, image);
  const std::string program = *testing::find_tool("e2fsck");
  const auto first = testing::run_shell(program + " -fy " + path);
  expect(first.status <= 1, "e2fsck -fy: " + first.output);
  for (const char* damage : {"differ", "wrong", "nvalid", "corrupt", "Unattached", "Illegal"}) {
    expect(first.output.find(damage) == std::string::npos, "e2fsck -fy: " + first.output);
  }
  const auto second = testing::run_shell(program + " -fn " + path);
  expect(second.status == 0, "e2fsck -fn after -fy: " + second.output);
  return testing::read_file(path);
}

// Whether the image says that it was stopped: in the journal's superblock, and in its own.
bool says_so(const std::vector<std::uint8_t>& image) {
  MemoryDevice device(image);
  const auto volume = Volume::open(device);
  if (!volume) return false;
  const auto map = find_journal(device, volume->superblock());
  if (!map) return false;
  const auto journal = read_journal_superblock(device, *map);
  return journal && journal->error != 0 && volume->superblock().has(Ext4State::kErrors);
}

struct Outcome {
  bool has_struck = false, has_stopped = false;
};

void expect_stopped(ModelRun& run, const Fault& fault) {
  const auto sync = run.core().journal->commit();
  expect(!sync && sync.error().code == Errc::kAborted, "a sync after the stop");
  expect(!error_words(sync.error()).empty(), "why it stopped");
  const auto root = run.core().nodes->get(kRootInode);
  if (root) {
    const auto made = make_file(run.core(), **root, "later", {});
    expect(!made && made.error().code == Errc::kAborted, "a change after the stop");
  }
  if (!fault.is_sticky) expect(says_so(run.image()), "the image says that it was stopped");
}

Outcome run_with(const Form& form, std::uint64_t seed, const Fault& fault) {
  ModelRun run(form, {.seed = seed, .nodes_max = 8});
  for (const Operation& operation : sequence(seed)) run.carry_out(operation);
  run.remount_with({.faults = {fault}});
  for (const Operation& operation : sequence(seed + 1000)) run.carry_out(operation);
  Outcome outcome{.has_struck = run.struck_count() != 0, .has_stopped = run.has_stopped()};
  if (!outcome.has_struck) return outcome;
  if (!run.is_mounted()) {
    run.recovered_moment(run.image());
    return outcome;
  }
  if (outcome.has_stopped) {
    expect_stopped(run, fault);
    for (const auto& left : {run.image(), run.cut_image()}) {
      run.expect_moment(words_of_image(mended(left)), Detail::kAll, "e2fsck");
    }
    return outcome;
  }
  expect(fault.on == DiskOperation::kRead, "a failed write that stopped nothing");
  run.end();
  return outcome;
}

struct Kind {
  const char* name;
  DiskOperation on;
  bool is_sticky;
  std::uint64_t step;  // in the short form
};

std::uint64_t seeds_wanted() {
  const char* const words = std::getenv("POWERCUT_SEEDS");
  return words == nullptr ? 1 : std::strtoull(words, nullptr, 10);
}

class Faults : public ::testing::TestWithParam<Kind> {};

TEST_P(Faults, AtEveryRequest) {
  SKIP_WITHOUT_TOOL("mke2fs");
  const Kind& kind = GetParam();
  const std::uint64_t seeds = seeds_wanted();
  const std::uint64_t step = testing::is_long_form() || seeds > 1 ? 1 : kind.step;
  std::uint64_t struck = 0, stopped = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const Form& form = kFaultForms[seed % kFaultForms.size()];
    for (std::uint64_t at = 1;; at += step) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", request " + std::to_string(at));
      Outcome outcome;
      try {
        outcome = run_with(form, seed, {kind.on, at, kind.is_sticky});
      } catch (const Differs& differs) {
        FAIL() << differs.what();
      }
      if (!outcome.has_struck) break;
      ++struck;
      stopped += outcome.has_stopped ? 1 : 0;
    }
  }
  EXPECT_GT(struck, 3u);
  std::cout << struck << " requests failed in turn, " << stopped
            << " of them stopped the journal\n";
}

INSTANTIATE_TEST_SUITE_P(Of, Faults,
                         ::testing::Values(Kind{"Reads", DiskOperation::kRead, false, 2},
                                           Kind{"ReadsFromThere", DiskOperation::kRead, true, 7},
                                           Kind{"Writes", DiskOperation::kWrite, false, 4},
                                           Kind{"WritesFromThere", DiskOperation::kWrite, true, 11},
                                           Kind{"Flushes", DiskOperation::kFlush, false, 1},
                                           Kind{"FlushesFromThere", DiskOperation::kFlush, true,
                                                2}),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace powercut::fs
