#include "lab/verify/tag_judge.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/prng.h"
#include "block/memory_device.h"
#include "lab/record/recorded_disk.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/journal_builder.h"

namespace powercut::lab {
namespace {

// An ext4 image with a journal of 4 MiB and one file, /dir/file, made once; empty without mke2fs.
const std::vector<std::uint8_t>& fresh_image() {
  static const std::vector<std::uint8_t> kImage = [] {
    const testing::TemporaryFolder tree;
    std::filesystem::create_directories(tree.path() / "dir");
    std::ofstream(tree.path() / "dir/file") << std::string(20 * 4096, 'x');
    const testing::E2fsImage image(
        {.mke2fs = "-b 4096 -J size=4", .size = "12M", .tree = tree.path().string()});
    return image.is_made() ? image.bytes() : std::vector<std::uint8_t>();
  }();
  return kImage;
}

class Collector final : public FindingSink {
 public:
  void on_finding(const Finding& finding) override { findings.push_back(finding); }
  void on_no_longer_replayable(Tid tid, Nanoseconds replayable) override {
    passed.emplace_back(tid, replayable);
  }
  std::vector<Finding> findings;
  std::vector<std::pair<Tid, Nanoseconds>> passed;
};

// A judged disk with a file system, and a builder of its journal's transactions.
class JudgedDisk {
 public:
  explicit JudgedDisk(JournalSpec spec = {})
      : memory(fresh_image()),
        map(locate_journal(Volume::open(memory).value()).value()),
        builder(fitted(spec)) {
    put_superblock_before();
    find_file();
    judge = std::make_unique<TagJudge>(memory, clock, sink);
    disk = std::make_unique<RecordedDisk>(memory, clock, std::vector<DiskObserver*>{judge.get()});
  }

  void send(const BuiltWrite& write) {
    if (write.is_preflush) flush();
    const std::uint64_t offset = map.device_block(write.log).value() * map.block_bytes();
    ASSERT_TRUE(disk->write(offset, write.bytes, Durability::kCached));
    if (write.is_fua) flush();
  }
  void send_all(const std::vector<BuiltWrite>& writes) {
    for (const BuiltWrite& write : writes) send(write);
  }
  // A superblock with that tail, durable.
  void send_tail(LogBlock start, Tid sequence) {
    JournalSuperblock superblock = builder.superblock();
    superblock.start = start;
    superblock.sequence = sequence;
    BuiltWrite write = builder.superblock_write();
    superblock.encode(write.bytes);
    send(write);
    flush();
  }
  void flush() { ASSERT_TRUE(disk->flush()); }
  TransactionSpec transaction(std::uint64_t seed, std::uint32_t count = 8) const {
    TransactionSpec spec;
    for (std::uint32_t i = 0; i < count; ++i) {
      spec.blocks.push_back(
          {file_blocks.at(i), patterned_block(map.block_bytes(), seed * 100 + i)});
    }
    return spec;
  }

  MemoryDevice memory;
  JournalMap map;
  JournalBuilder builder;
  std::vector<BlockNo> file_blocks;  // of /dir/file, in order
  ManualClock clock;
  Collector sink;
  std::unique_ptr<TagJudge> judge;
  std::unique_ptr<RecordedDisk> disk;

 private:
  JournalSpec fitted(JournalSpec spec) const {
    spec.block_bytes = map.block_bytes();
    spec.log_block_count = map.block_count();
    return spec;
  }
  void find_file() {
    const Volume volume = Volume::open(memory).value();
    const InodeNo number = volume.find("/dir/file").value();
    const auto visit = [this](const FileRun& run) {
      for (std::uint64_t i = 0; i < run.count; ++i) file_blocks.push_back(run.device + i);
      return true;
    };
    ASSERT_TRUE(volume.for_each_run(number, volume.inode(number).value(), visit));
  }
  // The file system as it is after its first mount: features on, the log pointing at its start.
  void put_superblock_before() {
    JournalSuperblock superblock = builder.superblock();
    superblock.start = builder.spec().start;
    superblock.sequence = builder.spec().sequence;
    BuiltWrite write = builder.superblock_write();
    superblock.encode(write.bytes);
    ASSERT_TRUE(
        memory.write(map.device_block(LogBlock(0)).value() * map.block_bytes(), write.bytes));
  }
};

class TagJudgeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (fresh_image().empty()) GTEST_SKIP() << "mke2fs is not here";
  }
};

