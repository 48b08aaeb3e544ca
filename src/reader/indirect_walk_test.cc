// Indirect blocks: what is read is what was put in, the blocks are those that debugfs names, and
// hostile maps end.
#include "reader/indirect_walk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include "base/prng.h"
#include "base/stored_int.h"
#include "block/memory_device.h"
#include "reader/owner.h"
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

// File blocks around the borders of direct, single, double and triple indirect blocks, for N
// numbers in a block; not all of them, so that there are holes at every level.
std::vector<std::uint64_t> border_blocks(std::uint64_t n) {
  const std::uint64_t two = 12 + n, three = 12 + n + n * n;
  return {0,
          3,
          11,
          12,
          12 + n - 1,
          two,
          two + n - 1,
          two + n,
          three - 1,
          three,
          three + 1,
          three + n - 1,
          three + n,
          three + n * n - 1,
          three + n * n,
          three + 2 * n * n + 7};
}

void write_pieces(const fs::path& path, const std::vector<std::uint64_t>& blocks,
                  std::uint32_t block_bytes) {
  std::ofstream file(path, std::ios::binary);
  for (const std::uint64_t block : blocks) {
    file.seekp(static_cast<std::streamoff>(block * block_bytes));
    file << std::string(block_bytes, static_cast<char>('A' + block % 50));
  }
}

