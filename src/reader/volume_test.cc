// The reader against file systems that mke2fs filled: what it reads is what was put in.
#include "reader/volume.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "base/prng.h"
#include "block/memory_device.h"
#include "tests/support/e2fs_image.h"

namespace powercut {
namespace {

namespace fs = std::filesystem;
using testing::E2fsImage;
using testing::make_tree;
using testing::number_after;
using testing::TemporaryFolder;

void write_random_file(const fs::path& path, std::size_t length) {
  std::vector<std::uint8_t> bytes(length);
  Prng(length).fill(bytes);
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(length));
}

// make_tree() and: files of sizes around those of blocks, the longest name, 60 folders in each
// other.
void make_large_tree(const fs::path& root, int names) {
  make_tree(root, names);
  for (const std::size_t length :
       {0u, 1u, 59u, 60u, 1023u, 1024u, 1025u, 4095u, 4096u, 4097u, 65536u, 1'000'003u}) {
    write_random_file(root / ("size-" + std::to_string(length)), length);
  }
  write_random_file(root / std::string(255, 'n'), 10);
  fs::path deep = root;
  for (int i = 0; i < 60; ++i) deep /= "d" + std::to_string(i);
  fs::create_directories(deep);
  write_random_file(deep / "bottom", 5000);
}

std::string read_whole(const Volume& volume, InodeNo number, const Inode& inode) {
  std::string content(inode.size, '?');
  const auto count = volume.read_file(
      number, inode, 0, {reinterpret_cast<std::uint8_t*>(content.data()), content.size()});
  EXPECT_TRUE(count) << (count ? "" : count.error().what);
  EXPECT_EQ(count ? *count : 0, content.size());
  return content;
}

std::string file_content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::set<std::string> names_in(const Volume& volume, InodeNo number, const Inode& inode) {
  std::set<std::string> names;
  const auto walked = volume.for_each_entry(number, inode, [&](const DirectoryEntry& entry) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    return true;
  });
  EXPECT_TRUE(walked) << (walked ? "" : walked.error().what);
  return names;
}

void expect_same(const Volume& volume, const fs::path& root, const std::string& path) {
  const auto number = volume.find(path);
  ASSERT_TRUE(number) << path << ": " << number.error().what;
  const auto inode = volume.inode(*number);
  ASSERT_TRUE(inode) << path << ": " << inode.error().what;
  const fs::path original = root.string() + path;
  if (fs::is_symlink(original)) {
    ASSERT_TRUE(inode->is(InodeType::kSymlink)) << path;
    EXPECT_EQ(read_whole(volume, *number, *inode), fs::read_symlink(original).string());
  } else if (fs::is_directory(original)) {
    ASSERT_TRUE(inode->is(InodeType::kDirectory)) << path;
    std::set<std::string> expected = {".", ".."};
    if (path == "/") expected.insert("lost+found");
    for (const auto& entry : fs::directory_iterator(original)) {
      expected.insert(entry.path().filename().string());
    }
    EXPECT_EQ(names_in(volume, *number, *inode), expected) << path;
  } else {
    ASSERT_TRUE(inode->is(InodeType::kRegular)) << path;
    EXPECT_TRUE(read_whole(volume, *number, *inode) == file_content(original)) << path;
  }
}

// Everything but the empty files of "many", which its listing covers.
void expect_whole_tree(const E2fsImage& image, const fs::path& root) {
  const MemoryDevice device(image.bytes());
  const auto volume = Volume::open(device);
  ASSERT_TRUE(volume) << volume.error().what << " " << volume.error().detail.view();
  expect_same(*volume, root, "/");
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const std::string path = entry.path().string().substr(root.string().size());
    if (path.starts_with("/many/")) continue;
    expect_same(*volume, root, path);
  }
}

struct VolumeVariant {
  const char* name;
  const char* mke2fs;
  int names = 300;
  const char* type = "ext4";
};
void PrintTo(const VolumeVariant& variant, std::ostream* out) {
  *out << variant.type << " " << variant.mke2fs;
}

class VolumeVariants : public ::testing::TestWithParam<VolumeVariant> {};

