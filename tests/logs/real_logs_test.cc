// Logs of real kernels: images copied while the running kernel has them mounted and a load goes on,
// and the recording of a Linux 6.1 that wrote a damaged transaction.
//
// The images are not the same in two runs: those of a failure are kept (hearing.cc).
#include <gtest/gtest.h>

#include "host/file.h"
#include "lab/record/recording_file.h"
#include "tests/logs/hearing.h"
#include "tests/logs/running_load.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/loop_mount.h"

namespace powercut::testing {
namespace {

constexpr std::uint64_t kImagesByDefault = 3;
constexpr int kSteps = 60;
// Before the first image, so that the log has come round.
constexpr int kFirstSteps = 250;

struct RealKind {
  const char* name;
  std::uint32_t block_bytes;
  const char* features;
  const char* mount;
  ChecksumKind checksum;
  bool is_async = false;
  bool has_revokes = false;  // data is not journalled, blocks of removed directories are revoked
};

void PrintTo(const RealKind& kind, std::ostream* out) {
  *out << kind.name;
}

constexpr RealKind kRealKinds[] = {
    {"v3_4k", 4096, "64bit,metadata_csum", "data=journal", ChecksumKind::kV3},
    {"v3_4k_async", 4096, "64bit,metadata_csum", "data=journal,journal_async_commit",
     ChecksumKind::kV3, true},
    {"v3_1k_32bit", 1024, "^64bit,metadata_csum", "data=journal", ChecksumKind::kV3},
    {"v1_4k", 4096, "64bit,^metadata_csum", "data=journal,journal_checksum", ChecksumKind::kV1},
    {"v1_1k_32bit_async", 1024, "^64bit,^metadata_csum",
     "data=journal,journal_checksum,journal_async_commit", ChecksumKind::kV1, true},
    {"none_4k", 4096, "64bit,^metadata_csum", "data=journal", ChecksumKind::kNone},
    {"none_1k_32bit", 1024, "^64bit,^metadata_csum", "data=journal", ChecksumKind::kNone},
    {"ordered_v3_4k", 4096, "64bit,metadata_csum", "data=ordered", ChecksumKind::kV3, false, true},
    {"ordered_v3_1k", 1024, "64bit,metadata_csum", "data=ordered", ChecksumKind::kV3, false, true},
    {"ordered_none_1k", 1024, "^64bit,^metadata_csum", "data=ordered", ChecksumKind::kNone, false,
     true},
};

class RealLogs : public ::testing::TestWithParam<RealKind> {};

void expect_journal_is(const RealKind& kind, const LogImage& log) {
  const auto plan = plan_recovery(BytesView(log.bytes), log.map);
  ASSERT_TRUE(plan) << plan.error().what;
  EXPECT_EQ(plan->superblock.format().checksum, kind.checksum) << log.name;
  EXPECT_EQ(plan->superblock.has(JournalIncompat::kAsyncCommit), kind.is_async) << log.name;
  EXPECT_NE(plan->superblock.start, LogBlock(0)) << log.name;
}

TEST_P(RealLogs, AreRecoveredAsOthersDo) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_TOOL("debugfs");
  SKIP_WITHOUT_LOOP_MOUNTS();
  const RealKind& kind = GetParam();
  const bool is_small = kind.block_bytes == 1024;
  const E2fsImage image({.mke2fs = "-b " + std::to_string(kind.block_bytes) +
                                   " -J size=" + (is_small ? "1" : "4") + " -O " + kind.features,
                         .size = is_small ? "5M" : "14M"});
  ASSERT_TRUE(image.is_made()) << image.log();
  const JournalMap map = map_by_debugfs(image.path().string(), kind.block_bytes);
  Hearing hearing;
  const TemporaryFolder folder;
  LoopMount mount(image.path(), folder.path() / "mount", kind.mount);
  ASSERT_TRUE(mount.is_mounted()) << mount.log();
  RunningLoad load(folder.path() / "mount", 1);
  load.run(kFirstSteps);
  for (std::uint64_t i = 0; i < log_count(kImagesByDefault); ++i) {
    load.run(kSteps);
    // Every third ends with a transaction that is not yet there.
    if (i % 3 != 2) load.commit();
    const MappedFile now(image.path().string());
    const LogImage log = {std::string("real-") + kind.name + "/" + std::to_string(i),
                          {now.bytes().begin(), now.bytes().end()},
                          map};
    expect_journal_is(kind, log);
    hearing.hear(log);
  }
  EXPECT_GT(hearing.figures().transactions, 3u);
  EXPECT_GT(hearing.figures().replayed, 50u);
  if (kind.has_revokes) {
    EXPECT_GT(hearing.figures().revoked, 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(, RealLogs, ::testing::ValuesIn(kRealKinds),
                         [](const auto& named) { return std::string(named.param.name); });

// The disk as it was when the last of `events` was done.
Contents disk_after(const lab::Recording& recording, std::size_t events) {
  lab::RecordedView view(recording);
  for (std::size_t i = 0; i < events; ++i) {
    const lab::RecordedEvent& event = recording.events[i];
    if (event.kind != lab::EventKind::kCompleted) view.apply(event);
  }
  Contents bytes(recording.disk_bytes);
  CHECK(view.read(0, bytes), "a recorded disk can be read");
  return bytes;
}

TEST(RecordedLogs, OfLinux61AreRecoveredAsOthersDo) {
  SKIP_WITHOUT_TOOL("debugfs");
  auto file = File::open(POWERCUT_SOURCE_DIR "/share/first-find.pcrec", File::Access::kRead);
  ASSERT_TRUE(file) << file.error().what;
  const auto recording = lab::read_recording(*file, std::uint64_t{1} << 30);
  ASSERT_TRUE(recording) << recording.error().what;
  Hearing hearing;
  const TemporaryFolder folder;
  for (const std::size_t part : {2U, 3U, 4U}) {
    LogImage log = {"recorded-6.1/" + std::to_string(part),
                    disk_after(*recording, recording->events.size() * part / 4),
                    {}};
    const std::string path = (folder.path() / "image").string();
    write_whole(path, log.bytes);
    log.map = map_by_debugfs(path, 4096);
    hearing.hear(log);
  }
  // The last holds the transaction that was damaged while it was written.
  EXPECT_EQ(hearing.figures().refused, 1u);
  EXPECT_EQ(hearing.figures().skipped, 1u);
}

}  // namespace
}  // namespace powercut::testing
