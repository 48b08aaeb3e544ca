// Damaged ext4 structures: a flipped bit is a checksum error that names the structure, and where
// there are no checksums each rule refuses by itself.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "base/stored_int.h"
#include "format/ext4.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/raw_ext4.h"

namespace powercut {
namespace {

using testing::E2fsImage;
using testing::make_tree;
using testing::number_after;
using testing::RawExt4;
using testing::TemporaryFolder;

// ---- damage
// ----------------------------------------------------------------------------------------

// A structure of a good image: which of its bytes a checksum covers, and how it is parsed.
struct Target {
  const char* name;    // every error begins with it
  std::size_t offset;  // on the disk
  std::size_t length;
  std::vector<std::size_t> spared;  // bytes that are looked at before the checksum
  std::function<Result<void>(RawExt4&)> parse;
};

template <class T>
Result<void> without_value(const Result<T>& result) {
  if (!result) return Failure{result.error()};
  return {};
}

Target superblock_target() {
  // The magic, and the feature word that says whether there is a checksum.
  return {"superblock: checksum",
          kSuperblockOffset,
          kSuperblockBytes,
          {0x38, 0x39, 0x64, 0x65, 0x66, 0x67},
          [](RawExt4& raw) {
            return without_value(
                Superblock::parse(raw.at(kSuperblockOffset, kSuperblockBytes), raw.bytes.size()));
          }};
}

Target descriptor_target(RawExt4& disk) {
  return {"group descriptor: checksum",
          disk.offset_of(disk.descriptor(1)),
          disk.superblock.descriptor_bytes,
          {},
          [](RawExt4& raw) {
            return without_value(GroupDescriptor::parse(raw.descriptor(1), 1, raw.superblock));
          }};
}

Target inode_target(RawExt4& disk, InodeNo number) {
  return {"inode: checksum",
          disk.offset_of(disk.inode(number)),
          disk.superblock.inode_bytes,
          {},
          [number](RawExt4& raw) {
            return without_value(Inode::parse(raw.inode(number), number, raw.superblock));
          }};
}

template <class T>
Target directory_target(const char* name, RawExt4& disk, InodeNo number, BlockNo place) {
  const auto inode = Inode::parse(disk.inode(number), number, disk.superblock);
  const auto owner = OwnerSeed::make(disk.superblock, number, inode->generation);
  return {name,
          disk.offset_of(disk.block(place)),
          disk.superblock.block_bytes(),
          {},
          [owner, place](RawExt4& raw) {
            return without_value(T::parse(raw.block(place), place, owner, raw.superblock));
          }};
}

Target extent_target(RawExt4& disk, InodeNo number) {
  const auto inode = Inode::parse(disk.inode(number), number, disk.superblock);
  const auto owner = OwnerSeed::make(disk.superblock, number, inode->generation);
  const auto root = ExtentNode::parse_root(inode->block_area, number, disk.superblock);
  const BlockNo place = root->children.at(0).node;
  const auto depth = static_cast<std::uint16_t>(root->depth - 1);
  const auto node =
      ExtentNode::parse_block(disk.block(place), place, depth, owner, disk.superblock);
  return {"extent block: ",
          disk.offset_of(disk.block(place)),
          std::size_t{12} + std::size_t{12} * node->capacity + 4,
          {},
          [=](RawExt4& raw) {
            return without_value(
                ExtentNode::parse_block(raw.block(place), place, depth, owner, raw.superblock));
          }};
}

std::vector<Target> targets_of(RawExt4& disk, InodeNo many, InodeNo sparse) {
  std::vector<Target> targets = {superblock_target(), descriptor_target(disk),
                                 inode_target(disk, kRootInode), inode_target(disk, sparse),
                                 extent_target(disk, sparse)};
  targets.push_back(directory_target<DirectoryBlock>("directory block: ", disk, kRootInode,
                                                     disk.first_extent(kRootInode).device));
  targets.push_back(directory_target<HtreeRoot>("htree block: checksum", disk, many,
                                                disk.first_extent(many).device));
  // Its number of entries bounds what is summed; slots behind them are not covered.
  targets.back().spared = {0x20, 0x21, 0x22, 0x23};
  targets.back().length = 0x28;
  return targets;
}

InodeNo inode_at(const E2fsImage& image, const std::string& path) {
  const auto number = number_after(image.debugfs("stat " + path), "Inode:");
  return InodeNo(static_cast<std::uint32_t>(number.value_or(0)));
}

TEST(Ext4Damage, AnyFlippedBitIsAChecksumErrorThatNamesTheStructure) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TemporaryFolder folder;
  make_tree(folder.path() / "tree", 120);
  E2fsImage image({.mke2fs = "-b 1024", .tree = (folder.path() / "tree").string()});
  ASSERT_TRUE(image.is_made()) << image.log();
  image.fsck("-fyD");
  auto disk = RawExt4::open(image.bytes());
  ASSERT_TRUE(disk);
  const InodeNo many = inode_at(image, "/many"), sparse = inode_at(image, "/sparse");
  for (const Target& target : targets_of(*disk, many, sparse)) {
    ASSERT_TRUE(target.parse(*disk)) << target.name;
    for (std::size_t bit = 0; bit < target.length * 8; bit += 5) {
      if (std::ranges::count(target.spared, bit / 8) != 0) continue;
      std::uint8_t& byte = disk->bytes[target.offset + bit / 8];
      byte ^= static_cast<std::uint8_t>(1u << (bit % 8));
      const auto outcome = target.parse(*disk);
      byte ^= static_cast<std::uint8_t>(1u << (bit % 8));
      ASSERT_FALSE(outcome) << target.name << " bit " << bit;
      EXPECT_EQ(outcome.error().code, Errc::kChecksum) << target.name << " bit " << bit;
      EXPECT_EQ(std::string(outcome.error().what).find(target.name), 0u) << outcome.error().what;
    }
  }
}

struct SuperblockRow {
  const char* name;
  std::size_t offset;
  std::uint32_t value;  // stored in 32 bits, little-endian
  Errc code;
  const char* what;
};

// Without metadata_csum, so that the rule itself must refuse.
TEST(Ext4Damage, SuperblockRules) {
  SKIP_WITHOUT_TOOL("mke2fs");
  E2fsImage image({.mke2fs = "-b 4096 -O ^metadata_csum"});
  ASSERT_TRUE(image.is_made()) << image.log();
  const auto good = image.bytes();
  const SuperblockRow rows[] = {
      {"magic", 0x38, 0x0001EF52, Errc::kCorrupt, "superblock: magic"},
      {"blocks", 0x4, 0xFFFFFFFF, Errc::kCorrupt, "superblock: more blocks than the device has"},
      {"no blocks", 0x4, 0, Errc::kCorrupt, "superblock: block count"},
      {"block size", 0x18, 7, Errc::kUnsupported, "superblock: block size over 64 KiB"},
      {"block size", 0x18, 0xFFFFFFFF, Errc::kUnsupported, "superblock: block size over 64 KiB"},
      {"first block", 0x14, 1, Errc::kCorrupt, "superblock: first data block"},
      {"blocks per group", 0x20, 0, Errc::kCorrupt, "superblock: clusters per group"},
      {"blocks per group", 0x20, 32776, Errc::kCorrupt, "superblock: clusters per group"},
      {"inodes per group", 0x28, 0, Errc::kCorrupt, "superblock: inodes per group"},
      {"inodes per group", 0x28, 4099, Errc::kCorrupt, "superblock: inodes per group"},
      {"inodes", 0x0, 3, Errc::kCorrupt,
       "superblock: inode count is not groups times inodes per group"},
      {"inode size", 0x58, 100, Errc::kCorrupt, "superblock: inode size"},
      {"inode size", 0x58, 0x2000, Errc::kCorrupt, "superblock: inode size"},
      {"revision", 0x4C, 2, Errc::kUnsupported, "superblock: revision"},
      {"first inode", 0x54, 3, Errc::kCorrupt, "superblock: first inode"},
      {"journal inode", 0xE0, 0xFFFFFF, Errc::kCorrupt, "superblock: journal inode"},
      {"compression", 0x60, 0x243, Errc::kUnsupported, "superblock: incompatible feature"},
      {"journal device", 0x60, 0x24A, Errc::kUnsupported, "superblock: incompatible feature"},
      {"unknown", 0x60, 0x80000242, Errc::kUnsupported, "superblock: incompatible feature"},
  };
  for (const SuperblockRow& row : rows) {
    std::vector<std::uint8_t> bytes(good.begin() + kSuperblockOffset,
                                    good.begin() + kSuperblockOffset + kSuperblockBytes);
    store(bytes, row.offset, Le32(row.value));
    const auto parsed = Superblock::parse(bytes, good.size());
    ASSERT_FALSE(parsed) << row.name;
    EXPECT_EQ(parsed.error().code, row.code) << row.name;
    EXPECT_STREQ(parsed.error().what, row.what) << row.name;
  }
}

TEST(Ext4Features, AreRefusedByName) {
  EXPECT_FALSE(first_unreadable(kReadableIncompat));
  EXPECT_EQ(feature_name(*first_unreadable(0x1 | 0x2)), "compression");
  EXPECT_EQ(feature_name(*first_unreadable(0x8)), "journal_dev");
  EXPECT_EQ(feature_name(*first_unreadable(0x1000)), "dirdata");
  EXPECT_EQ(feature_name(*first_unreadable(0x20)), "unknown feature");
}

// ---- rules of nodes and directory blocks, on bytes made here
// ---------------------------------------

// A file system without checksums that owns blocks 1 to 9999.
Superblock plain_superblock() {
  Superblock superblock;
  superblock.block_count = 10'000;
  superblock.first_data_block = BlockNo(1);
  superblock.blocks_per_group = superblock.clusters_per_group = 8192;
  superblock.inode_count = 1000;
  superblock.inodes_per_group = 500;
  superblock.incompat = static_cast<std::uint32_t>(Ext4Incompat::kFileType);
  return superblock;
}

Extent extent_of(std::uint64_t file, std::uint64_t device, std::uint32_t count) {
  return {FileBlock(file), BlockNo(device), count, false};
}

TEST(Ext4Extents, RulesOfALeaf) {
  const Superblock superblock = plain_superblock();
  struct Row {
    const char* name;
    std::vector<Extent> extents;
    const char* what;  // nothing: good
  };
  const Row rows[] = {
      {"one", {extent_of(0, 100, 10)}, nullptr},
      {"two and a hole", {extent_of(0, 100, 10), extent_of(20, 50, 1)}, nullptr},
      {"largest", {extent_of(0, 1, 9999)}, nullptr},
      {"length 0", {extent_of(0, 100, 0)}, "extent: length 0"},
      {"overlap",
       {extent_of(0, 100, 10), extent_of(9, 200, 1)},
       "extent: not after the one before it"},
      {"order",
       {extent_of(5, 100, 1), extent_of(4, 200, 1)},
       "extent: not after the one before it"},
      {"past the device", {extent_of(0, 9999, 2)}, "extent: out of the file system"},
      {"boot block", {extent_of(0, 0, 1)}, "extent: out of the file system"},
      {"past 2^32", {extent_of(0xFFFFFFFF, 100, 2)}, "extent: past the largest file block"},
  };
  for (const Row& row : rows) {
    ExtentNode node;
    node.capacity = 4;
    node.extents = row.extents;
    std::vector<std::uint8_t> area(kBlockAreaBytes);
    node.encode_root(area);
    const auto parsed = ExtentNode::parse_root(area, InodeNo(12), superblock);
    ASSERT_EQ(parsed.has_value(), row.what == nullptr) << row.name;
    if (parsed) {
      EXPECT_EQ(parsed->extents, row.extents) << row.name;
    } else {
      EXPECT_STREQ(parsed.error().what, row.what) << row.name;
      EXPECT_EQ(parsed.error().where, 12u);
    }
  }
}

TEST(Ext4Extents, UnwrittenLengths) {
  const Superblock superblock = plain_superblock();
  for (const auto& [count, is_unwritten] :
       {std::pair{32768u, false}, std::pair{1u, true}, std::pair{5000u, true}}) {
    ExtentNode node;
    node.capacity = 4;
    const std::uint32_t fits = std::min(count, 9000u);
    node.extents = {{FileBlock(0), BlockNo(1), fits, is_unwritten}};
    std::vector<std::uint8_t> area(kBlockAreaBytes);
    node.encode_root(area);
    const auto parsed = ExtentNode::parse_root(area, InodeNo(12), superblock);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->extents, node.extents);
  }
}