TEST_P(VolumeVariants, ReadsBackWhatMke2fsCopiedIn) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TemporaryFolder folder;
  const fs::path root = folder.path() / "tree";
  make_large_tree(root, GetParam().names);
  E2fsImage image(
      {.mke2fs = GetParam().mke2fs, .size = "48M", .tree = root.string(), .type = GetParam().type});
  ASSERT_TRUE(image.is_made()) << image.log();
  expect_whole_tree(image, root);
  image.fsck("-fyD");  // directories become htrees
  const MemoryDevice device(image.bytes());
  const bool has_index = Volume::open(device)->superblock().has(Ext4Compat::kDirIndex);
  if (has_index) {
    EXPECT_NE(image.debugfs("htree /many").find("Root node dump"), std::string::npos);
  }
  expect_whole_tree(image, root);
}

INSTANTIATE_TEST_SUITE_P(
    Mke2fs, VolumeVariants,
    ::testing::Values(VolumeVariant{"Block1KManyNames", "-b 1024", 5200},
                      VolumeVariant{"Block2K", "-b 2048"}, VolumeVariant{"Block4K", "-b 4096"},
                      VolumeVariant{"NoChecksums1K", "-b 1024 -O ^metadata_csum"},
                      VolumeVariant{"NoChecksums2K", "-b 2048 -O ^metadata_csum"},
                      VolumeVariant{"NoChecksums4K", "-b 4096 -O ^metadata_csum,^64bit"},
                      VolumeVariant{"Bigalloc", "-b 1024 -O bigalloc"},
                      VolumeVariant{"MetaBg", "-b 1024 -O meta_bg,^resize_inode"},
                      VolumeVariant{"NoFileType", "-b 4096 -O ^filetype"},
                      VolumeVariant{"SmallInodes", "-b 1024 -I 128"},
                      VolumeVariant{"Inode1024", "-b 2048 -I 1024"},
                      VolumeVariant{"Inode4096", "-b 4096 -I 4096 -N 1024"},
                      VolumeVariant{"Block64K", "-b 65536 -O ^has_journal -N 4096", 2800},
                      VolumeVariant{"LargeDescriptors",
                                    "-b 1024 -g 2048 -O 64bit -E desc_size=128"},
                      VolumeVariant{"GroupChecksums", "-b 1024 -O ^metadata_csum,uninit_bg"},
                      VolumeVariant{"NoFlexBg", "-b 1024 -O ^flex_bg"},
                      VolumeVariant{"SparseSuper2", "-b 1024 -O sparse_super2"},
                      VolumeVariant{"NoSparseSuper", "-b 1024 -O ^sparse_super,^resize_inode"},
                      VolumeVariant{"ChecksumSeed", "-b 2048 -O metadata_csum_seed,orphan_file"},
                      VolumeVariant{"InlineData", "-b 1024 -O inline_data"},
                      VolumeVariant{"InlineDataLargeInodes", "-b 4096 -I 1024 -O inline_data"},
                      VolumeVariant{"Many",
                                    "-b 4096 -O large_dir,ea_inode,casefold,quota,project,verity,"
                                    "encrypt,fast_commit,stable_inodes"},
                      VolumeVariant{"NoDirIndex", "-b 2048 -O ^dir_index"},
                      VolumeVariant{"Ext2", "-b 1024", 300, "ext2"},
                      VolumeVariant{"Ext3", "-b 1024", 5200, "ext3"},
                      VolumeVariant{"Ext3Block4K", "-b 4096", 300, "ext3"},
                      VolumeVariant{"WithoutExtents", "-b 2048 -O ^extent,^64bit"},
                      VolumeVariant{"Revision0", "-b 1024 -r 0", 300, "ext2"}),
    [](const auto& each) { return std::string(each.param.name); });

struct Opened {
  explicit Opened(const E2fsImage& image) : Opened(image.bytes()) {}
  explicit Opened(std::vector<std::uint8_t> bytes)
      : device(std::move(bytes)), volume(Volume::open(device)) {}
  InodeNo number(const std::string& path) const {
    const auto found = volume->find(path);
    EXPECT_TRUE(found) << path;
    return found ? *found : InodeNo();
  }
  MemoryDevice device;
  Result<Volume> volume;
};