TEST_F(TagJudgeTest, CountsEveryCommitOfAGoodStream) {
  JournalSpec spec;
  spec.sequence = Tid(0xFFFFFFFB);  // the tids wrap
  spec.start = LogBlock(1000);      // and so does the ring
  JudgedDisk judged(spec);
  for (std::uint64_t i = 0; i < 20; ++i) {
    judged.send_all(judged.builder.add_transaction(judged.transaction(i)));
  }
  const JudgeCounters& counters = judged.judge->counters();
  EXPECT_TRUE(judged.sink.findings.empty());
  EXPECT_EQ(counters.commit_count, 20u);
  EXPECT_EQ(counters.tid_count, 20u);
  EXPECT_EQ(counters.verified_count, 160u);
  EXPECT_EQ(counters.first_tid, spec.sequence);
  EXPECT_EQ(counters.last_tid, Tid(0xFFFFFFFB + 19));
  EXPECT_EQ(counters.commits_without_flush, 0u);
}

TEST_F(TagJudgeTest, NamesTheFileOfABadBlockAndTheBytesThatChanged) {
  JudgedDisk judged;
  judged.send_all(judged.builder.add_transaction(judged.transaction(1)));
  auto writes = judged.builder.add_transaction(judged.transaction(2));
  BuiltWrite& hit = writes[4];  // the fourth data block
  // Exactly what the race does: a word of the page changes after the checksum.
  BuiltWrite home = hit;
  ASSERT_TRUE(judged.memory.write(hit.home.value() * 4096, hit.bytes));
  hit.bytes[0x200] ^= 0x5A;
  judged.send_all(writes);
  judged.send_all(judged.builder.add_transaction(judged.transaction(3)));
  ASSERT_EQ(judged.sink.findings.size(), 1u);
  const Finding& finding = judged.sink.findings.front();
  EXPECT_EQ(finding.kind, FindingKind::kDataChecksum);
  EXPECT_EQ(finding.tid, Tid(2));
  EXPECT_EQ(finding.log_block, hit.log);
  EXPECT_EQ(finding.home, hit.home);
  EXPECT_EQ(finding.index, 4u);
  EXPECT_EQ(finding.count, 8u);
  ASSERT_TRUE(finding.owner);
  EXPECT_EQ(finding.owner->path, "/dir/file");
  EXPECT_EQ(finding.owner->file_block, FileBlock(3));
  ASSERT_TRUE(finding.version);
  EXPECT_TRUE(finding.version->matches_checksum);
  EXPECT_EQ(finding.version->ranges, (std::vector<ByteRange>{{0x200, 0x201}}));
  EXPECT_NE(finding.describe().find("/dir/file"), std::string::npos);
  EXPECT_EQ(judged.judge->counters().commit_count, 3u);
}

// The page went on changing, so no copy on the disk is what the checksum was made of; but one word
// explains the difference.
TEST_F(TagJudgeTest, FindsTheOneWordThatWasStoredTo) {
  JudgedDisk judged;
  auto first = judged.builder.add_transaction(judged.transaction(1));
  judged.send_all(first);
  TransactionSpec again = judged.transaction(1);
  again.blocks[2].content[0x10] ^= 1;  // a legal change, far from the bad one
  auto writes = judged.builder.add_transaction(again);
  writes[3].bytes[0x804] ^= 0xFF;
  judged.send_all(writes);
  ASSERT_EQ(judged.sink.findings.size(), 1u);
  const Finding& finding = judged.sink.findings.front();
  ASSERT_TRUE(finding.version);
  EXPECT_EQ(finding.version->place, KnownVersion::Place::kWord);
  EXPECT_TRUE(finding.version->matches_checksum);
  EXPECT_EQ(finding.version->ranges, (std::vector<ByteRange>{{0x804, 0x808}}));
}

