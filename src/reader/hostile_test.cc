// Damaged and hostile images: walks end, errors name what is broken, and the rest stays readable.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/stored_int.h"
#include "block/memory_device.h"
#include "reader/owner.h"
#include "reader/volume.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/raw_ext4.h"

namespace powercut {
namespace {

using testing::E2fsImage;
using testing::make_tree;
using testing::number_after;
using testing::RawExt4;
using testing::TemporaryFolder;

InodeNo inode_at(const E2fsImage& image, const std::string& path) {
  const auto number = number_after(image.debugfs("stat " + path), "Inode:");
  return InodeNo(static_cast<std::uint32_t>(number.value_or(0)));
}

// A file whose extent tree has a root, inner blocks and leaves; no checksums, so that what is
// written over it is believed.
struct TreeFile {
  RawExt4 raw;
  InodeNo number;
  BlockNo inner_place;
  ExtentNode inner;

  ExtentNode node(BlockNo place, std::uint16_t depth) {
    return *ExtentNode::parse_block(raw.block(place), place, depth, {number, 0}, raw.superblock);
  }
  void put(BlockNo place, const ExtentNode& changed) {
    changed.encode_block(raw.block(place), {number, 0}, raw.superblock);
  }
  struct Outcome {
    Result<void> walked;
    int runs = 0, tree_blocks = 0;
  };
  Outcome walk() {
    const MemoryDevice device(raw.bytes);
    const auto volume = Volume::open(device);
    const auto inode = volume->inode(number);
    Outcome outcome;
    outcome.walked = volume->for_each_run(
        number, *inode,
        [&](const FileRun&) {
          ++outcome.runs;
          return true;
        },
        [&](BlockNo) {
          ++outcome.tree_blocks;
          return true;
        });
    return outcome;
  }
};

std::optional<TreeFile> make_tree_file() {
  TemporaryFolder folder;
  make_tree(folder.path() / "tree", 1);
  E2fsImage image(
      {.mke2fs = "-b 1024 -O ^metadata_csum", .tree = (folder.path() / "tree").string()});
  auto raw = RawExt4::open(image.bytes());
  if (!raw) return std::nullopt;
  TreeFile file{*std::move(raw), inode_at(image, "/sparse"), {}, {}};
  const auto inode = Inode::parse(file.raw.inode(file.number), file.number, file.raw.superblock);
  const auto root = ExtentNode::parse_root(inode->block_area, file.number, file.raw.superblock);
  if (!root || root->depth != 2) return std::nullopt;
  file.inner_place = root->children.at(0).node;
  file.inner = file.node(file.inner_place, 1);
  return file;
}

TEST(HostileExtents, TreesThatPointBackEnd) {
  SKIP_WITHOUT_TOOL("mke2fs");
  const auto good = make_tree_file();
  ASSERT_TRUE(good);
  TreeFile file = *good;
  const auto sound = file.walk();
  ASSERT_TRUE(sound.walked);
  ASSERT_GE(sound.runs, 450);
  ASSERT_GT(file.inner.children.size(), 3u);

  for (ExtentIndex& child : file.inner.children) child.node = file.inner_place;
  file.put(file.inner_place, file.inner);
  const auto self = file.walk();
  ASSERT_FALSE(self.walked);
  EXPECT_STREQ(self.walked.error().what, "extent block: depth is not one less than above");
  EXPECT_EQ(self.walked.error().where, file.inner_place.value());
  EXPECT_EQ(self.tree_blocks, 2);

  file = *good;
  for (ExtentIndex& child : file.inner.children) child.node = good->inner.children[0].node;
  file.put(file.inner_place, file.inner);
  const auto shared = file.walk();
  ASSERT_FALSE(shared.walked);
  EXPECT_STREQ(shared.walked.error().what, "extent: not where the index above says");
  EXPECT_EQ(shared.tree_blocks, 3);

  file = *good;
  const BlockNo leaf_place = file.inner.children[0].node;
  ExtentNode leaf = file.node(leaf_place, 0);
  leaf.extents.back().count = 20'000;
  leaf.extents.back().device = BlockNo(1);
  file.raw.superblock.block_count = 1 << 20;  // lets it be encoded
  file.put(leaf_place, leaf);
  EXPECT_FALSE(file.walk().walked);

  file = *good;
  leaf = file.node(leaf_place, 0);
  leaf.extents.clear();
  file.put(leaf_place, leaf);
  const auto empty = file.walk();
  ASSERT_FALSE(empty.walked);
  EXPECT_STREQ(empty.walked.error().what, "extent block: empty");
}

TEST(HostileDirectories, MoreBlocksThanTheFileSystemAreRefused) {
  SKIP_WITHOUT_TOOL("mke2fs");
  E2fsImage image({.mke2fs = "-b 1024 -O ^metadata_csum", .size = "14000K"});
  auto raw = RawExt4::open(image.bytes());
  ASSERT_TRUE(raw);
  // 4000 blocks that each are a directory block without names, mapped again and again.
  constexpr std::uint32_t kCount = 4000;
  const BlockNo first(raw->superblock.block_count - kCount);
  for (std::uint32_t i = 0; i < kCount; ++i) {
    const auto block = raw->block(first + i);
    std::fill(block.begin(), block.end(), std::uint8_t{0});
    store(block, 4, Le16(1024));
  }
  auto root = Inode::parse(raw->inode(kRootInode), kRootInode, raw->superblock);
  ASSERT_TRUE(root);
  root->size = std::uint64_t{5} * kCount * 1024;
  const auto walk_with = [&](std::uint32_t last_count) {
    ExtentNode node;
    node.capacity = 4;
    for (std::uint64_t i = 0; i < 4; ++i) {
      node.extents.push_back({FileBlock(i * kCount), first, i == 3 ? last_count : kCount, false});
    }
    node.encode_root(root->block_area);
    root->encode(raw->inode(kRootInode), kRootInode, raw->superblock);
    const MemoryDevice device(raw->bytes);
    const auto volume = Volume::open(device);
    return volume->for_each_entry(kRootInode, *volume->inode(kRootInode),
                                  [](const DirectoryEntry&) { return true; });
  };
  ASSERT_EQ(raw->superblock.block_count, 14'000u);
  EXPECT_TRUE(walk_with(2000));
  const auto refused = walk_with(2001);
  ASSERT_FALSE(refused);
  EXPECT_STREQ(refused.error().what, "directory: more blocks than the file system");
}

TEST(HostileDirectories, LoopsEnd) {
  SKIP_WITHOUT_TOOL("debugfs");
  TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "tree" / "a" / "b");
  std::ofstream(folder.path() / "tree" / "a" / "b" / "file") << std::string(3000, 'x');
  std::ofstream(folder.path() / "tree" / "a" / "b" / "nameless") << std::string(3000, 'y');
  E2fsImage image({.mke2fs = "-b 1024", .tree = (folder.path() / "tree").string()});
  ASSERT_TRUE(image.is_made()) << image.log();
  image.debugfs("ln /a /a/b/loop\nln / /a/b/root\nln /a/b /a/a\n", true);
  const InodeNo nameless = inode_at(image, "/a/b/nameless"), file = inode_at(image, "/a/b/file");
  image.debugfs("unlink /a/b/nameless", true);  // leaves its count of links

  const MemoryDevice device(image.bytes());
  const auto volume = Volume::open(device);
  ASSERT_TRUE(volume);
  EXPECT_EQ(*volume->find("/a/b/loop/b/root/a/a/loop/b/file"), file);
  const auto block_of = [&](InodeNo number) {
    BlockNo block;
    EXPECT_TRUE(volume->for_each_run(number, *volume->inode(number), [&](const FileRun& run) {
      block = run.device;
      return false;
    }));
    return block;
  };
  EXPECT_EQ(find_owner(*volume, block_of(file)).path, "/a/b/file");
  const Owner owner = find_owner(*volume, block_of(nameless));
  EXPECT_EQ(owner.kind, OwnerKind::kFileData);
  EXPECT_EQ(owner.inode, nameless);
  EXPECT_EQ(owner.path, "");
  EXPECT_FALSE(owner.is_unlinked);
}

TEST(DamagedVolume, OneBadInodeHidesOnlyItself) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "tree");
  std::ofstream(folder.path() / "tree" / "bad") << std::string(3000, 'x');
  std::ofstream(folder.path() / "tree" / "good") << std::string(3000, 'y');
  E2fsImage image({.mke2fs = "-b 1024", .tree = (folder.path() / "tree").string()});
  auto raw = RawExt4::open(image.bytes());
  ASSERT_TRUE(raw);
  const InodeNo bad = inode_at(image, "/bad"), good = inode_at(image, "/good");
  const BlockNo block_of_bad = raw->first_extent(bad).device;
  const BlockNo block_of_good = raw->first_extent(good).device;
  raw->inode(bad)[8] ^= 1;