TEST(Ext4Extents, RulesOfANode) {
  const Superblock superblock = plain_superblock();
  ExtentNode node;
  node.depth = 1;
  node.capacity = 4;
  node.children = {{FileBlock(0), BlockNo(50)}, {FileBlock(7), BlockNo(51)}};
  std::vector<std::uint8_t> good(kBlockAreaBytes);
  node.encode_root(good);
  ASSERT_TRUE(ExtentNode::parse_root(good, InodeNo(12), superblock));
  struct Row {
    std::size_t offset;
    std::uint16_t value;
    const char* what;
  };
  const Row rows[] = {
      {0, 0xF30B, "extent node: magic"},
      {2, 5, "extent node: more entries than fit"},
      {4, 5, "extent node: more entries than fit"},
      {2, 0, "extent node: inner and empty"},
      {6, 6, "extent node: depth over 5"},
      {12, 8, "extent index: not after the one before it"},
      {16, 0, "extent index: node out of the file system"},
      {20, 1, "extent index: node out of the file system"},
  };
  for (const Row& row : rows) {
    auto area = good;
    store(area, row.offset, Le16(row.value));
    const auto parsed = ExtentNode::parse_root(area, InodeNo(12), superblock);
    ASSERT_FALSE(parsed) << row.what;
    EXPECT_STREQ(parsed.error().what, row.what);
    EXPECT_EQ(parsed.error().code, Errc::kCorrupt);
  }
}