TEST(Volume, ReadsAnyPieceOfAFile) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TemporaryFolder folder;
  const fs::path root = folder.path() / "tree";
  make_tree(root, 1);
  E2fsImage image({.mke2fs = "-b 1024", .tree = root.string()});
  ASSERT_TRUE(image.is_made()) << image.log();
  const Opened opened(image);
  ASSERT_TRUE(opened.volume);
  const std::string content = file_content(root / "sparse");
  const InodeNo number = opened.number("/sparse");
  const auto inode = opened.volume->inode(number);
  Prng prng(7);
  for (int i = 0; i < 300; ++i) {
    const std::uint64_t offset = prng.below(content.size() + 100);
    std::vector<std::uint8_t> into(prng.below(20'000) + 1, 0xEE);
    const auto count = opened.volume->read_file(number, *inode, offset, into);
    ASSERT_TRUE(count);
    const std::string expected =
        offset < content.size() ? content.substr(offset, into.size()) : std::string();
    ASSERT_EQ(*count, expected.size()) << offset;
    EXPECT_TRUE(
        std::equal(expected.begin(), expected.end(), into.begin(),
                   [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; }))
        << offset;
  }
}

TEST(Volume, UnwrittenBlocksReadAsZero) {
  SKIP_WITHOUT_TOOL("debugfs");
  TemporaryFolder folder;
  fs::create_directories(folder.path() / "tree");
  write_random_file(folder.path() / "tree" / "f", 8192);
  E2fsImage image({.mke2fs = "-b 4096", .tree = (folder.path() / "tree").string()});
  ASSERT_TRUE(image.is_made()) << image.log();
  image.debugfs("fallocate /f 2 9\nset_inode_field /f size 40960", true);
  Opened opened(image);
  ASSERT_TRUE(opened.volume);
  const InodeNo number = opened.number("/f");
  const auto inode = opened.volume->inode(number);
  ASSERT_TRUE(inode);
  std::uint64_t unwritten = 0;
  const auto walked = opened.volume->for_each_run(number, *inode, [&](const FileRun& run) {
    if (!run.is_unwritten) return true;
    unwritten += run.count;
    // Old bytes in unwritten blocks must not be seen.
    const auto bytes = opened.device.bytes().subspan(run.device.value() * 4096, run.count * 4096);
    std::fill(bytes.begin(), bytes.end(), std::uint8_t{0xAB});
    return true;
  });
  ASSERT_TRUE(walked);
  EXPECT_EQ(unwritten, 8u);
  const std::string content = read_whole(*opened.volume, number, *inode);
  EXPECT_EQ(content.substr(8192), std::string(32768, '\0'));
}

TEST(Volume, VisitsEveryInodeInUse) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TemporaryFolder folder;
  make_tree(folder.path() / "tree", 500);
  for (const char* options : {"-b 1024 -g 4096", "-b 1024 -g 4096 -O ^metadata_csum",
                              "-b 1024 -g 4096 -O ^metadata_csum,uninit_bg"}) {
    E2fsImage image({.mke2fs = options, .tree = (folder.path() / "tree").string()});
    ASSERT_TRUE(image.is_made()) << image.log();
    const Opened opened(image);
    ASSERT_TRUE(opened.volume);
    const Superblock& superblock = opened.volume->superblock();
    std::uint32_t count = 0;
    InodeNo previous;
    const auto walked = opened.volume->for_each_inode([&](InodeNo number, const Inode& inode) {
      EXPECT_GT(number, previous);
      EXPECT_FALSE(inode.is(InodeType::kNone)) << number.value();
      previous = number;
      if (number >= superblock.first_inode) ++count;
      return true;
    });
    ASSERT_TRUE(walked) << walked.error().what;
    const std::uint32_t reserved = superblock.first_inode.value() - 1;
    EXPECT_EQ(count, superblock.inode_count - superblock.free_inodes - reserved) << options;
  }
}

