#include "fs/mount.h"

#include <gtest/gtest.h>

#include "fs/journal_place.h"
#include "recovery/recovery.h"
#include "tests/support/mounted_image.h"
#include "tests/support/passing_device.h"

namespace powercut::fs {
namespace {

Superblock superblock_of(const BlockView& device) {
  std::array<std::uint8_t, kSuperblockBytes> bytes{};
  EXPECT_TRUE(device.read(kSuperblockOffset, bytes));
  auto superblock = Superblock::parse(bytes, device.size_bytes());
  EXPECT_TRUE(superblock) << error_words(superblock.error());
  return *superblock;
}

void change_superblock_of(BlockDevice& device, const std::function<void(Superblock&)>& change) {
  std::array<std::uint8_t, kSuperblockBytes> bytes{};
  ASSERT_TRUE(device.read(kSuperblockOffset, bytes));
  auto superblock = Superblock::parse(bytes, device.size_bytes());
  ASSERT_TRUE(superblock);
  change(*superblock);
  superblock->encode(bytes);
  ASSERT_TRUE(device.write(kSuperblockOffset, bytes));
}

TEST(Mount, SaysThatItIsMountedAndThatItWas) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TestMount disk("");
  disk.mount();
  Superblock superblock = superblock_of(disk.device);
  EXPECT_TRUE(superblock.needs_recovery());
  EXPECT_EQ(superblock.mount_count, 1);
  EXPECT_EQ(superblock.mount_seconds, 1'700'000'000u);
  disk.unmount();
  superblock = superblock_of(disk.device);
  EXPECT_FALSE(superblock.needs_recovery());
  EXPECT_EQ(superblock.mount_count, 1);
  EXPECT_TRUE(superblock.has(Ext4State::kValid));
  EXPECT_TRUE(is_clean(disk.device.bytes()));
  disk.mount();
  EXPECT_EQ(superblock_of(disk.device).mount_count, 2);
}

struct Refused {
  const char* mke2fs;
  Errc code;
  const char* word;
};
class Refusals : public ::testing::TestWithParam<Refused> {};

TEST_P(Refusals, AreByName) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TestMount disk(GetParam().mke2fs);
  const auto before = disk.crashed();
  const auto refused = Mounted::open(disk.device, disk.clock, disk.wall_clock, disk.options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, GetParam().code) << error_words(refused.error());
  EXPECT_NE(error_words(refused.error()).find(GetParam().word), std::string::npos)
      << error_words(refused.error());
  EXPECT_TRUE(disk.crashed() == before) << "nothing was written";
  disk.options.is_read_only = true;
  disk.mount();
  EXPECT_TRUE(disk.core().nodes->get(kRootInode));
  EXPECT_FALSE(disk.core().start(Credits(1)));
  disk.unmount();
  EXPECT_TRUE(disk.crashed() == before) << "nothing was written";
}

INSTANTIATE_TEST_SUITE_P(
    Of, Refusals,
    ::testing::Values(Refused{"-O bigalloc", Errc::kReadOnly, "bigalloc"},
                      Refused{"-O quota", Errc::kReadOnly, "quota"},
                      Refused{"-O mmp", Errc::kUnsupported, "mmp"},
                      Refused{"-O casefold", Errc::kUnsupported, "casefold"},
                      Refused{"-O encrypt", Errc::kUnsupported, "encrypt"},
                      Refused{"-O ^has_journal", Errc::kUnsupported, "has_journal"},
                      Refused{"-O ^extent,^64bit", Errc::kUnsupported, "extent"}));

TEST(Mount, ARoCompatBitOfTheFutureIsReadOnly) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TestMount disk("");
  change_superblock_of(disk.device,
                       [](Superblock& superblock) { superblock.ro_compat |= 0x40000000; });
  const auto refused = Mounted::open(disk.device, disk.clock, disk.wall_clock, disk.options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kReadOnly);
  disk.options.is_read_only = true;
  disk.mount();
}

TEST(Mount, WithErrorsOnlyIfAsked) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TestMount disk("");
  change_superblock_of(disk.device, [](Superblock& superblock) { superblock.state |= 2; });
  const auto refused = Mounted::open(disk.device, disk.clock, disk.wall_clock, disk.options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kCorrupt);
  disk.options.allows_errors = true;
  disk.mount();
  disk.unmount();
  EXPECT_TRUE(superblock_of(disk.device).has(Ext4State::kErrors)) << "a mount does not mend";
}

TEST(Mount, ReadOnlyReadsAndRecovers) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TestMount disk("");
  disk.mount();
  const auto bytes = pattern(70'000, 1);
  ASSERT_TRUE(write_file(disk.core(), *disk.make_file("a"), 0, bytes));
  ASSERT_TRUE(disk.mounted->sync());
  TestMount after(disk.crashed());
  after.options.is_read_only = true;
  after.mount();
  std::vector<std::uint8_t> back(bytes.size());
  ASSERT_TRUE(read_file(after.core(), *after.file("a"), 0, back));
  EXPECT_TRUE(back == bytes);
  const auto written = write_file(after.core(), *after.file("a"), 0, bytes);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Errc::kReadOnly);
  const auto cut = truncate_file(after.core(), after.file("a"), 0);
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, Errc::kReadOnly);
  after.unmount();
  EXPECT_FALSE(superblock_of(after.device).needs_recovery());
}