DirectoryRecord record_of(std::uint32_t inode, std::uint32_t bytes, std::string name) {
  return {InodeNo(inode), bytes, 1, std::move(name)};
}

TEST(Ext4Directories, RulesOfABlock) {
  const Superblock superblock = plain_superblock();
  const OwnerSeed owner{kRootInode, 0};
  DirectoryBlock directory;
  directory.records = {record_of(2, 12, "."), record_of(2, 12, ".."), record_of(20, 1000, "file")};
  std::vector<std::uint8_t> good(1024);
  directory.encode(good, owner, superblock);
  const auto parsed = DirectoryBlock::parse(good, BlockNo(5), owner, superblock);
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->records.size(), 3u);
  EXPECT_EQ(parsed->records[2].name, "file");
  EXPECT_EQ(parsed->records[2].inode, InodeNo(20));
  struct Row {
    std::size_t offset;
    std::uint16_t value;
    const char* what;
  };
  const Row rows[] = {
      {4, 0, "directory entry: length"},
      {4, 10, "directory entry: length"},
      {4, 1028, "directory entry: length"},
      {28, 1004, "directory entry: length"},
      {30, 0xFF, nullptr},
      {28, 8, "directory entry: name longer than the entry"},
      {24, 1001, "directory entry: inode past the last"},
      {30, 0, "directory entry: no name"},
      {32, '/', "directory entry: a name with '/' or a zero byte"},
      {32, 0, "directory entry: a name with '/' or a zero byte"},
  };
  for (const Row& row : rows) {
    auto block = good;
    store(block, row.offset, Le16(row.value));
    const auto outcome = DirectoryBlock::parse(block, BlockNo(5), owner, superblock);
    if (row.what == nullptr) {
      // 255 bytes, most of them zero: the name rule, not the length.
      ASSERT_FALSE(outcome);
      EXPECT_STREQ(outcome.error().what, "directory entry: a name with '/' or a zero byte");
      continue;
    }
    ASSERT_FALSE(outcome) << row.what << " " << row.offset;
    EXPECT_STREQ(outcome.error().what, row.what);
    EXPECT_EQ(outcome.error().where, 5u);
  }
}