TEST_F(TagJudgeTest, OneFlippedBitInTheStreamIsOneFinding) {
  Prng prng(21);
  for (int turn = 0; turn < 60; ++turn) {
    JudgedDisk judged;
    std::vector<BuiltWrite> writes;
    for (std::uint64_t i = 0; i < 4; ++i) {
      TransactionSpec spec = judged.transaction(i);
      spec.tags_per_descriptor = 3;
      spec.revokes = {BlockNo(2500)};
      const auto more = judged.builder.add_transaction(spec);
      writes.insert(writes.end(), more.begin(), more.end());
    }
    // Not in the last transaction: a damaged commit block is noticed when the next one comes.
    const std::size_t last_start = writes.size() * 3 / 4;
    BuiltWrite& hit = writes[prng.below(last_start)];
    const auto bit = prng.below(hit.bytes.size() * 8);
    hit.bytes[bit / 8] = static_cast<std::uint8_t>(hit.bytes[bit / 8] ^ (1u << (bit % 8)));
    judged.send_all(writes);
    ASSERT_EQ(judged.sink.findings.size(), 1u) << "bit " << bit << " of " << hit.log.value();
    EXPECT_EQ(judged.sink.findings.front().log_block, hit.log) << "bit " << bit;
    EXPECT_EQ(judged.sink.findings.front().tid, hit.tid);
    EXPECT_EQ(judged.judge->counters().tid_count, 4u);
  }
}

TEST_F(TagJudgeTest, NoticesACommitThatNeverCame) {
  JudgedDisk judged;
  judged.send_all(judged.builder.add_transaction(judged.transaction(1)));
  auto lost = judged.builder.add_transaction(judged.transaction(2));
  const LogBlock commit = lost.back().log;
  lost.pop_back();
  judged.send_all(lost);
  judged.send_all(judged.builder.add_transaction(judged.transaction(3)));
  ASSERT_EQ(judged.sink.findings.size(), 1u);
  EXPECT_EQ(judged.sink.findings.front().kind, FindingKind::kCommitMissing);
  EXPECT_EQ(judged.sink.findings.front().log_block, commit);
  EXPECT_EQ(judged.judge->counters().commit_count, 2u);
  EXPECT_EQ(judged.judge->counters().tid_count, 3u);
}

TEST_F(TagJudgeTest, AnAsyncTransactionMayComeInAnyOrder) {
  JournalSpec spec;
  spec.is_async = true;
  JudgedDisk judged(spec);
  Prng prng(5);
  for (std::uint64_t i = 0; i < 20; ++i) {
    auto writes = judged.builder.add_transaction(judged.transaction(i));
    for (std::size_t k = writes.size() - 1; k > 0; --k) {
      std::swap(writes[k], writes[prng.below(k + 1)]);
    }
    if (i == 13) {
      for (BuiltWrite& write : writes) {
        if (write.kind == BuiltWrite::Kind::kData) write.bytes[7] ^= 1;
        if (write.kind == BuiltWrite::Kind::kData) break;
      }
    }
    judged.send_all(writes);
    judged.flush();
  }
  ASSERT_EQ(judged.sink.findings.size(), 1u);
  EXPECT_EQ(judged.sink.findings.front().tid, Tid(14));
  EXPECT_EQ(judged.judge->counters().commit_count, 20u);
}

