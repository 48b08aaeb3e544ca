// The differences that we know of are really there: each in a log that is made for it.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "base/stored_int.h"
#include "format/jbd2_disk.h"
#include "tests/logs/built_log.h"
#include "tests/logs/known_differences.h"
#include "tests/logs/running_load.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/loop_mount.h"

namespace powercut::testing {
namespace {

// Something differs, and all that does is excused by the known difference of that name.
void expect_known(const LogImage& log, Witness& witness, const std::string& name) {
  SCOPED_TRACE(log.name + ", " + witness.name());
  const OurRecovery ours = recover_ours(log, witness.rules());
  const Comparison comparison = compare(log, witness, ours);
  const KnownDifference* known = known_difference(log, ours, witness);
  ASSERT_NE(known, nullptr) << ours.said;
  EXPECT_EQ(known->name, name);
  EXPECT_FALSE(comparison.differences.empty());
  for (const Difference& difference : comparison.differences) {
    EXPECT_TRUE(known->excused.contains(difference.aspect)) << difference.text;
  }
}

void expect_equal(const LogImage& log, Witness& witness) {
  const auto comparison = compare(log, witness, recover_ours(log, witness.rules()));
  for (const Difference& difference : comparison.differences) ADD_FAILURE() << difference.text;
}

TEST(KnownDifferences, TagOfTheLogItself) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_TOOL("debugfs");
  const char* name = "a tag names a block of the log that is being replayed";
  for (const Harm harm : {Harm::kHomeInLog, Harm::kHomeJournal}) {
    const LogImage log = build_log({.checksum = ChecksumKind::kV3, .harm = harm});
    expect_known(log, *make_debugfs_witness(), name);
    if (find_tool("e2fsck")) expect_known(log, *make_e2fsck_witness(), name);
    if (no_loop_mounts().empty()) {
      expect_known(log, *make_kernel_witness(MountKind::kReadOnly), name);
    }
  }
}

TEST(KnownDifferences, EmptyLog) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_TOOL("debugfs");
  const BaseImage& base = BaseImage::of({});
  const LogImage log = {"empty", base.bytes, base.map};
  expect_known(log, *make_debugfs_witness(), "an empty log");
  if (find_tool("e2fsck")) expect_known(log, *make_e2fsck_witness(), "an empty log");
  if (no_loop_mounts().empty()) {
    expect_equal(log, *make_kernel_witness(MountKind::kReadOnly));
    expect_equal(log, *make_kernel_witness(MountKind::kReadWrite));
  }
}

// Where others differed from us once: the log of such a case, and what all must make of it.
TEST(Equal, TidZeroThatGoesOn) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_TOOL("debugfs");
  BuiltLogSpec spec = {.checksum = ChecksumKind::kV3,
                       .tail = Tail::kOlderTid,
                       .harm = Harm::kCommitChecksum,
                       .position = Position::kLast,
                       .first_tid = Tid(0)};
  // The last of the log is to have tid 0: the first tid is so many before it.
  const auto plan = plan_recovery(BytesView(build_log(spec).bytes), BaseImage::of({}).map);
  ASSERT_TRUE(plan) << plan.error().what;
  ASSERT_FALSE(plan->transactions.empty());
  spec.first_tid = Tid(0u - static_cast<std::uint32_t>(plan->transactions.size()));
  const LogImage log = build_log(spec);
  const OurRecovery ours = recover_ours(log, RecoverAs::kLinux);
  ASSERT_TRUE(ours.plan);
  EXPECT_EQ(ours.plan->end, RecoveryEnd::kClean);
  ASSERT_EQ(ours.plan->damages.size(), 1u);
  EXPECT_EQ(ours.plan->damages[0].tid, Tid(0));
  EXPECT_EQ(ours.plan->transactions.back().tid, Tid(0));
  expect_equal(log, *make_debugfs_witness());
  if (find_tool("e2fsck")) expect_equal(log, *make_e2fsck_witness());
  if (no_loop_mounts().empty()) expect_equal(log, *make_kernel_witness(MountKind::kReadOnly));
}

TEST(Equal, RevokeBlockPastItsEnd) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_TOOL("debugfs");
  const BaseImage& base = BaseImage::of({});
  JournalBuilder builder({.block_bytes = 1024, .log_block_count = 1024});
  const BlockNo home = base.pool.back();
  builder.add_transaction({.blocks = {{home, patterned_block(1024, 1)}}});
  builder.add_transaction({.revokes = {home}, .has_commit = false});
  BuiltWrite& revoke = builder.write_of(Tid(2), BuiltWrite::Kind::kRevoke);
  store(revoke.bytes, offsetof(disk::RevokeHeader, used_bytes), Be32(2000));
  builder.reseal(revoke);
  LogImage log = {"revoke past its end", base.bytes, base.map};
  BytesDevice device(log.bytes);
  ASSERT_TRUE(builder.write_to(device, base.map));
  EXPECT_TRUE(recover_ours(log, RecoverAs::kLinux).is_refused);
  EXPECT_FALSE(recover_ours(log, RecoverAs::kE2fsck).is_refused);
  expect_equal(log, *make_debugfs_witness());
  if (find_tool("e2fsck")) expect_equal(log, *make_e2fsck_witness());
  if (no_loop_mounts().empty()) expect_equal(log, *make_kernel_witness(MountKind::kReadOnly));
}

TEST(KnownDifferences, Orphans) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_TOOL("debugfs");
  SKIP_WITHOUT_LOOP_MOUNTS();
  const E2fsImage image({.mke2fs = "-b 1024 -J size=1 -O ^orphan_file", .size = "5M"});
  ASSERT_TRUE(image.is_made()) << image.log();
  LogImage log = {"orphans", {}, map_by_debugfs(image.path().string(), 1024)};
  {
    const TemporaryFolder folder;
    LoopMount mount(image.path(), folder.path() / "mount", "data=journal");
    ASSERT_TRUE(mount.is_mounted()) << mount.log();
    const auto path = folder.path() / "mount" / "open";
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    const std::vector<char> content(5000, 'x');
    EXPECT_EQ(::write(fd, content.data(), content.size()), 5000);
    EXPECT_EQ(::unlink(path.c_str()), 0);
    RunningLoad(folder.path() / "mount", 1).commit();
    const MappedFile now(image.path().string());
    log.bytes.assign(now.bytes().begin(), now.bytes().end());
    ::close(fd);
  }
  expect_known(log, *make_kernel_witness(MountKind::kReadOnly), "orphans");
  expect_equal(log, *make_debugfs_witness());
}

}  // namespace
}  // namespace powercut::testing