TEST(Ext4Directories, DotsOfAnHtreeRootAreInodes) {
  const Superblock superblock = plain_superblock();
  const OwnerSeed owner{kRootInode, 0};
  HtreeRoot root;
  root.self = root.parent = kRootInode;
  root.hash_version = 1;
  root.entries = {{0, FileBlock(1)}};
  std::vector<std::uint8_t> good(1024);
  root.encode(good, owner, superblock);
  ASSERT_TRUE(HtreeRoot::parse(good, BlockNo(5), owner, superblock));
  for (const std::size_t offset : {0u, 12u}) {
    for (const std::uint32_t inode : {0u, 1001u}) {
      auto block = good;
      store(block, offset, Le32(inode));
      const auto parsed = HtreeRoot::parse(block, BlockNo(5), owner, superblock);
      ASSERT_FALSE(parsed) << offset;
      EXPECT_STREQ(parsed.error().what, "htree root: . or .. is no inode");
    }
  }
}

TEST(Ext4Directories, EncodeWritesTheWholeTail) {
  Superblock superblock = plain_superblock();
  superblock.ro_compat = static_cast<std::uint32_t>(Ext4RoCompat::kMetadataChecksum);
  const auto owner = OwnerSeed::make(superblock, kRootInode, 5);
  DirectoryBlock directory;
  directory.records = {record_of(20, 1012, "file")};
  for (const unsigned old : {0x00u, 0xEEu, 0xFFu}) {
    std::vector<std::uint8_t> block(1024, static_cast<std::uint8_t>(old));
    directory.encode(block, owner, superblock);
    const auto parsed = DirectoryBlock::parse(block, BlockNo(5), owner, superblock);
    ASSERT_TRUE(parsed) << parsed.error().what;
    EXPECT_EQ(Bytes(block)[1018], 0);
  }
}

}  // namespace
}  // namespace powercut