// Until a later one begins any part of it may be on its way.
TEST_F(TagJudgeTest, AnAsyncTransactionThatThePowerEndedIsNoFinding) {
  enum class End : std::uint8_t { kNextTransaction, kPowerCycle, kEndOfStream };
  for (const End end : {End::kNextTransaction, End::kPowerCycle, End::kEndOfStream}) {
    for (const bool is_whole : {true, false}) {
      JournalSpec spec;
      spec.is_async = true;
      JudgedDisk judged(spec);
      judged.send_all(judged.builder.add_transaction(judged.transaction(1)));
      judged.flush();
      auto writes = judged.builder.add_transaction(judged.transaction(2));
      if (!is_whole) writes.erase(writes.begin() + 1);
      judged.send_all(writes);
      judged.flush();  // perhaps somebody else's, with the rest on its way
      EXPECT_TRUE(judged.sink.findings.empty());
      if (end == End::kNextTransaction) {
        judged.send_all(judged.builder.add_transaction(judged.transaction(3)));
        judged.flush();
      }
      if (end == End::kPowerCycle) judged.judge->on_power_cycle(judged.clock.now());
      if (end == End::kEndOfStream) judged.judge->finish(judged.clock.now());
      const bool goes_on = end == End::kNextTransaction;
      EXPECT_EQ(judged.sink.findings.empty(), is_whole || !goes_on);
      EXPECT_EQ(judged.judge->counters().commit_count, goes_on ? 3u : is_whole ? 2u : 1u);
    }
  }
}

TEST_F(TagJudgeTest, TellsHowLongABadTransactionStaysReplayable) {
  JudgedDisk judged;
  auto writes = judged.builder.add_transaction(judged.transaction(1));
  writes[2].bytes[9] ^= 1;
  judged.send_all(writes);
  judged.clock.advance(std::chrono::seconds(3));
  judged.send_all(judged.builder.add_transaction(judged.transaction(2)));
  EXPECT_EQ(judged.judge->counters().bad_replayable_count, 1u);
  EXPECT_TRUE(judged.sink.passed.empty());
  judged.send_tail(judged.builder.head(), Tid(3));
  ASSERT_EQ(judged.sink.passed.size(), 1u);
  EXPECT_EQ(judged.sink.passed.front().first, Tid(1));
  EXPECT_EQ(judged.sink.passed.front().second, std::chrono::seconds(3));
  EXPECT_EQ(judged.judge->counters().bad_replayable_count, 0u);
}

// Linux skips a tid when it unmounts; the log may then begin anywhere.
TEST_F(TagJudgeTest, AnUnmountAndAMountAreNoFinding) {
  JudgedDisk judged;
  judged.send_all(judged.builder.add_transaction(judged.transaction(1)));
  judged.send_tail(LogBlock(0), Tid(3));
  JournalSpec spec = judged.builder.spec();
  spec.start = LogBlock(500);
  spec.sequence = Tid(3);
  judged.builder = JournalBuilder(spec);
  judged.send_tail(LogBlock(500), Tid(3));
  judged.send_all(judged.builder.add_transaction(judged.transaction(2)));
  EXPECT_TRUE(judged.sink.findings.empty());
  EXPECT_EQ(judged.judge->counters().commit_count, 2u);
  EXPECT_EQ(judged.judge->counters().tid_count, 2u);
}

TEST_F(TagJudgeTest, AMachineThatWasSwitchedOffBeginsAnew) {
  JudgedDisk judged;
  auto cut = judged.builder.add_transaction(judged.transaction(1));
  cut.pop_back();
  judged.send_all(cut);
  judged.disk->power_cycle();
  JournalSpec spec = judged.builder.spec();
  spec.sequence = Tid(7);
  judged.builder = JournalBuilder(spec);
  judged.send_tail(spec.start, Tid(7));
  judged.send_all(judged.builder.add_transaction(judged.transaction(2)));
  EXPECT_TRUE(judged.sink.findings.empty());
  EXPECT_EQ(judged.judge->counters().commit_count, 1u);
}