TEST(Volume, FindsByPath) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TemporaryFolder folder;
  make_large_tree(folder.path() / "tree", 3);
  E2fsImage image({.tree = (folder.path() / "tree").string()});
  ASSERT_TRUE(image.is_made()) << image.log();
  const Opened opened(image);
  ASSERT_TRUE(opened.volume);
  const Volume& volume = *opened.volume;
  EXPECT_EQ(*volume.find("/"), kRootInode);
  EXPECT_EQ(*volume.find("//d0/../d0/./"), *volume.find("/d0"));
  EXPECT_EQ(volume.find("d0").error().code, Errc::kInvalid);
  EXPECT_EQ(volume.find("").error().code, Errc::kInvalid);
  EXPECT_EQ(volume.find("/none").error().code, Errc::kNotFound);
  EXPECT_EQ(volume.find("/size-1/x").error().code, Errc::kNotFound);
  EXPECT_EQ(volume.find("/short_link/x").error().code, Errc::kNotFound);
  EXPECT_EQ(volume.inode(InodeNo(0)).error().code, Errc::kInvalid);
  EXPECT_EQ(volume.inode(InodeNo(volume.superblock().inode_count + 1)).error().code,
            Errc::kInvalid);
  EXPECT_EQ(volume.group(volume.group_count()).error().code, Errc::kInvalid);
}

TEST(Volume, RefusesEncryptedNamesAndContentByName) {
  SKIP_WITHOUT_TOOL("debugfs");
  TemporaryFolder folder;
  fs::create_directories(folder.path() / "tree" / "dir");
  write_random_file(folder.path() / "tree" / "tiny", 20);
  const std::string tree = (folder.path() / "tree").string();
  std::vector<std::uint8_t> into(100);

  E2fsImage encrypted({.mke2fs = "-O encrypt", .tree = tree});
  encrypted.debugfs("set_inode_field /tiny flags 0x80800\nset_inode_field /dir flags 0x80800",
                    true);
  const Opened with_encryption(encrypted);
  ASSERT_TRUE(with_encryption.volume);
  const Volume& volume = *with_encryption.volume;
  const InodeNo secret = with_encryption.number("/tiny"), dir = with_encryption.number("/dir");
  EXPECT_EQ(volume.read_file(secret, *volume.inode(secret), 0, into).error().detail.view(),
            "encrypt");
  EXPECT_EQ(volume.find("/dir/x").error().detail.view(), "encrypt");
  EXPECT_EQ(volume.for_each_entry(dir, *volume.inode(dir), {}).error().code, Errc::kUnsupported);
}

TEST(LocateJournal, IsWhereDebugfsSaysItIs) {
  SKIP_WITHOUT_TOOL("debugfs");
  for (const char* options : {"-b 1024 -J size=4", "-b 4096 -J size=8"}) {
    E2fsImage image({.mke2fs = options, .size = "48M"});
    ASSERT_TRUE(image.is_made()) << image.log();
    const Opened opened(image);
    ASSERT_TRUE(opened.volume);
    const auto map = locate_journal(*opened.volume);
    ASSERT_TRUE(map) << map.error().what;
    std::istringstream listed(image.debugfs("blocks <8>"));
    std::vector<std::uint64_t> expected;
    for (std::string word; listed >> word;) {
      if (std::ranges::all_of(word, [](unsigned char c) { return std::isdigit(c) != 0; })) {
        expected.push_back(std::stoull(word));
      }
    }
    // debugfs lists the tree's own blocks too; the journal has none of them here.
    ASSERT_EQ(map->block_count(), expected.size()) << options;
    for (std::uint32_t i = 0; i < map->block_count(); ++i) {
      ASSERT_EQ(map->device_block(LogBlock(i)).value(), expected[i]);
    }
  }
}

TEST(LocateJournal, SaysThatThereIsNone) {
  SKIP_WITHOUT_TOOL("mke2fs");
  E2fsImage image({.mke2fs = "-O ^has_journal"});
  const Opened opened(image);
  ASSERT_TRUE(opened.volume);
  EXPECT_EQ(locate_journal(*opened.volume).error().code, Errc::kNotFound);
}

}  // namespace
}  // namespace powercut
