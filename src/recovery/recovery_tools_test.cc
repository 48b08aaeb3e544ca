// Recovery against e2fsprogs, as an independent witness: logs that debugfs wrote, and logs of ours
// in a file system that mke2fs made, are recovered by both, and every block must be the same after
// it.
//
// What may differ: the journal's own blocks and the primary superblock (needs_recovery, times).
// On a bad block e2fsck writes the others like Linux, but does not refuse: it says so in words.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

#include "base/prng.h"
#include "base/stored_int.h"
#include "block/memory_device.h"
#include "block/overlay_device.h"
#include "recovery/recovery.h"
#include "tests/support/journal_builder.h"

namespace powercut {
namespace {

namespace fs = std::filesystem;
using Kind = BuiltWrite::Kind;
using Contents = std::vector<std::uint8_t>;

// The full path of a tool; empty if it is not installed.
std::string find_tool(const std::string& name) {
  for (const char* folder : {"/usr/sbin/", "/sbin/", "/usr/bin/", "/usr/local/sbin/"}) {
    if (fs::exists(folder + name)) return folder + name;
  }
  return "";
}

class RecoveryTools : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"mke2fs", "debugfs", "e2fsck"}) {
      if (find_tool(name).empty()) GTEST_SKIP() << "no " << name << " (package e2fsprogs)";
    }
    std::string pattern = (fs::temp_directory_path() / "powercut_recovery_XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  // Runs a tool with these words and returns what it prints.
  std::string run(const std::string& name, const std::string& words) const {
    const std::string out = path("output");
    const int status =
        std::system((find_tool(name) + " " + words + " >" + out + " 2>&1 </dev/null").c_str());
    EXPECT_NE(status, -1);
    const Contents bytes = read_file("output");
    return {bytes.begin(), bytes.end()};
  }

  Contents read_file(const std::string& name) const {
    std::ifstream file(path(name), std::ios::binary);
    Contents bytes(fs::file_size(path(name)));
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return bytes;
  }
  void write_file(const std::string& name, Bytes bytes) const {
    std::ofstream file(path(name), std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  void write_text(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
  }

  // A file system with a journal of 1024 blocks.
  void make_image(const std::string& name, std::uint32_t block_bytes, bool is_64bit) const {
    const std::string words = "-q -F -t ext4 -b " + std::to_string(block_bytes) + " -O " +
                              (is_64bit ? "64bit" : "^64bit") +
                              " -J size=" + std::to_string(block_bytes / 1024) + " " + path(name) +
                              " " + std::to_string(block_bytes / 1024 * 3) + "M";
    run("mke2fs", words);
  }

  JournalMap map_of(const std::string& name, std::uint32_t block_bytes) const {
    std::istringstream numbers(run("debugfs", "-R 'blocks <8>' " + path(name)));
    std::string banner;
    std::getline(numbers, banner);
    std::vector<JournalMap::Run> runs;
    std::uint32_t log = 0;
    for (std::uint64_t device = 0; numbers >> device; ++log) {
      runs.push_back({LogBlock(log), BlockNo(device), 1});
    }
    auto map = JournalMap::make(runs, block_bytes, fs::file_size(path(name)) / block_bytes);
    CHECK(map, "debugfs names the blocks of the journal");
    return *std::move(map);
  }

 private:
  fs::path folder_;
};

// The numbers of blocks outside the journal and the primary superblock in which two images differ.
std::vector<std::uint64_t> differences(Bytes ours, Bytes theirs, const JournalMap& map) {
  std::vector<std::uint64_t> result;
  const std::uint64_t size = map.block_bytes();
  const std::uint64_t superblock = 1024 / size;
  EXPECT_EQ(ours.size(), theirs.size());
  for (std::uint64_t block = 0; (block + 1) * size <= ours.size(); ++block) {
    if (block == superblock || map.log_block(BlockNo(block))) continue;
    const std::uint64_t at = block * size;
    if (std::memcmp(ours.data() + at, theirs.data() + at, size) != 0) result.push_back(block);
  }
  return result;
}

Contents recovered(const RecoveryPlan& plan, const MemoryDevice& device, const JournalMap& map) {
  OverlayDevice target(device);
  EXPECT_TRUE(apply_recovery(plan, device, map, target));
  Contents all(device.size_bytes());
  EXPECT_TRUE(target.read(0, all));
  Contents seen(device.size_bytes());
  EXPECT_TRUE(RecoveredView(device, map, plan).read(0, seen));
  EXPECT_TRUE(differences(all, seen, map).empty());
  return all;
}

struct Sums {
  std::uint64_t replayed = 0, revoked = 0, escaped = 0;
  void add(const RecoveryPlan& plan) {
    replayed += plan.replay_count;
    revoked += plan.revoked_count;
    for (const LoggedTransaction& transaction : plan.transactions) {
      for (const LoggedBlock& block : transaction.blocks) escaped += block.is_escaped ? 1 : 0;
    }
  }
};

// A random session of debugfs on a pool of a few blocks; `write` puts a file of content.
std::string debugfs_session(Prng prng, const std::string& kind, std::uint32_t block_bytes,
                            const std::function<std::string(std::size_t, Bytes)>& write) {
  const std::uint64_t pool = 2900;
  std::string text = "jo" + kind + "\n";
  const std::uint64_t count = 2 + prng.below(6);
  for (std::size_t i = 0; i < count; ++i) {
    std::string numbers;
    Contents content;
    const std::uint64_t blocks = 1 + prng.below(5);
    for (std::uint64_t k = 0; k < blocks; ++k) {
      if (k != 0) numbers += ',';
      numbers += std::to_string(pool + prng.below(10));
      const Contents block = prng.chance(1, 3) ? magic_block(block_bytes, prng.next())
                                               : patterned_block(block_bytes, prng.next());
      content.insert(content.end(), block.begin(), block.end());
    }
    const bool is_last = i + 1 == count;
    if (prng.chance(1, 3)) {
      text += "jw -r " + numbers + " /dev/null\n";
    } else {
      text += std::string("jw ") + (is_last && prng.chance(1, 2) ? "-c " : "") + "-b " + numbers +
              " " + write(i, content) + "\n";
    }
  }
  return text + "jc\n";
}

class WrittenLogs : public RecoveryTools {
 protected:
  // A session with that `jo` on a copy of "base": planned by us, replayed by debugfs.
  void expect_agreement(const std::string& kind, std::uint64_t seed, const JournalMap& map) {
    fs::copy_file(path("base"), path("log"), fs::copy_options::overwrite_existing);
    const auto put = [&](std::size_t i, Bytes bytes) {
      const std::string name = "content" + std::to_string(i);
      write_file(name, bytes);
      return path(name);
    };
    write_text("session", debugfs_session(Prng(seed).child(kind), kind, map.block_bytes(), put));
    run("debugfs", "-w -f " + path("session") + " " + path("log"));
    const MemoryDevice device(read_file("log"));
    const auto plan = plan_recovery(device, map);
    ASSERT_TRUE(plan) << plan.error().what;
    EXPECT_EQ(plan->end, RecoveryEnd::kClean);
    EXPECT_EQ(plan->superblock.format().tail_bytes(), kind.empty() ? 0u : 4u);
    sums_.add(*plan);
    const Contents ours = recovered(*plan, device, map);
    run("debugfs", "-w -R jr " + path("log"));
    EXPECT_TRUE(differences(ours, read_file("log"), map).empty());
  }
  Sums sums_;
};

TEST_F(WrittenLogs, AreReplayedAsDebugfsDoes) {
  for (const unsigned choice : {0u, 1u, 2u, 3u}) {
    const std::uint32_t block_bytes = (choice & 1) != 0 ? 4096 : 1024;
    const bool is_64bit = (choice & 2) != 0;
    make_image("base", block_bytes, is_64bit);
    const JournalMap map = map_of("base", block_bytes);
    for (const std::string kind : {"", " -c -v 2", " -c -v 3"}) {
      for (const std::uint64_t seed : {0u, 1u}) {
        SCOPED_TRACE(std::to_string(block_bytes) + (is_64bit ? " 64bit" : " 32bit") + kind +
                     ", seed " + std::to_string(seed));
        expect_agreement(kind, seed, map);
      }
    }
  }
  EXPECT_GT(sums_.replayed, 100u);
  EXPECT_GT(sums_.revoked, 20u);
  EXPECT_GT(sums_.escaped, 20u);
}

void fill(JournalBuilder& builder) {
  const std::uint32_t size = builder.spec().block_bytes;
  const auto block = [&](std::uint64_t number, std::uint64_t seed) {
    return DataSpec{BlockNo(number),
                    seed % 3 == 0 ? magic_block(size, seed) : patterned_block(size, seed)};
  };
  builder.add_transaction({.blocks = {block(2900, 1), block(2901, 2), block(2902, 3)}});
  builder.add_transaction({.blocks = {block(2903, 4), block(2904, 5), block(2905, 6)},
                           .revokes = {BlockNo(2900)},
                           .tags_per_descriptor = 2});
  builder.add_transaction({.blocks = {block(2900, 7), block(2906, 8)}});
  builder.add_transaction({.blocks = {block(2907, 9)}, .revokes = {BlockNo(2901)}});
}

enum class Next : std::uint8_t { kSound, kCommit, kDescriptor };

struct BuiltCase {
  const char* name;
  std::uint32_t transaction;  // counted from 0
  Kind kind;
  std::size_t index, offset;
  bool is_older = false;     // the commit block of that transaction is older than the one before
  Next next = Next::kSound;  // what else is damaged, in the next transaction
};

constexpr BuiltCase kBuiltCases[] = {
    {"undamaged, but for a tid past the end", 9, Kind::kData, 0, 0},
    {"data", 1, Kind::kData, 1, 100},
    {"data of the last", 3, Kind::kData, 0, 100},
    {"data that is revoked", 0, Kind::kData, 1, 100},
    {"first descriptor", 1, Kind::kDescriptor, 0, 30},
    {"second descriptor", 1, Kind::kDescriptor, 1, 30},
    {"descriptor, magic", 2, Kind::kDescriptor, 0, 3},
    {"descriptor, older", 1, Kind::kDescriptor, 0, 30, true},
    {"revoke block", 1, Kind::kRevoke, 0, 200},
    {"revoke block, older", 1, Kind::kRevoke, 0, 200, true},
    {"commit", 1, Kind::kCommit, 0, 0x13},
    {"commit, older", 1, Kind::kCommit, 0, 0x13, true},
    {"commit of the last", 3, Kind::kCommit, 0, 0x13},
    {"commit, and the next one", 1, Kind::kCommit, 0, 0x13, false, Next::kCommit},
    {"commit, and the next descriptor", 1, Kind::kCommit, 0, 0x13, false, Next::kDescriptor},
};

void plant(JournalBuilder& builder, const BuiltCase& each) {
  const Tid tid(builder.spec().sequence.value() + each.transaction);
  if (each.transaction > 3) return;
  if (each.is_older) {
    BuiltWrite& commit = builder.write_of(tid, Kind::kCommit);
    store(commit.bytes, 0x30, Be64(builder.spec().commit_seconds - 1));
    builder.reseal(commit);
  }
  builder.damage(tid, each.kind, each.index, each.offset);
  if (each.next == Next::kCommit) builder.damage(tid.next(), Kind::kCommit, 0, 0x13);
  if (each.next == Next::kDescriptor) builder.damage(tid.next(), Kind::kDescriptor, 0, 30);
}

// Of two damaged commit blocks in an async journal with crc32c e2fsck takes the second for the end
// of the log, and replays the transaction of the first; we end the log at the first
// (docs/recovery.md).
bool is_known_difference(const BuiltCase& each, const JournalFormat& format, bool is_async) {
  return is_async && format.tail_bytes() != 0 && each.next == Next::kCommit;
}

class BuiltLogs : public RecoveryTools {
 protected:
  void expect_agreement(const JournalSpec& spec, const JournalMap& map, const BuiltCase& each) {
    JournalBuilder builder(spec);
    fill(builder);
    plant(builder, each);
    if (is_known_difference(each, builder.format(), spec.is_async)) return;
    MemoryDevice device(read_file("base"));
    ASSERT_TRUE(builder.write_to(device, map));
    const auto plan = plan_recovery(device, map);
    ASSERT_TRUE(plan) << plan.error().what;
    const Contents ours = recovered(*plan, device, map);
    write_file("log", device.bytes());
    const std::string said = run("e2fsck", "-y -E journal_only " + path("log"));
    const Contents theirs = read_file("log");
    EXPECT_TRUE(differences(ours, theirs, map).empty()) << said;
    const bool they_refuse =
        said.find("corrupt") != std::string::npos || said.find("hecksum") != std::string::npos;
    EXPECT_EQ(plan->end == RecoveryEnd::kRefused, they_refuse) << said;
    refused_count_ += they_refuse ? 1 : 0;
    if (!they_refuse) expect_same_empty_log(ours, theirs, map);
  }

  static void expect_same_empty_log(Bytes ours, Bytes theirs, const JournalMap& map) {
    const std::uint64_t at = map.device_block(LogBlock(0)).value() * map.block_bytes();
    const auto our_end = JournalSuperblock::parse(ours.subspan(at, map.block_bytes()));
    const auto their_end = JournalSuperblock::parse(theirs.subspan(at, map.block_bytes()));
    ASSERT_TRUE(our_end && their_end);
    EXPECT_EQ(our_end->start, LogBlock(0));
    EXPECT_EQ(their_end->start, LogBlock(0));
    EXPECT_EQ(our_end->sequence, their_end->sequence);
  }

  std::size_t refused_count_ = 0;
};

TEST_F(BuiltLogs, AreRecoveredAsE2fsckDoes) {
  for (const bool is_64bit : {false, true}) {
    make_image("base", 1024, is_64bit);
    run("debugfs", "-w -R 'feature needs_recovery' " + path("base"));
    const JournalMap map = map_of("base", 1024);
    for (const ChecksumKind kind :
         {ChecksumKind::kNone, ChecksumKind::kV1, ChecksumKind::kV2, ChecksumKind::kV3}) {
      // Every kind with both widths, and sync and async, but not with all four.
      const bool is_odd = kind == ChecksumKind::kV1 || kind == ChecksumKind::kV3;
      const JournalSpec spec = {.block_bytes = 1024,
                                .checksum = kind,
                                .is_64bit = is_64bit,
                                .is_async = is_64bit != is_odd,
                                .log_block_count = 1024,
                                .start = LogBlock(1015),
                                .sequence = Tid(0xFFFFFFFE)};
      for (const BuiltCase& each : kBuiltCases) {
        SCOPED_TRACE(std::string(each.name) + ", checksum " +
                     std::to_string(static_cast<int>(kind)) + (is_64bit ? ", 64bit" : "") +
                     (spec.is_async ? ", async" : ""));
        expect_agreement(spec, map, each);
      }
    }
  }
  EXPECT_GT(refused_count_, 20u);
}

}  // namespace
}  // namespace powercut
