// External journals: where their log lies, on a file system and a journal device joined; recovered
// as e2fsck recovers them.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>

#include "base/crc32c.h"
#include "base/stored_int.h"
#include "block/joined_device.h"
#include "block/memory_device.h"
#include "format/ext4_journal_device.h"
#include "reader/volume.h"
#include "recovery/recovery.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/files.h"
#include "tests/support/journal_builder.h"
#include "tests/support/loop_mount.h"

namespace powercut {
namespace {

namespace fs = std::filesystem;
using testing::E2fsImage;
using testing::LoopMount;
using testing::read_file;
using testing::run_shell;
using testing::TemporaryFolder;
using testing::write_file;

constexpr const char* kJournalUuid = "11111111-2222-3333-4444-555555555555";
constexpr const char* kFileSystemUuid = "99999999-2222-3333-4444-555555555555";
using Contents = std::vector<std::uint8_t>;

// A file system and its journal, in memory, seen as one disk.
struct Pair {
  Pair(Contents file_system_bytes, Contents journal_bytes)
      : file_system(std::move(file_system_bytes)),
        journal(std::move(journal_bytes)),
        volume(Volume::open(file_system)) {
    CHECK(volume, "a file system of mke2fs");
    const Superblock& superblock = volume->superblock();
    joined = std::make_unique<JoinedDevice>(
        file_system, superblock.block_count * superblock.block_bytes(), journal);
  }
  Result<JournalMap> locate() const {
    return locate_external_journal(volume->superblock(), journal, volume->superblock().block_count);
  }
  MemoryDevice file_system, journal;
  Result<Volume> volume;
  std::unique_ptr<JoinedDevice> joined;
};

// A file system that names the journal device as its own, made without devices: debugfs writes what
// mke2fs -J device= would.
Pair pair_of_mke2fs(std::uint32_t block_bytes, const std::string& features = "64bit") {
  const std::string block = "-b " + std::to_string(block_bytes);
  const E2fsImage journal({.mke2fs = block + " -O journal_dev -U " + kJournalUuid, .size = "8M"});
  const E2fsImage image(
      {.mke2fs = block + " -O ^has_journal," + features + " -U " + kFileSystemUuid});
  CHECK(journal.is_made() && image.is_made(), "mke2fs makes them");
  image.debugfs(
      "feature has_journal\nset_super_value journal_dev 0x0701\n"
      "set_super_value journal_uuid " +
          std::string(kJournalUuid),
      true);
  return {image.bytes(), journal.bytes()};
}

TEST(ExternalJournal, LiesBehindTheFileSystem) {
  SKIP_WITHOUT_TOOL("debugfs");
  for (const std::uint32_t block_bytes : {1024u, 2048u, 4096u}) {
    const Pair pair = pair_of_mke2fs(block_bytes);
    EXPECT_EQ(locate_journal(*pair.volume).error().code, Errc::kNotFound);
    const auto map = pair.locate();
    ASSERT_TRUE(map) << map.error().what;
    const std::uint64_t base = pair.volume->superblock().block_count;
    const std::uint32_t count = 8 * 1024 * 1024 / block_bytes;
    const std::uint32_t start = block_bytes == 1024 ? 2 : 1;
    EXPECT_EQ(map->home_blocks(), base);
    EXPECT_EQ(map->block_count(), count);
    EXPECT_EQ(map->device_block(LogBlock(0)).value(), base + start);
    std::vector<bool> seen(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint64_t device = map->device_block(LogBlock(i)).value();
      ASSERT_GE(device, base);
      ASSERT_LT(device - base, count);
      EXPECT_FALSE(seen[device - base]) << i;
      seen[device - base] = true;
      if (i > start) {
        EXPECT_EQ(device, base + i);
      }
    }
    Contents block(block_bytes);
    ASSERT_TRUE(pair.joined->read((base + start) * block_bytes, block));
    EXPECT_TRUE(JournalSuperblock::parse(block));
    const auto plan = plan_recovery(*pair.joined, *map);
    ASSERT_TRUE(plan) << plan.error().what;
    EXPECT_EQ(plan->end, RecoveryEnd::kNothingToDo);
  }
}

// Compares the blocks of the file system, but for its superblock.
void expect_same_home(const Pair& ours, const Contents& theirs, std::uint32_t block_bytes) {
  const Bytes mine = ours.file_system.bytes();
  ASSERT_EQ(mine.size(), theirs.size());
  const std::uint64_t superblock = block_bytes == 1024 ? 1 : 0;
  for (std::uint64_t block = 0; block < mine.size() / block_bytes; ++block) {
    if (block == superblock) continue;
    ASSERT_TRUE(std::ranges::equal(mine.subspan(block * block_bytes, block_bytes),
                                   Bytes(theirs).subspan(block * block_bytes, block_bytes)))
        << block;
  }
}

// What e2fsck makes of a file system with this journal.
Contents recovered_by_e2fsck(const fs::path& folder, Bytes file_system, Bytes journal) {
  const fs::path image = folder / "judged", log = folder / "judged-journal";
  write_file(image, file_system);
  write_file(log, journal);
  const auto outcome =
      run_shell("e2fsck -y -E journal_only -j '" + log.string() + "' '" + image.string() + "'");
  EXPECT_NE(outcome.output.find("recovering journal"), std::string::npos) << outcome.output;
  return read_file(image);
}

// Writes a log of ours, says in both superblocks that there is one, and recovers it twice.
void expect_recovered_alike(std::uint32_t block_bytes, ChecksumKind checksum) {
  Pair pair = pair_of_mke2fs(block_bytes, checksum == ChecksumKind::kV3 ? "64bit" : "^64bit");
  const auto map = pair.locate();
  ASSERT_TRUE(map) << map.error().what;
  const std::uint32_t start = block_bytes == 1024 ? 2 : 1;
  JournalSpec spec;
  spec.block_bytes = block_bytes;
  spec.checksum = checksum;
  spec.is_64bit = checksum == ChecksumKind::kV3;
  spec.log_block_count = map->block_count();
  spec.first = LogBlock(start + 1);
  spec.start = LogBlock(map->block_count() - 5);  // goes around the end of the ring
  spec.uuid = {0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x33, 0x33,
               0x44, 0x44, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55};
  JournalBuilder builder(spec);
  const std::uint64_t last = pair.volume->superblock().block_count - 1;
  for (std::uint32_t i = 0; i < 4; ++i) {
    TransactionSpec transaction;
    transaction.blocks = {{BlockNo(last - i), patterned_block(block_bytes, i)},
                          {BlockNo(last - 7), magic_block(block_bytes, i)}};
    if (i == 2) transaction.revokes = {BlockNo(last - 1)};
    builder.add_transaction(transaction);
  }
  ASSERT_TRUE(builder.write_to(*pair.joined, *map));
  // One user, the file system; then the checksum again.
  const MutableBytes log = pair.journal.bytes().subspan(start * block_bytes, block_bytes);
  store(log, 0x40, Be32(1));
  std::ranges::copy(pair.volume->superblock().uuid, log.begin() + 0x100);
  JournalSuperblock::parse_unverified(log)->encode(log);
  const MutableBytes stored = pair.file_system.bytes().subspan(kSuperblockOffset, kSuperblockBytes);
  Superblock superblock = pair.volume->superblock();
  superblock.incompat |= static_cast<std::uint32_t>(Ext4Incompat::kRecover);
  superblock.encode(stored);

  TemporaryFolder folder;
  const Contents theirs =
      recovered_by_e2fsck(folder.path(), pair.file_system.bytes(), pair.journal.bytes());
  const auto plan = plan_recovery(*pair.joined, *map);
  ASSERT_TRUE(plan) << plan.error().what;
  EXPECT_EQ(plan->end, RecoveryEnd::kClean);
  EXPECT_EQ(plan->transactions.size(), 4u);
  EXPECT_EQ(plan->revoked_count, 1u);
  const RecoveredView view(*pair.joined, *map, *plan);
  Contents seen(theirs.size());
  ASSERT_TRUE(view.read(0, seen));
  ASSERT_TRUE(apply_recovery(*plan, *pair.joined, *map, *pair.joined));
  EXPECT_TRUE(std::ranges::equal(seen, pair.file_system.bytes()));
  expect_same_home(pair, theirs, block_bytes);
  const auto again = plan_recovery(*pair.joined, *map);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->end, RecoveryEnd::kNothingToDo);
}

TEST(ExternalJournal, IsRecoveredAsByE2fsck) {
  SKIP_WITHOUT_TOOL("e2fsck");
  for (const std::uint32_t block_bytes : {1024u, 4096u}) {
    for (const ChecksumKind checksum : {ChecksumKind::kNone, ChecksumKind::kV3}) {
      SCOPED_TRACE(std::to_string(block_bytes) + " " + std::to_string(static_cast<int>(checksum)));
      expect_recovered_alike(block_bytes, checksum);
    }
  }
}

// A block of the journal's device is no home of a logged block.
TEST(ExternalJournal, LoggedBlocksStayInTheFileSystem) {
  SKIP_WITHOUT_TOOL("debugfs");
  Pair pair = pair_of_mke2fs(1024);
  const auto map = pair.locate();
  ASSERT_TRUE(map);
  JournalSpec spec;
  spec.block_bytes = 1024;
  spec.log_block_count = map->block_count();
  spec.first = spec.start = LogBlock(3);
  JournalBuilder builder(spec);
  const BlockNo behind(pair.volume->superblock().block_count + 5000);
  builder.add_transaction({.blocks = {{behind, patterned_block(1024, 1)}}});
  ASSERT_TRUE(builder.write_to(*pair.joined, *map));
  const auto plan = plan_recovery(*pair.joined, *map);
  ASSERT_TRUE(plan) << plan.error().what;
  EXPECT_EQ(plan->replay_count, 0u);
  ASSERT_EQ(plan->damages.size(), 1u);
  EXPECT_EQ(plan->damages[0].rule, RecoveryRule::kBlockOutside);
}

// A loop device for a journal; mke2fs -J device= takes nothing else.
class LoopDevice {
 public:
  explicit LoopDevice(const fs::path& image) {
    name_ = run_shell("losetup -f --show '" + image.string() + "'").output;
    name_ = name_.substr(0, name_.find('\n'));
  }
  ~LoopDevice() { run_shell("losetup -d '" + name_ + "'"); }
  LoopDevice(const LoopDevice&) = delete;
  LoopDevice& operator=(const LoopDevice&) = delete;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

TEST(ExternalJournal, OfTheRunningKernelIsRecoveredAsByE2fsck) {
  SKIP_WITHOUT_TOOL("e2fsck");
  SKIP_WITHOUT_LOOP_MOUNTS();
  for (const std::uint32_t block_bytes : {1024u, 4096u}) {
    const std::string block = "-b " + std::to_string(block_bytes);
    const E2fsImage journal({.mke2fs = block + " -O journal_dev", .size = "8M"});
    ASSERT_TRUE(journal.is_made()) << journal.log();
    const LoopDevice loop(journal.path());
    const E2fsImage image({.mke2fs = block + " -J device=" + loop.name(), .size = "32M"});
    ASSERT_TRUE(image.is_made()) << image.log();
    TemporaryFolder folder;
    Contents file_system_bytes, journal_bytes;
    {
      LoopMount mount(image.path(), folder.path() / "mount",
                      "journal_path=" + loop.name() + ",data=journal");
      ASSERT_TRUE(mount.is_mounted()) << mount.log();
      for (int i = 0; i < 40; ++i) {
        const fs::path path = folder.path() / "mount" / ("d" + std::to_string(i));
        fs::create_directories(path);
        std::ofstream(path / "f") << std::string(static_cast<std::size_t>(i) * 500, 'x');
        if (i % 4 == 3) fs::remove_all(folder.path() / "mount" / ("d" + std::to_string(i - 2)));
        if (i % 10 == 0) run_shell("sync -f '" + path.string() + "'");
      }
      run_shell("sync -f '" + (folder.path() / "mount").string() + "'");
      file_system_bytes = image.bytes();
      journal_bytes = journal.bytes();
      ASSERT_TRUE(mount.unmount()) << mount.log();
    }
    Pair pair(file_system_bytes, journal_bytes);
    EXPECT_TRUE(pair.volume->superblock().needs_recovery());
    const auto map = pair.locate();
    ASSERT_TRUE(map) << map.error().what;
    const auto plan = plan_recovery(*pair.joined, *map);
    ASSERT_TRUE(plan) << plan.error().what;
    EXPECT_EQ(plan->end, RecoveryEnd::kClean);
    EXPECT_GT(plan->replay_count, 10u);
    const Contents theirs = recovered_by_e2fsck(folder.path(), file_system_bytes, journal_bytes);
    ASSERT_TRUE(apply_recovery(*plan, *pair.joined, *map, *pair.joined));
    expect_same_home(pair, theirs, block_bytes);
  }
}

TEST(ExternalJournal, IsRefusedByNameWhereItDoesNotFit) {
  SKIP_WITHOUT_TOOL("debugfs");
  const Pair good = pair_of_mke2fs(1024);
  ASSERT_TRUE(good.locate());
  const Bytes journal = good.journal.bytes();
  const auto seal = [](Contents& bytes) {
    const Bytes covered = Bytes(bytes).subspan(kSuperblockOffset, 0x3FC);
    store(bytes, kSuperblockOffset + 0x3FC, Le32(crc32c(~0u, covered)));
  };
  struct Row {
    const char* name;
    std::function<void(Contents&)> damage;
    Errc code;
    const char* what;
  };
  const Row rows[] = {
      {"too small", [](Contents& b) { b.resize(2000); }, Errc::kInvalid,
       "journal device: too small for a superblock"},
      {"no ext4", [](Contents& b) { b[kSuperblockOffset + 0x38] ^= 1; }, Errc::kInvalid,
       "journal device: no ext4 superblock"},
      {"checksum", [](Contents& b) { b[kSuperblockOffset + 0x70] ^= 1; }, Errc::kChecksum,
       "journal device: superblock checksum"},
      {"another UUID",
       [&](Contents& b) {
         b[kSuperblockOffset + 0x70] ^= 1;
         seal(b);
       },
       Errc::kInvalid, "journal device: not the one of this file system (UUID)"},
      {"another block size",
       [&](Contents& b) {
         store(b, kSuperblockOffset + 0x18, Le32(2));
         seal(b);
       },
       Errc::kCorrupt, "journal device: blocks of another size than the file system's"},
      {"cut off", [](Contents& b) { b.resize(b.size() - 1); }, Errc::kCorrupt,
       "journal device: more blocks than the device has"},
      {"no log", [](Contents& b) { b[2048] = 0; }, Errc::kCorrupt, "journal superblock: magic"},
      {"blocks of the log", [](Contents& b) { store(b, 2048 + 0xC, Be32(2048)); }, Errc::kCorrupt,
       "journal superblock: blocks of another size than its device's"},
      {"a longer log", [](Contents& b) { store(b, 2048 + 0x10, Be32(8193)); }, Errc::kCorrupt,
       "journal superblock: a log longer than its device"},
      {"ring over the superblock", [](Contents& b) { store(b, 2048 + 0x14, Be32(2)); },
       Errc::kCorrupt, "journal superblock: a ring that begins before it"},
  };
  for (const Row& row : rows) {
    Contents bytes(journal.begin(), journal.end());
    row.damage(bytes);
    const MemoryDevice device(bytes);
    const auto map = locate_external_journal(good.volume->superblock(), device, 16384);
    ASSERT_FALSE(map) << row.name;
    EXPECT_EQ(map.error().code, row.code) << row.name;
    EXPECT_STREQ(map.error().what, row.what) << row.name;
  }
  // A file system is no journal.
  const auto map = locate_external_journal(good.volume->superblock(), good.file_system, 16384);
  ASSERT_FALSE(map);
  EXPECT_STREQ(map.error().what, "journal device: a file system, not a journal");
  // A shorter log than the device is one.
  Contents bytes(journal.begin(), journal.end());
  store(bytes, 2048 + 0x10, Be32(5000));
  const auto shorter =
      locate_external_journal(good.volume->superblock(), MemoryDevice(bytes), 16384);
  ASSERT_TRUE(shorter);
  EXPECT_EQ(shorter->block_count(), 5000u);
}

}  // namespace
}  // namespace powercut