// Sparse and dense files, a directory of more blocks than an inode has direct ones, a symlink in a
// block.
void make_indirect_tree(const fs::path& root, std::uint32_t block_bytes) {
  fs::create_directories(root / "many");
  for (int i = 0; i < 700; ++i) {
    std::ofstream(root / "many" / ("a-name-of-some-length-" + std::to_string(i))).flush();
  }
  write_pieces(root / "sparse", border_blocks(block_bytes / 4), block_bytes);
  write_pieces(root / "only-triple", {border_blocks(block_bytes / 4).back()}, block_bytes);
  std::ofstream(root / "dense") << std::string(700'001, 'd');
  std::ofstream(root / "small") << std::string(3000, 's');
  std::ofstream(root / "empty").flush();
  fs::create_symlink(std::string(100, 'l'), root / "long_link");
  fs::create_symlink("short", root / "short_link");
}

std::string item(std::uint64_t first, std::uint64_t count) {
  const std::string text = std::to_string(first);
  return count == 1 ? text : text + "-" + std::to_string(first + count - 1);
}

// The map of an inode in the words of debugfs' stat: "(0-11):20-31, (IND):32, ...".
std::string map_text(const Volume& volume, InodeNo number) {
  std::string text;
  const auto add = [&text](const std::string& more) { text += (text.empty() ? "" : ", ") + more; };
  const auto inode = volume.inode(number);
  EXPECT_TRUE(inode);
  const auto walked = volume.for_each_run(
      number, *inode,
      [&](const FileRun& run) {
        EXPECT_FALSE(run.is_unwritten);
        add("(" + item(run.file.value(), run.count) + "):" + item(run.device.value(), run.count));
        return true;
      },
      [&](BlockNo block) {
        add("(IND):" + std::to_string(block.value()));
        return true;
      });
  EXPECT_TRUE(walked) << (walked ? "" : walked.error().what);
  return text;
}

// The line that debugfs prints; its names for the levels are one here.
std::string debugfs_map(const E2fsImage& image, InodeNo number) {
  std::string text = image.debugfs("stat <" + std::to_string(number.value()) + ">");
  const auto at = text.find("BLOCKS:\n");
  if (at == std::string::npos) return "";
  text = text.substr(at + 8);
  text = text.substr(0, text.find('\n'));
  for (const char* name : {"(DIND)", "(TIND)"}) {
    for (auto found = text.find(name); found != std::string::npos; found = text.find(name)) {
      text.replace(found, 6, "(IND)");
    }
  }
  return text;
}

// Reads a file in pieces of a megabyte and compares; most of a sparse file is holes.
void expect_content(const Volume& volume, InodeNo number, const fs::path& original) {
  const auto inode = volume.inode(number);
  ASSERT_TRUE(inode);
  ASSERT_EQ(inode->size, fs::file_size(original)) << original;
  std::ifstream file(original, std::ios::binary);
  std::vector<std::uint8_t> seen(1 << 20), expected(1 << 20);
  for (std::uint64_t at = 0; at < inode->size; at += seen.size()) {
    const auto count = volume.read_file(number, *inode, at, seen);
    ASSERT_TRUE(count) << count.error().what;
    file.read(reinterpret_cast<char*>(expected.data()),
              static_cast<std::streamsize>(expected.size()));
    ASSERT_EQ(*count, static_cast<std::size_t>(file.gcount()));
    const auto end = seen.begin() + static_cast<std::ptrdiff_t>(*count);
    const auto differs = std::mismatch(seen.begin(), end, expected.begin()).first;
    ASSERT_TRUE(differs == end) << original << " " << at << " + " << (differs - seen.begin());
  }
}

// The same around blocks of a file that is too long to be read whole.
void expect_pieces(const Volume& volume, InodeNo number, const fs::path& original,
                   std::uint32_t block_bytes) {
  const auto inode = volume.inode(number);
  ASSERT_TRUE(inode);
  ASSERT_EQ(inode->size, fs::file_size(original)) << original;
  std::ifstream file(original, std::ios::binary);
  for (const std::uint64_t block : border_blocks(block_bytes / 4)) {
    std::vector<std::uint8_t> seen(3 * block_bytes), expected(3 * block_bytes);
    const std::uint64_t at = block < 2 ? 0 : (block - 1) * block_bytes - 7;
    const auto count = volume.read_file(number, *inode, at, seen);
    ASSERT_TRUE(count) << count.error().what;
    file.clear();
    file.seekg(static_cast<std::streamoff>(at));
    file.read(reinterpret_cast<char*>(expected.data()),
              static_cast<std::streamsize>(expected.size()));
    ASSERT_EQ(*count, static_cast<std::size_t>(file.gcount()));
    seen.resize(*count);
    expected.resize(*count);
    ASSERT_TRUE(seen == expected) << original << " " << block;
  }
}

struct IndirectVariant {
  const char* name;
  const char* type;
  const char* mke2fs;
  std::uint32_t block_bytes;
};
void PrintTo(const IndirectVariant& variant, std::ostream* out) {
  *out << variant.type << " " << variant.mke2fs;
}
class IndirectVariants : public ::testing::TestWithParam<IndirectVariant> {};

TEST_P(IndirectVariants, AreReadAsDebugfsReadsThem) {
  SKIP_WITHOUT_TOOL("debugfs");
  TemporaryFolder folder;
  const fs::path root = folder.path() / "tree";
  make_indirect_tree(root, GetParam().block_bytes);
  E2fsImage image(
      {.mke2fs = GetParam().mke2fs, .size = "32M", .tree = root.string(), .type = GetParam().type});
  ASSERT_TRUE(image.is_made()) << image.log();
  const MemoryDevice device(image.bytes());
  const auto volume = Volume::open(device);
  ASSERT_TRUE(volume) << volume.error().what;
  ASSERT_FALSE(volume->superblock().has(Ext4Incompat::kExtents));
  int compared = 0;
  ASSERT_TRUE(volume->for_each_inode([&](InodeNo number, const Inode& inode) {
    if (!inode.has_block_map() || inode.sectors == 0) return true;
    if (inode.size == 0 && number < volume->superblock().first_inode) return true;
    const std::string expected = debugfs_map(image, number);
    EXPECT_EQ(map_text(*volume, number), expected) << number.value();
    compared += expected.empty() ? 0 : 1;
    return true;
  }));
  EXPECT_GE(compared, 7);
  for (const char* name : {"sparse", "only-triple", "dense", "small", "empty"}) {
    const auto number = volume->find("/" + std::string(name));
    ASSERT_TRUE(number);
    if (fs::file_size(root / name) < 1'000'000) {
      expect_content(*volume, *number, root / name);
    } else {
      expect_pieces(*volume, *number, root / name, GetParam().block_bytes);
    }
  }
  const InodeNo link = *volume->find("/long_link");
  EXPECT_EQ(*volume->read_link(link, *volume->inode(link)), std::string(100, 'l'));
  std::size_t names = 0;
  const InodeNo many = *volume->find("/many");
  ASSERT_TRUE(volume->for_each_entry(many, *volume->inode(many), [&](const DirectoryEntry&) {
    ++names;
    return true;
  }));
  EXPECT_EQ(names, 702u);
}

TEST_P(IndirectVariants, JournalsAreLocated) {
  SKIP_WITHOUT_TOOL("debugfs");
  if (std::string_view(GetParam().name) == "Revision0") GTEST_SKIP() << "has no journals";
  E2fsImage image({.mke2fs = std::string(GetParam().mke2fs) + " -J size=4",
                   .size = "32M",
                   .type = GetParam().type});
  ASSERT_TRUE(image.is_made()) << image.log();
  const MemoryDevice device(image.bytes());
  const auto volume = Volume::open(device);
  ASSERT_TRUE(volume);
  const auto map = locate_journal(*volume);
  ASSERT_TRUE(map) << map.error().what;
  EXPECT_GE(map->block_count(), 1024u);
  std::istringstream items(debugfs_map(image, volume->superblock().journal_inode));
  std::uint64_t seen = 0;
  for (std::string word; items >> word;) {  // "(0-11):20-31,"
    if (word.starts_with("(IND)")) continue;
    const std::uint64_t log = std::stoull(word.substr(1));
    EXPECT_EQ(map->device_block(LogBlock(static_cast<std::uint32_t>(log))).value(),
              std::stoull(word.substr(word.find(':') + 1)));
    ++seen;
  }
  EXPECT_GE(seen, 2u);
}

INSTANTIATE_TEST_SUITE_P(Mke2fs, IndirectVariants,
                         ::testing::Values(IndirectVariant{"Ext2Block1K", "ext2", "-b 1024", 1024},
                                           IndirectVariant{"Ext3Block1K", "ext3", "-b 1024", 1024},
                                           IndirectVariant{"Ext3Block2K", "ext3", "-b 2048", 2048},
                                           IndirectVariant{"Ext3Block4K", "ext3", "-b 4096", 4096},
                                           IndirectVariant{"WithoutExtents1K", "ext4",
                                                           "-b 1024 -O ^extent,^64bit", 1024},
                                           IndirectVariant{"WithoutExtents4K", "ext4",
                                                           "-b 4096 -O ^extent,^64bit", 4096},
                                           IndirectVariant{"Revision0", "ext2",
                                                           "-r 0 -b 1024 -I 128", 1024}),
                         [](const auto& each) { return std::string(each.param.name); });

// Whichever blocks the running kernel chooses, in whichever order, some of them freed again.
TEST(IndirectWalk, ReadsWhatTheRunningKernelWrote) {
  SKIP_WITHOUT_TOOL("debugfs");
  SKIP_WITHOUT_LOOP_MOUNTS();
  TemporaryFolder folder;
  E2fsImage image({.mke2fs = "-b 1024", .size = "32M", .type = "ext3"});
  ASSERT_TRUE(image.is_made()) << image.log();
  Prng prng(31);
  {
    LoopMount mount(image.path(), folder.path() / "mount");
    ASSERT_TRUE(mount.is_mounted()) << mount.log();
    std::fstream one(folder.path() / "mount" / "one", std::ios::binary | std::ios::out);
    std::fstream two(folder.path() / "mount" / "two", std::ios::binary | std::ios::out);
    for (int i = 0; i < 900; ++i) {
      std::fstream& file = prng.chance(1, 2) ? one : two;
      const std::uint64_t range = i % 9 == 0 ? 70'000'000 : i % 3 == 0 ? 1'000'000 : 20'000;
      file.seekp(static_cast<std::streamoff>(prng.below(range)));
      file << std::string(prng.below(3000) + 1, static_cast<char>('a' + i % 26)) << std::flush;
    }
    one.close();
    two.close();
    fs::resize_file(folder.path() / "mount" / "two", 68'000'000);
    for (const char* name : {"one", "two"}) {
      const auto from = folder.path() / "mount" / name;
      // Not by cp, which asks for holes.
      const std::string to = (folder.path() / name).string();
      ASSERT_EQ(testing::run_shell("cat '" + from.string() + "' > '" + to + "'").status, 0);
    }
    ASSERT_TRUE(mount.unmount()) << mount.log();
  }
  const MemoryDevice device(image.bytes());
  const auto volume = Volume::open(device);
  ASSERT_TRUE(volume);
  for (const char* name : {"one", "two"}) {
    const auto number = volume->find("/" + std::string(name));
    ASSERT_TRUE(number);
    EXPECT_EQ(map_text(*volume, *number), debugfs_map(image, *number)) << name;
    expect_content(*volume, *number, folder.path() / name);
  }
}

// A file with a map that the tests below change; no checksums in such a file system.
class IndirectFile {
 public:
  static constexpr std::uint32_t kNumbers = 256;
  IndirectFile() {
    TemporaryFolder folder;
    fs::create_directories(folder.path() / "tree");
    write_pieces(folder.path() / "tree" / "file", border_blocks(kNumbers), 1024);
    E2fsImage image(
        {.mke2fs = "-b 1024", .tree = (folder.path() / "tree").string(), .type = "ext2"});
    raw = *RawExt4::open(image.bytes());
    const auto found = number_after(image.debugfs("stat /file"), "Inode:");
    number = InodeNo(static_cast<std::uint32_t>(found.value_or(0)));
    inode = *Inode::parse(raw.inode(number), number, raw.superblock);
  }

  // The block number in slot `slot` of the inode, or of an indirect block.
  BlockNo at(std::size_t slot) const { return BlockNo(*load<Le32>(inode.block_area, 4 * slot)); }
  BlockNo at(BlockNo block, std::size_t slot) {
    return BlockNo(*load<Le32>(raw.block(block), 4 * slot));
  }
  void put(std::size_t slot, BlockNo value) {
    store(inode.block_area, 4 * slot, Le32(static_cast<std::uint32_t>(value.value())));
  }
  void put(BlockNo block, std::size_t slot, BlockNo value) {
    store(raw.block(block), 4 * slot, Le32(static_cast<std::uint32_t>(value.value())));
  }

  struct Outcome {
    Result<bool> walked = true;
    std::uint64_t blocks = 0, runs = 0, tree_blocks = 0;
  };
  Outcome walk(const FileRange& range = {}, std::uint64_t runs_max = ~0ull,
               std::uint64_t tree_max = ~0ull) {
    const MemoryDevice device(raw.bytes);
    const auto volume = Volume::open(device);
    Outcome outcome;
    outcome.walked = walk_block_map(
        *volume, number, inode, range,
        [&](const FileRun& run) {
          EXPECT_GE(run.file.value(), range.first);
          EXPECT_LE(run.file.value() + run.count, range.end);
          EXPECT_TRUE(raw.superblock.contains(run.device, run.count));
          outcome.blocks += run.count;
          return ++outcome.runs < runs_max;
        },
        [&](BlockNo) { return ++outcome.tree_blocks < tree_max; });
    return outcome;
  }

  RawExt4 raw;
  InodeNo number;
  Inode inode;
};

TEST(IndirectWalk, ARangeLeavesOutWholeSubtrees) {
  SKIP_WITHOUT_TOOL("mke2fs");
  IndirectFile file;
  const std::uint64_t n = IndirectFile::kNumbers, three = 12 + n + n * n;
  struct Row {
    FileRange range;
    std::uint64_t blocks, tree_blocks;
  };
  const Row rows[] = {
      {{0, 12}, 3, 0},
      {{1, 3}, 0, 0},
      {{12, 13}, 1, 1},
      {{11, 13}, 2, 1},
      {{12 + n, 12 + n + 1}, 1, 2},
      {{12 + n + 1, 12 + n + 2}, 0, 2},      // in an indirect block that is there
      {{12 + 5 * n, 12 + 5 * n + 1}, 0, 1},  // in one that is not
      {{three - 1, three + 1}, 2, 2 + 3},
      {{three + n * n, three + n * n + 1}, 1, 3},
      {{three + 40 * n * n, ~0ull}, 0, 1},
      {{0, ~0ull}, 16, 1 + 4 + 9},
      {{5, 5}, 0, 0},
  };
  for (const Row& row : rows) {
    const auto outcome = file.walk(row.range);
    ASSERT_TRUE(outcome.walked);
    EXPECT_TRUE(*outcome.walked);
    EXPECT_EQ(outcome.blocks, row.blocks) << row.range.first;
    EXPECT_EQ(outcome.tree_blocks, row.tree_blocks) << row.range.first;
  }
}

TEST(IndirectWalk, VisitorsStopIt) {
  SKIP_WITHOUT_TOOL("mke2fs");
  IndirectFile file;
  const auto by_run = file.walk({}, 6);
  ASSERT_TRUE(by_run.walked);
  EXPECT_FALSE(*by_run.walked);
  EXPECT_EQ(by_run.runs, 6u);
  const auto by_tree = file.walk({}, ~0ull, 3);
  ASSERT_TRUE(by_tree.walked);
  EXPECT_FALSE(*by_tree.walked);
  EXPECT_EQ(by_tree.tree_blocks, 3u);
  const auto at_the_end = file.walk({0, 1}, 1);
  ASSERT_TRUE(at_the_end.walked);
  EXPECT_FALSE(*at_the_end.walked);
}

TEST(IndirectWalk, HostileMapsEndWithTheirRuleAndPlace) {
  SKIP_WITHOUT_TOOL("mke2fs");
  IndirectFile good;
  const BlockNo single = good.at(12), twice = good.at(13), thrice = good.at(14);
  const BlockNo below_twice = good.at(twice, 0);
  const BlockNo below_thrice = good.at(thrice, 0);
  const std::uint64_t count = good.raw.superblock.block_count;
  struct Row {
    const char* name;
    std::function<void(IndirectFile&)> damage;
    const char* what;
    std::uint64_t where;
  };
  const Row rows[] = {
      {"direct past the end", [&](IndirectFile& f) { f.put(std::size_t{3}, BlockNo(count)); },
       "indirect block: out of the file system", good.number.value()},
      {"boot block",
       [&](IndirectFile& f) {
         f.raw.superblock.first_data_block = BlockNo(1);
         f.put(single, 5, BlockNo(~0u));
       },
       "indirect block: out of the file system", single.value()},
      {"single past the end", [&](IndirectFile& f) { f.put(std::size_t{12}, BlockNo(~0u)); },
       "indirect block: out of the file system", good.number.value()},
      {"double in itself", [&](IndirectFile& f) { f.put(twice, 0, twice); },
       "indirect block: below itself", twice.value()},
      {"triple in itself", [&](IndirectFile& f) { f.put(thrice, 1, thrice); },
       "indirect block: below itself", thrice.value()},
      {"triple two below", [&](IndirectFile& f) { f.put(below_thrice, 1, thrice); },
       "indirect block: below itself", thrice.value()},
      {"number past the end, deep", [&](IndirectFile& f) { f.put(below_twice, 9, BlockNo(count)); },
       "indirect block: out of the file system", below_twice.value()},
      {"shared by all of the triple",
       [&](IndirectFile& f) {
         for (std::size_t i = 0; i < 256; ++i) f.put(thrice, i, below_thrice);
         for (std::size_t i = 0; i < 256; ++i) f.put(below_thrice, i, single);
         for (std::size_t i = 0; i < 256; ++i) f.put(single, i, BlockNo(0));
       },
       "indirect blocks: more than the file system has blocks", good.number.value()},
      {"one block mapped everywhere",
       [&](IndirectFile& f) {
         for (std::size_t i = 0; i < 256; ++i) f.put(twice, i, single);
         for (std::size_t i = 0; i < 256; ++i) f.put(single, i, BlockNo(500));
       },
       "indirect blocks: map more blocks than the file system has", good.number.value()},
      {"size past the map",
       [&](IndirectFile& f) { f.inode.size = (12 + 256 + 65536 + 16777216ull) * 1024 + 1; },
       "inode: size past what indirect blocks can map", good.number.value()},
  };
  for (const Row& row : rows) {
    IndirectFile file = good;
    row.damage(file);
    const auto outcome = file.walk();
    ASSERT_FALSE(outcome.walked) << row.name;
    EXPECT_EQ(outcome.walked.error().code, Errc::kCorrupt) << row.name;
    EXPECT_STREQ(outcome.walked.error().what, row.what) << row.name;
    EXPECT_EQ(outcome.walked.error().where, row.where) << row.name;
    EXPECT_LE(outcome.blocks + outcome.tree_blocks, 2 * count) << row.name;
  }
  IndirectFile file = good;
  file.inode.size = (12 + 256 + 65536 + 16777216ull) * 1024;
  EXPECT_TRUE(file.walk().walked);
}

// Whose blocks they are, as debugfs' icheck says; the reserve of the descriptor table, which the
// resize inode maps, is known by its place.
TEST(IndirectWalk, OwnersOfBlocksAreThoseOfDebugfs) {
  SKIP_WITHOUT_TOOL("debugfs");
  TemporaryFolder folder;
  make_indirect_tree(folder.path() / "tree", 1024);
  const E2fsImage image({.mke2fs = "-b 1024",
                         .size = "24M",
                         .tree = (folder.path() / "tree").string(),
                         .type = "ext3"});
  ASSERT_TRUE(image.is_made()) << image.log();
  const MemoryDevice device(image.bytes());
  const auto volume = Volume::open(device);
  ASSERT_TRUE(volume);
  std::map<std::uint64_t, bool> blocks;  // and whether it is an indirect block
  ASSERT_TRUE(volume->for_each_inode([&](InodeNo number, const Inode& inode) {
    const auto walked = volume->for_each_run(
        number, inode,
        [&](const FileRun& run) {
          blocks[run.device.value()] = false;
          return true;
        },
        [&](BlockNo block) { return blocks[block.value()] = true; });
    EXPECT_TRUE(walked) << number.value();
    return true;
  }));
  std::string command = "icheck";
  for (const auto& [block, is_indirect] : blocks) command += " " + std::to_string(block);
  std::istringstream lines(image.debugfs(command));
  std::size_t compared = 0;
  std::uint64_t block = 0, inode = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!(std::istringstream(line) >> block >> inode)) continue;
    const Owner owner = find_owner(*volume, BlockNo(block));
    ++compared;
    if (inode == kResizeInode.value()) {
      EXPECT_EQ(owner.kind, OwnerKind::kGroupDescriptors) << block << " " << owner.describe(1024);
      continue;
    }
    EXPECT_EQ(owner.inode.value(), inode) << block << " " << owner.describe(1024);
    EXPECT_EQ(owner.kind == OwnerKind::kExtentTree, blocks.at(block)) << block;
  }
  EXPECT_EQ(compared, blocks.size());
  EXPECT_GT(compared, 200u);
}

// What is before the damage is told, as of an extent tree.
TEST(IndirectWalk, RunsBeforeTheDamageAreVisited) {
  SKIP_WITHOUT_TOOL("mke2fs");
  IndirectFile file;
  file.put(file.at(13), 0, BlockNo(~0u));
  const auto outcome = file.walk();
  ASSERT_FALSE(outcome.walked);
  EXPECT_EQ(outcome.blocks, 5u);  // 0, 3, 11, 12 and 267
}

}  // namespace
}  // namespace powercut
