// The damaged logs of tests/support/damaged_logs in real file systems: recovered by us, by e2fsck
// and by the running kernel (with root), and compared: every block but those of the journal and the
// primary superblock, and what both superblocks say of the recovery.
//
// Each log comes with one of the eight kinds of journal, in turn; what all eight came to when they
// were asked is in eras_test.cc.
#include <gtest/gtest.h>

#include <sys/utsname.h>

#include <cstring>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "block/memory_device.h"
#include "format/ext4.h"
#include "recovery/recovery.h"
#include "tests/support/damaged_logs.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/files.h"
#include "tests/support/loop_mount.h"

namespace powercut {
namespace {

namespace fs = std::filesystem;
using Contents = std::vector<std::uint8_t>;
using testing::DamagedLog;
using testing::read_file;
using testing::write_file;

constexpr std::uint32_t kToolBlockBytes = 1024;

JournalMap map_by_debugfs(const testing::E2fsImage& image, std::uint64_t device_blocks) {
  std::istringstream words(image.debugfs("blocks <8>"));
  std::vector<JournalMap::Run> runs;
  for (std::string word; words >> word;) {
    if (word.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto log = static_cast<std::uint32_t>(runs.size());
    runs.push_back({LogBlock(log), BlockNo(std::stoull(word)), 1});
  }
  auto map = JournalMap::make(runs, kToolBlockBytes, device_blocks);
  CHECK(map, "debugfs names the blocks of the journal");
  return *std::move(map);
}

// A file system of 3 MiB with a journal of 1 MiB, whose blocks from kLogPool on are free.
struct Base {
  explicit Base(bool is_64bit)
      : image({.mke2fs = std::string("-b 1024 -J size=1 -O ") + (is_64bit ? "64bit" : "^64bit"),
               .size = "3M"}),
        bytes(image.bytes()),
        map(map_by_debugfs(image, bytes.size() / kToolBlockBytes)) {}
  testing::E2fsImage image;
  Contents bytes;
  JournalMap map;
};

// What a recovery has left in the two superblocks.
std::string superblocks_text(Bytes image, const JournalMap& map) {
  const auto ext4 =
      Superblock::parse(image.subspan(kSuperblockOffset, kSuperblockBytes), image.size());
  const auto journal = JournalSuperblock::parse(
      image.subspan(map.device_block(LogBlock(0)).value() * kToolBlockBytes, kToolBlockBytes));
  if (!ext4 || !journal) return "cannot be read";
  return "s_start " + std::to_string(journal->start.value()) + ", s_sequence " +
         std::to_string(journal->sequence.value()) + ", s_errno " + std::to_string(journal->error) +
         ", s_state " + std::to_string(ext4->state) +
         (ext4->needs_recovery() ? ", needs recovery" : "");
}

std::vector<std::uint64_t> home_differences(Bytes a, Bytes b, const JournalMap& map) {
  std::vector<std::uint64_t> differences;
  for (std::uint64_t block = 0; (block + 1) * kToolBlockBytes <= a.size(); ++block) {
    if (block == 1 || map.log_block(BlockNo(block))) continue;
    const std::uint64_t at = block * kToolBlockBytes;
    // Sanitizers make a comparison byte by byte slow.
    const bool is_same = std::memcmp(a.data() + at, b.data() + at, kToolBlockBytes) == 0;
    if (!is_same) differences.push_back(block);
  }
  return differences;
}

struct Outcome {
  Contents image;
  bool is_refused = false;
};

Outcome recovered_by_us(Bytes image, const JournalMap& map, RecoverAs rules) {
  MemoryDevice device(Contents(image.begin(), image.end()));
  const auto plan = plan_recovery(device, map, {.recover_as = rules});
  if (plan) {
    EXPECT_TRUE(apply_recovery(*plan, device, map, device));
    const bool is_settled = plan->empties_log || plan->end == RecoveryEnd::kNothingToDo;
    EXPECT_TRUE(!is_settled || mark_recovered(*plan, map, device));
  }
  const Bytes bytes = device.bytes();
  return {{bytes.begin(), bytes.end()}, !plan || plan->end == RecoveryEnd::kRefused};
}

Outcome recovered_by_e2fsck(Bytes image, const fs::path& folder) {
  const fs::path path = folder / "e2fsck.img";
  write_file(path, image);
  const auto said = testing::run_shell(*testing::find_tool("e2fsck") + " -y -E journal_only " +
                                       path.string() + " </dev/null");
  const auto says = [&](const char* word) { return said.output.find(word) != std::string::npos; };
  Contents after = read_file(path);
  after.resize(image.size());
  return {std::move(after), says("orrupt") || says("hecksum") || says("while recovering")};
}

Outcome recovered_by_kernel(Bytes image, const fs::path& folder) {
  const fs::path path = folder / "kernel.img";
  write_file(path, image);
  bool is_refused = false;
  {
    testing::LoopMount mount(path, folder / "mount", "ro");
    is_refused = !mount.is_mounted();
  }
  return {read_file(path), is_refused};
}

RecoverAs rules_of_running_kernel() {
  utsname names = {};
  ::uname(&names);
  return recover_as_of_release(names.release);
}

// Differences on purpose, all in eras_test.cc too.  Those of superblocks and of needs_recovery are
// not decisions of a recovery; a tag that names the log itself is never followed by us.
bool is_compared(const DamagedLog& log, RecoverAs rules) {
  static const std::set<std::string> by_e2fsck = {"tag far past the end", "tag past the end"};
  static const std::set<std::string> never = {"log shorter", "log of 10 blocks", "first is 5"};
  const bool is_of_superblock = log.edit && !log.name.starts_with("superblock, error");
  const bool names_log =
      log.name.starts_with("tag names") && log.name.find("unused") == log.name.npos;
  const bool is_empty = log.name.ends_with("empty");
  return !is_of_superblock && !names_log && !never.contains(log.name) &&
         !(rules == RecoverAs::kE2fsck && (is_empty || by_e2fsck.contains(log.name)));
}

class ErasTools : public ::testing::Test {
 protected:
  // Every log, with one kind of journal each, recovered by `theirs` and by us.
  template <class Theirs>
  void expect_agreement(RecoverAs rules, Theirs theirs) {
    const Base bases[] = {Base(false), Base(true)};
    std::size_t turn = 0, compared = 0;
    for (const DamagedLog& log : testing::damaged_logs()) {
      const std::size_t kind = turn % 4;
      const bool is_async = turn++ % 3 == 0;
      const bool is_64bit = turn / 4 % 2 == 1;
      const Base& base = bases[is_64bit ? 1 : 0];
      if (!is_compared(log, rules)) continue;
      SCOPED_TRACE(log.name + ", checksums " + std::to_string(kind) +
                   (is_async ? ", async" : ", sync"));
      MemoryDevice device(base.bytes);
      JournalSpec spec =
          testing::damaged_log_spec(base.map, static_cast<ChecksumKind>(kind), is_64bit, is_async);
      spec.sequence = Tid(turn % 5 == 0 ? 0xFFFFFFFE : 7);
      testing::put_damaged_log(log, spec, base.map, device);
      const Outcome ours = recovered_by_us(device.bytes(), base.map, rules);
      const Outcome they = theirs(device.bytes(), folder_.path());
      EXPECT_EQ(ours.is_refused, they.is_refused);
      EXPECT_EQ(home_differences(ours.image, they.image, base.map), std::vector<std::uint64_t>());
      EXPECT_EQ(superblocks_text(ours.image, base.map), superblocks_text(they.image, base.map));
      ++compared;
    }
    EXPECT_GT(compared, 80u);
  }

  testing::TemporaryFolder folder_;
};

TEST_F(ErasTools, E2fsckLeavesWhatWeLeave) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_TOOL("debugfs");
  SKIP_WITHOUT_TOOL("e2fsck");
  expect_agreement(RecoverAs::kE2fsck, recovered_by_e2fsck);
}

TEST_F(ErasTools, TheRunningKernelLeavesWhatWeLeave) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_TOOL("debugfs");
  SKIP_WITHOUT_LOOP_MOUNTS();
  expect_agreement(rules_of_running_kernel(), recovered_by_kernel);
}

}  // namespace
}  // namespace powercut