TEST_F(TagJudgeTest, FeaturesAreThoseOfTheSuperblockAtTheCommit) {
  JournalSpec plain;
  plain.checksum = ChecksumKind::kNone;
  plain.is_64bit = false;
  JudgedDisk judged(plain);
  judged.send_all(judged.builder.add_transaction(judged.transaction(1)));
  EXPECT_EQ(judged.judge->counters().verified_count, 0u);
  JournalSpec summed = judged.builder.spec();
  summed.checksum = ChecksumKind::kV3;
  summed.is_64bit = true;
  summed.start = judged.builder.head();
  summed.sequence = Tid(2);
  judged.builder = JournalBuilder(summed);
  judged.send_tail(summed.start, Tid(2));
  judged.send_all(judged.builder.add_transaction(judged.transaction(2)));
  EXPECT_TRUE(judged.sink.findings.empty());
  EXPECT_EQ(judged.judge->counters().block_count, 16u);
  EXPECT_EQ(judged.judge->counters().verified_count, 8u);
}

TEST_F(TagJudgeTest, ADamagedJournalSuperblockIsAFinding) {
  JudgedDisk judged;
  judged.send_all(judged.builder.add_transaction(judged.transaction(1)));
  BuiltWrite write = judged.builder.superblock_write();
  write.bytes[0x30] ^= 1;  // the UUID
  judged.send(write);
  ASSERT_EQ(judged.sink.findings.size(), 1u);
  EXPECT_EQ(judged.sink.findings.front().kind, FindingKind::kSuperblock);
  judged.send_all(judged.builder.add_transaction(judged.transaction(2)));
  EXPECT_EQ(judged.sink.findings.size(), 1u);
  EXPECT_EQ(judged.judge->counters().commit_count, 2u);
}

TEST_F(TagJudgeTest, ADamagedFileSystemInTheStreamIsTroubleAndTheCheckGoesOn) {
  JudgedDisk judged;
  judged.send_all(judged.builder.add_transaction(judged.transaction(1)));
  ASSERT_TRUE(judged.disk->write_zeroes(1024, 1024, Durability::kCached));
  judged.flush();
  EXPECT_FALSE(judged.judge->trouble().empty());
  judged.send_all(judged.builder.add_transaction(judged.transaction(2)));
  EXPECT_EQ(judged.judge->counters().commit_count, 2u);
  EXPECT_TRUE(judged.sink.findings.empty());
}

TEST_F(TagJudgeTest, FindsTheJournalOfAFileSystemThatIsMadeThroughTheDisk) {
  JudgedDisk source;
  MemoryDevice blank(source.memory.size_bytes());
  ManualClock clock;
  Collector sink;
  TagJudge judge(blank, clock, sink);
  RecordedDisk disk(blank, clock, {&judge});
  EXPECT_FALSE(judge.knows_journal());
  EXPECT_FALSE(judge.trouble().empty());
  const Bytes image = source.memory.bytes();
  for (std::uint64_t at = 0; at < image.size(); at += 65536) {
    ASSERT_TRUE(disk.write(at, image.subspan(at, 65536), Durability::kCached));
  }
  ASSERT_TRUE(disk.flush());
  EXPECT_TRUE(judge.knows_journal());
  EXPECT_TRUE(judge.trouble().empty()) << judge.trouble();
}

// A data block that begins with the magic and was not escaped (a racing store can do that) looks
// like a commit block of some far tid.
TEST_F(TagJudgeTest, DataThatLooksLikeACommitBlockIsNotOne) {
  JudgedDisk judged;
  judged.send_all(judged.builder.add_transaction(judged.transaction(1)));
  auto writes = judged.builder.add_transaction(judged.transaction(2));
  encode_commit(writes[3].bytes, judged.builder.format(), {.tid = Tid(900'000)});
  writes[3].bytes[100] ^= 1;  // nor does its own checksum match
  judged.send_all(writes);
  judged.send_all(judged.builder.add_transaction(judged.transaction(3)));
  ASSERT_EQ(judged.sink.findings.size(), 1u);  // the data block itself is not what its tag says
  EXPECT_EQ(judged.sink.findings.front().kind, FindingKind::kDataChecksum);
  EXPECT_EQ(judged.judge->counters().commit_count, 3u);
}

}  // namespace
}  // namespace powercut::lab