TEST(Mount, TheNextTransactionIsBeyondAllInTheRing) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TestMount disk("-b 1024 -J size=1");
  disk.options.first_tid = Tid(0xFFFFFFF0);
  disk.mount();
  const NodeRef node = disk.make_file("a");
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(write_file(disk.core(), *node, 0, pattern(20'000, 1)));
    ASSERT_TRUE(disk.mounted->sync());
    if (i % 7 != 0) continue;
    TestMount after(disk.crashed());
    after.mount();
    const auto map = find_journal(after.device, after.core().shape);
    ASSERT_TRUE(map);
    const auto superblock = read_journal_superblock(after.device, *map);
    ASSERT_TRUE(superblock);
    std::vector<std::uint8_t> block(1024);
    for (std::uint32_t log = 1; log < map->block_count(); ++log) {
      ASSERT_TRUE(after.device.read(map->device_block(LogBlock(log)).value() * 1024, block));
      const auto header = parse_journal_header(block);
      if (!header) continue;
      ASSERT_TRUE(header->tid.comes_before(superblock->sequence)) << header->tid.value();
    }
    after.unmount();
    ASSERT_TRUE(is_clean(after.device.bytes()));
  }
}

TEST(Mount, ALogThatNobodyNeedsIsEmptied) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TestMount disk("");
  disk.mount();
  ASSERT_TRUE(write_file(disk.core(), *disk.make_file("a"), 0, pattern(1000, 1)));
  ASSERT_TRUE(disk.mounted->sync());
  // As if somebody had said that it was recovered.
  TestMount after(disk.crashed());
  change_superblock_of(after.device, [](Superblock& superblock) {
    superblock.incompat &= ~static_cast<std::uint32_t>(Ext4Incompat::kRecover);
  });
  after.mount();
  const auto root = after.core().nodes->get(kRootInode);
  ASSERT_TRUE(root);
  {
    SharedLock lock((*root)->lock);
    EXPECT_FALSE(find_name(after.core(), **root, "a")) << "not replayed";
  }
  after.unmount();
  EXPECT_TRUE(is_clean(after.device.bytes()));
}

TEST(Mount, ADamagedLogIsRefused) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TestMount disk("");
  disk.mount();
  const auto bytes = pattern(4096, 99);
  ASSERT_TRUE(write_file(disk.core(), *disk.make_file("a"), 0, bytes));
  ASSERT_TRUE(disk.mounted->sync());
  std::vector<std::uint8_t> image = disk.crashed();
  const auto at = std::search(image.begin(), image.end(), bytes.begin(), bytes.end());
  ASSERT_NE(at, image.end());
  *at = static_cast<std::uint8_t>(*at ^ 1);
  TestMount after(image);
  const auto refused = Mounted::open(after.device, after.clock, after.wall_clock, after.options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kCorrupt) << error_words(refused.error());
}

// Passes on until it is told to fail every write.
class FailingDevice final : public testing::PassingDevice {
 public:
  using PassingDevice::PassingDevice;
  int writes_left = 1 << 30;

 private:
  Result<void> do_write(std::uint64_t offset, Bytes from, Durability durability) override {
    if (writes_left <= 0) return fail(Errc::kIo, "device: a planted error");
    --writes_left;
    return PassingDevice::do_write(offset, from, durability);
  }
};

TEST(Mount, AFailedWriteStopsEverythingAndIsToldToTheNext) {
  SKIP_WITHOUT_TOOL("mke2fs");
  for (int writes = 0; writes < 6; ++writes) {
    SCOPED_TRACE(writes);
    TestMount disk("");
    FailingDevice failing(disk.device);
    disk.on = &failing;
    disk.mount();
    const NodeRef node = disk.make_file("a");
    const auto bytes = pattern(50'000, 1);
    ASSERT_TRUE(write_file(disk.core(), *node, 0, bytes));
    ASSERT_TRUE(disk.mounted->sync());
    ASSERT_TRUE(write_file(disk.core(), *node, 0, pattern(90'000, 2)));
    failing.writes_left = writes;
    if (disk.mounted->sync()) continue;  // it needed no more writes than that
    failing.writes_left = 1 << 30;
    const auto refused = write_file(disk.core(), *node, 0, bytes);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::kAborted) << error_words(refused.error());
    EXPECT_FALSE(disk.mounted->close());
    TestMount after(disk.crashed());
    after.options.allows_errors = true;
    after.mount();
    std::vector<std::uint8_t> back(bytes.size());
    ASSERT_TRUE(read_file(after.core(), *after.file("a"), 0, back));
    EXPECT_TRUE(back == bytes || writes > 0);
    after.unmount();
    const auto outcome = fsck_of(after.device.bytes());
    EXPECT_TRUE(outcome.status == 0 ||
                outcome.output.find("file system with errors") != std::string::npos)
        << outcome.output;
  }
}

}  // namespace
}  // namespace powercut::fs