  const MemoryDevice device(raw->bytes);
  const auto volume = Volume::open(device);
  ASSERT_TRUE(volume);
  EXPECT_EQ(volume->inode(bad).error().code, Errc::kChecksum);
  EXPECT_EQ(volume->inode(bad).error().where, bad.value());
  const auto walked = volume->for_each_inode([](InodeNo, const Inode&) { return true; });
  ASSERT_FALSE(walked);
  EXPECT_STREQ(walked.error().what, "inode: checksum");

  EXPECT_EQ(find_owner(*volume, block_of_good).path, "/good");
  const Owner unknown = find_owner(*volume, block_of_bad);
  EXPECT_EQ(unknown.kind, OwnerKind::kUnknown);
  EXPECT_NE(unknown.note.find("inode: checksum " + std::to_string(bad.value())), std::string::npos)
      << unknown.note;
}

TEST(DamagedVolume, ABadInodeBitmapIsReplacedByALook) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "tree");
  std::ofstream(folder.path() / "tree" / "good") << std::string(3000, 'y');
  E2fsImage image({.mke2fs = "-b 1024", .tree = (folder.path() / "tree").string()});
  auto raw = RawExt4::open(image.bytes());
  ASSERT_TRUE(raw);
  const BlockNo block = raw->first_extent(inode_at(image, "/good")).device;
  const auto group = GroupDescriptor::parse(raw->descriptor(0), 0, raw->superblock);
  const auto bitmap = raw->block(group->inode_bitmap);
  std::fill(bitmap.begin(), bitmap.end(), std::uint8_t{0});

  const MemoryDevice device(raw->bytes);
  const auto volume = Volume::open(device);
  const auto walked = volume->for_each_inode([](InodeNo, const Inode&) { return true; });
  ASSERT_FALSE(walked);
  EXPECT_STREQ(walked.error().what, "inode bitmap: checksum");
  EXPECT_EQ(find_owner(*volume, block).path, "/good");
}

TEST(DamagedVolume, TooSmallOrNoFileSystem) {
  for (const std::uint64_t size : {0u, 1023u, 2047u, 2048u, 1u << 20}) {
    const MemoryDevice device(size);
    const auto volume = Volume::open(device);
    ASSERT_FALSE(volume) << size;
    EXPECT_EQ(volume.error().code, Errc::kCorrupt);
  }
}

}  // namespace
}  // namespace powercut
