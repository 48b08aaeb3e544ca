// Names through the htree: the same answers as a look at every entry, in few reads.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <unordered_map>

#include "base/prng.h"
#include "base/stored_int.h"
#include "block/memory_device.h"
#include "format/ext4_hash.h"
#include "reader/volume.h"
#include "tests/support/counting_view.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/loop_mount.h"
#include "tests/support/raw_ext4.h"

namespace powercut {
namespace {

namespace fs = std::filesystem;
using testing::E2fsImage;
using testing::LoopMount;
using testing::number_after;
using testing::RawExt4;
using testing::TemporaryFolder;

// A disk that counts what is read of it.
// Names of up to `longest` bytes of any kind, all different.
std::string some_name(std::uint64_t index, std::size_t longest) {
  Prng prng(index);
  std::string name = std::to_string(index) + "-";
  const std::size_t length = prng.below(longest - name.size()) + name.size();
  while (name.size() < length) {
    const auto byte = static_cast<char>(prng.below(255) + 1);
    if (byte != '/') name += byte;
  }
  return name;
}

using Names = std::unordered_map<std::string, InodeNo>;

Names linear(const Volume& volume, InodeNo directory) {
  Names names;
  const auto inode = volume.inode(directory);
  const auto walked = volume.for_each_entry(directory, *inode, [&](const DirectoryEntry& entry) {
    EXPECT_TRUE(names.emplace(entry.name, entry.inode).second);
    return true;
  });
  EXPECT_TRUE(walked) << (walked ? "" : walked.error().what);
  return names;
}

// Where the first block of a directory lies.
BlockNo first_block(const std::vector<std::uint8_t>& bytes, InodeNo directory) {
  const MemoryDevice device(bytes);
  const auto volume = Volume::open(device);
  BlockNo place;
  EXPECT_TRUE(volume->for_each_run(directory, *volume->inode(directory), [&](const FileRun& run) {
    place = run.device;
    return false;
  }));
  return place;
}

HtreeRoot root_of(RawExt4& disk, InodeNo directory, BlockNo place) {
  const auto inode = Inode::parse(disk.inode(directory), directory, disk.superblock);
  const auto owner = OwnerSeed::make(disk.superblock, directory, inode->generation);
  const auto root = HtreeRoot::parse(disk.block(place), place, owner, disk.superblock);
  EXPECT_TRUE(root) << (root ? "" : root.error().what);
  return root ? *root : HtreeRoot{};
}

struct Expectation {
  std::uint8_t levels;  // inner levels of the htree
  std::size_t names;
};

// Looks for every name, and for 2000 that are not there; no search may read more than the index
// and two leaves.
void expect_same_as_linear(const std::vector<std::uint8_t>& bytes, const std::string& path,
                           const Expectation& expected) {
  const MemoryDevice device(bytes);
  const testing::CountingView view(device);
  const auto volume = Volume::open(view);
  ASSERT_TRUE(volume) << volume.error().what;
  const auto directory = volume->find(path);
  ASSERT_TRUE(directory);
  const auto inode = volume->inode(*directory);
  ASSERT_TRUE(inode->has(InodeFlag::kIndexed));
  auto disk = RawExt4::open(bytes);
  const BlockNo place = first_block(bytes, *directory);
  EXPECT_EQ(root_of(*disk, *directory, place).indirect_levels, expected.levels);
  const Names names = linear(*volume, *directory);
  ASSERT_EQ(names.size(), expected.names + 2);
  std::uint64_t reads_max = 0;
  for (const auto& [name, number] : names) {
    view.reads = 0;
    const auto found = volume->lookup(*directory, *inode, name);
    ASSERT_TRUE(found) << found.error().what;
    ASSERT_EQ(*found, number);
    reads_max = std::max(reads_max, view.reads);
  }
  for (std::size_t i = 0; i < 2000; ++i) {
    const std::string absent = some_name(1'000'000 + i, 60);
    view.reads = 0;
    const auto found = volume->lookup(*directory, *inode, absent);
    ASSERT_FALSE(found);
    ASSERT_EQ(found.error().code, Errc::kNotFound);
    reads_max = std::max(reads_max, view.reads);
  }
  // Each block of the directory costs its read and those of the extent tree that leads to it.
  EXPECT_LE(reads_max, 3u * (expected.levels + 3u));
  for (const std::string& odd : {std::string(), std::string(256, 'a'), std::string("a/b")}) {
    EXPECT_EQ(volume->lookup(*directory, *inode, odd).error().code, Errc::kNotFound);
  }
}

struct LookupVariant {
  const char* name;
  const char* mke2fs;
  const char* commands;  // of debugfs, before e2fsck makes the index
  std::uint8_t levels;
  int names;
};
void PrintTo(const LookupVariant& variant, std::ostream* out) {
  *out << variant.mke2fs;
}
class LookupVariants : public ::testing::TestWithParam<LookupVariant> {};

TEST_P(LookupVariants, AnswerAsALookAtEveryEntry) {
  SKIP_WITHOUT_TOOL("debugfs");
  TemporaryFolder folder;
  const fs::path many = folder.path() / "tree" / "many";
  fs::create_directories(many);
  for (int i = 0; i < GetParam().names; ++i) {
    std::ofstream(many / some_name(static_cast<std::uint64_t>(i), 60)).flush();
  }
  E2fsImage image(
      {.mke2fs = GetParam().mke2fs, .size = "48M", .tree = (folder.path() / "tree").string()});
  ASSERT_TRUE(image.is_made()) << image.log();
  image.debugfs(GetParam().commands, true);
  image.fsck("-fyD");
  expect_same_as_linear(image.bytes(), "/many",
                        {GetParam().levels, static_cast<std::size_t>(GetParam().names)});
}

INSTANTIATE_TEST_SUITE_P(
    Mke2fs, LookupVariants,
    ::testing::Values(
        LookupVariant{"Block1K", "-b 1024 -N 6000", "", 1, 5000},
        LookupVariant{"Block4K", "-b 4096 -N 4000", "", 0, 2000},
        LookupVariant{"Unsigned", "-b 1024 -N 4000", "set_super_value flags 2", 1, 3500},
        LookupVariant{"Legacy", "-b 1024 -N 4000", "set_super_value def_hash_version legacy", 1,
                      3500},
        LookupVariant{"Tea", "-b 1024 -N 4000", "set_super_value def_hash_version tea", 1, 3500},
        LookupVariant{"TeaUnsigned", "-b 1024 -N 4000",
                      "set_super_value def_hash_version tea\nset_super_value flags 2", 1, 3500},
        LookupVariant{"NoChecksums", "-b 1024 -N 4000 -O ^metadata_csum", "", 1, 3500},
        LookupVariant{"IndirectBlocks", "-b 1024 -N 4000 -O ^extent,^64bit", "", 1, 3500}),
    [](const auto& each) { return std::string(each.param.name); });

// As the kernel splits leaves, with names that come one by one; with large_dir one level more than
// without.
TEST(Lookup, FindsWhatTheRunningKernelIndexed) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_LOOP_MOUNTS();
  struct Row {
    const char* mke2fs;
    std::uint8_t levels;
    int names;
    std::size_t longest;
  };
  for (const Row& row : {Row{"-b 1024 -O large_dir,^has_journal", 2, 33'000, 255},
                         Row{"-b 1024 -O ^has_journal", 1, 6'000, 120},
                         Row{"-b 4096 -O ^has_journal", 0, 2'000, 80}}) {
    TemporaryFolder folder;
    E2fsImage image({.mke2fs = row.mke2fs, .size = "128M"});
    ASSERT_TRUE(image.is_made()) << image.log();
    LoopMount mount(image.path(), folder.path() / "mount");
    ASSERT_TRUE(mount.is_mounted()) << mount.log();
    const fs::path many = folder.path() / "mount" / "many";
    fs::create_directories(many);
    std::ofstream(folder.path() / "mount" / "one").flush();
    for (int i = 0; i < row.names; ++i) {  // all of one inode
      std::error_code error;
      const std::string name = some_name(static_cast<std::uint64_t>(i), row.longest);
      const std::string padded =
          row.longest == 255 ? name + std::string(255 - name.size(), 'z') : name;
      fs::create_hard_link(folder.path() / "mount" / "one", many / padded, error);
      ASSERT_FALSE(error) << error.message() << " " << i;
    }
    ASSERT_TRUE(mount.unmount()) << mount.log();
    expect_same_as_linear(image.bytes(), "/many",
                          {row.levels, static_cast<std::size_t>(row.names)});
  }
}

// Two names of one hash, which is in the middle of all hashes; found by trying.
std::pair<std::string, std::string> colliding_names(const HashSeed& seed) {
  std::unordered_map<std::uint32_t, std::string> seen;
  for (int i = 0;; ++i) {
    const std::string name = "collides-" + std::to_string(i);
    const std::uint32_t hash = hash_name(name, DirectoryHash::kHalfMd4, seed)->major;
    const auto [other, is_new] = seen.emplace(hash, name);
    if (!is_new && hash > 0x70000000 && hash < 0x90000000) return {other->second, name};
  }
}

// Two leaves with the border between the two colliding names.
struct SplitHash {
  RawExt4 disk;
  std::string first, second;  // in the first and in the second leaf

  void encode_leaf(BlockNo place, std::vector<DirectoryRecord> records, const OwnerSeed& owner) {
    const std::uint32_t end =
        disk.superblock.block_bytes() - (disk.superblock.has_metadata_checksums() ? 12 : 0);
    std::uint32_t used = 0;
    for (DirectoryRecord& record : records) {
      record.record_bytes = (8 + static_cast<std::uint32_t>(record.name.size()) + 3) & ~3u;
      used += record.record_bytes;
    }
    ASSERT_LE(used, end);
    records.back().record_bytes += end - used;
    DirectoryBlock{std::move(records)}.encode(disk.block(place), owner, disk.superblock);
  }
};

void split_at_collision(const E2fsImage& image, const HashSeed& seed, SplitHash& split) {
  split.disk = *RawExt4::open(image.bytes());
  RawExt4& disk = split.disk;
  const InodeNo directory(
      static_cast<std::uint32_t>(number_after(image.debugfs("stat /many"), "Inode:").value_or(0)));
  const BlockNo place = first_block(disk.bytes, directory);
  HtreeRoot root = root_of(disk, directory, place);
  ASSERT_EQ(root.entries.size(), 2u);
  const auto inode = Inode::parse(disk.inode(directory), directory, disk.superblock);
  const auto owner = OwnerSeed::make(disk.superblock, directory, inode->generation);
  std::vector<DirectoryRecord> leaves[2];
  const std::uint32_t border = hash_name(split.first, DirectoryHash::kHalfMd4, seed)->major;
  for (const std::uint64_t block : {1u, 2u}) {
    const auto parsed =
        DirectoryBlock::parse(disk.block(place + block), place + block, owner, disk.superblock);
    ASSERT_TRUE(parsed);
    for (const DirectoryRecord& record : parsed->records) {
      if (record.inode.value() == 0) continue;
      const std::uint32_t hash = hash_name(record.name, DirectoryHash::kHalfMd4, seed)->major;
      const bool is_second = hash > border || record.name == split.second;
      leaves[is_second ? 1 : 0].push_back(record);
    }
  }
  split.encode_leaf(place + 1, leaves[0], owner);
  split.encode_leaf(place + 2, leaves[1], owner);
  root.entries = {{0, FileBlock(1)}, {border | 1, FileBlock(2)}};
  root.encode(disk.block(place), owner, disk.superblock);
}

TEST(Lookup, GoesOnInTheNextLeafWhereAHashIsSplit) {
  SKIP_WITHOUT_TOOL("debugfs");
  const HashSeed seed = {0x33221100, 0x77665544, 0xbbaa9988, 0xffeeddcc};
  SplitHash split;
  std::tie(split.first, split.second) = colliding_names(seed);
  TemporaryFolder folder;
  const fs::path many = folder.path() / "tree" / "many";
  fs::create_directories(many);
  std::ofstream(many / split.first).flush();
  std::ofstream(many / split.second).flush();
  for (int i = 0; i < 48; ++i) std::ofstream(many / ("a-filler-name-" + std::to_string(i))).flush();
  E2fsImage image({.mke2fs = "-b 1024 -E hash_seed=00112233-4455-6677-8899-aabbccddeeff",
                   .tree = (folder.path() / "tree").string()});
  ASSERT_TRUE(image.is_made()) << image.log();
  image.fsck("-fyD");
  ASSERT_NO_FATAL_FAILURE(split_at_collision(image, seed, split));
  // e2fsck agrees that this is a sound directory.
  std::ofstream(image.path(), std::ios::binary)
      .write(reinterpret_cast<const char*>(split.disk.bytes.data()),
             static_cast<std::streamsize>(split.disk.bytes.size()));
  const auto checked = image.fsck("-fn");
  EXPECT_EQ(checked.status, 0) << checked.output;
  expect_same_as_linear(split.disk.bytes, "/many", {0, 50});
}

// An index that cannot be used is left alone, and all names are found.
TEST(Lookup, FallsBackWhereTheIndexCannotBeUsed) {
  SKIP_WITHOUT_TOOL("debugfs");
  TemporaryFolder folder;
  const fs::path many = folder.path() / "tree" / "many";
  fs::create_directories(many);
  for (int i = 0; i < 3500; ++i)
    std::ofstream(many / some_name(static_cast<std::uint64_t>(i), 60)).flush();
  E2fsImage image(
      {.mke2fs = "-b 1024 -N 4000 -O ^metadata_csum", .tree = (folder.path() / "tree").string()});
  ASSERT_TRUE(image.is_made()) << image.log();
  image.fsck("-fyD");
  const auto good = RawExt4::open(image.bytes());
  ASSERT_TRUE(good);
  const InodeNo directory(
      static_cast<std::uint32_t>(number_after(image.debugfs("stat /many"), "Inode:").value_or(0)));
  struct Row {
    const char* name;
    std::function<void(HtreeRoot&)> damage;
    std::uint32_t inode_flags;  // added
  };
  const auto to_all = [](FileBlock block) {
    return [block](HtreeRoot& root) {
      for (HtreeEntry& entry : root.entries) entry.block = block;
    };
  };
  const Row rows[] = {
      {"flags", [](HtreeRoot& root) { root.flags = 1; }, 0},
      {"SipHash", [](HtreeRoot& root) { root.hash_version = 6; }, 0},
      {"no such hash", [](HtreeRoot& root) { root.hash_version = 99; }, 0},
      {"past the end", to_all(FileBlock(0x0FFFFFFF)), 0},
      {"to the root", to_all(FileBlock(0)), 0},
      {"leaf for a node", to_all(FileBlock(1)), 0},
      {"folded names", [](HtreeRoot&) {}, static_cast<std::uint32_t>(InodeFlag::kCaseFold)},
  };
  for (const Row& row : rows) {
    RawExt4 disk = *good;
    const BlockNo place = first_block(disk.bytes, directory);
    HtreeRoot root = root_of(disk, directory, place);
    row.damage(root);
    auto inode = *Inode::parse(disk.inode(directory), directory, disk.superblock);
    inode.flags |= row.inode_flags;
    inode.encode(disk.inode(directory), directory, disk.superblock);
    root.encode(disk.block(place), OwnerSeed::make(disk.superblock, directory, inode.generation),
                disk.superblock);
    const MemoryDevice device(disk.bytes);
    const testing::CountingView view(device);
    const auto volume = Volume::open(view);
    ASSERT_TRUE(volume);
    const Names names = linear(*volume, directory);
    ASSERT_EQ(names.size(), 3502u);
    int count = 0;
    std::uint64_t reads_max = 0;
    for (const auto& [name, number] : names) {
      if (++count > 60) break;
      view.reads = 0;
      const auto found = volume->lookup(directory, inode, name);
      ASSERT_TRUE(found) << row.name << " " << found.error().what;
      EXPECT_EQ(*found, number) << row.name;
      reads_max = std::max(reads_max, view.reads);
    }
    EXPECT_GT(reads_max, 50u) << row.name;  // every entry was looked at
    EXPECT_EQ(volume->lookup(directory, inode, "absent").error().code, Errc::kNotFound);
  }
}

// A hostile index that leads to one leaf again and again costs no more than the directory's size.
TEST(Lookup, AHostileIndexIsBounded) {
  SKIP_WITHOUT_TOOL("debugfs");
  TemporaryFolder folder;
  const fs::path many = folder.path() / "tree" / "many";
  fs::create_directories(many);
  for (int i = 0; i < 400; ++i)
    std::ofstream(many / some_name(static_cast<std::uint64_t>(i), 60)).flush();
  E2fsImage image(
      {.mke2fs = "-b 1024 -O ^metadata_csum", .tree = (folder.path() / "tree").string()});
  ASSERT_TRUE(image.is_made()) << image.log();
  image.fsck("-fyD");
  auto disk = *RawExt4::open(image.bytes());
  const InodeNo directory(
      static_cast<std::uint32_t>(number_after(image.debugfs("stat /many"), "Inode:").value_or(0)));
  const BlockNo place = first_block(disk.bytes, directory);
  HtreeRoot root = root_of(disk, directory, place);
  ASSERT_EQ(root.indirect_levels, 0);
  const std::uint32_t hash =
      hash_name("absent", DirectoryHash::kHalfMd4, disk.superblock.hash_seed)->major;
  root.entries.assign(123, {hash, FileBlock(1)});
  root.entries.front().hash = 0;
  const auto inode = *Inode::parse(disk.inode(directory), directory, disk.superblock);
  root.encode(disk.block(place), OwnerSeed::make(disk.superblock, directory, inode.generation),
              disk.superblock);
  const MemoryDevice device(disk.bytes);
  const testing::CountingView view(device);
  const auto volume = Volume::open(view);
  ASSERT_TRUE(volume);
  view.reads = 0;
  EXPECT_EQ(volume->lookup(directory, inode, "absent").error().code, Errc::kNotFound);
  const std::uint64_t blocks = inode.size / 1024;
  ASSERT_LT(blocks, 60u);
  EXPECT_LE(view.reads, 2 * blocks + 5);  // the index until it is given up, then every block
}

}  // namespace
}  // namespace powercut
