// The ext4 structures against images that mke2fs made: the values are those that dumpe2fs and
// debugfs print, and every structure encodes to the bytes that it was parsed from.
#include "format/ext4.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/support/e2fs_image.h"
#include "tests/support/raw_ext4.h"

namespace powercut {
namespace {

using testing::E2fsImage;
using testing::make_tree;
using testing::number_after;
using testing::RawExt4;
using testing::run_shell;
using testing::TemporaryFolder;

RawExt4 open_raw(const E2fsImage& image) {
  auto raw = RawExt4::open(image.bytes());
  EXPECT_TRUE(raw) << (raw ? "" : raw.error().what);
  return raw ? *std::move(raw) : RawExt4{};
}

struct Counts {
  int inodes = 0, extent_blocks = 0, directory_blocks = 0, htree_roots = 0, htree_nodes = 0;
};

// Parses and encodes everything that a disk holds; every encoding must leave the bytes as they
// were.
class RoundTrip {
 public:
  explicit RoundTrip(RawExt4& disk) : disk_(disk), superblock_(disk.superblock) {}

  Counts run() {
    same("superblock", 0, disk_.at(kSuperblockOffset, kSuperblockBytes),
         [&](MutableBytes copy) { superblock_.encode(copy); });
    for (std::uint32_t index = 0; index < superblock_.group_count(); ++index) group(index);
    return counts_;
  }

 private:
  void same(const char* what, std::uint64_t where, MutableBytes stored,
            const std::function<void(MutableBytes)>& encode) {
    std::vector<std::uint8_t> copy(stored.begin(), stored.end());
    encode(copy);
    EXPECT_TRUE(std::equal(copy.begin(), copy.end(), stored.begin())) << what << " " << where;
  }

  void group(std::uint32_t index) {
    const auto parsed = GroupDescriptor::parse(disk_.descriptor(index), index, superblock_);
    ASSERT_TRUE(parsed) << parsed.error().what << " " << index;
    same("group descriptor", index, disk_.descriptor(index),
         [&](MutableBytes copy) { parsed->encode(copy, superblock_); });
    if (!parsed->has(GroupFlag::kInodesUninitialised)) {
      EXPECT_TRUE(inode_bitmap_matches(disk_.block(parsed->inode_bitmap), *parsed, superblock_));
    }
    if (!parsed->has(GroupFlag::kBlocksUninitialised)) {
      EXPECT_TRUE(block_bitmap_matches(disk_.block(parsed->block_bitmap), *parsed, superblock_));
    }
    for (std::uint32_t i = 0; i < parsed->inodes_to_read(superblock_); ++i) {
      inode(InodeNo(index * superblock_.inodes_per_group + i + 1));
    }
  }

  void inode(InodeNo number) {
    const MutableBytes stored = disk_.inode(number);
    if (all_zero(stored)) return;
    const auto inode = Inode::parse(stored, number, superblock_);
    ASSERT_TRUE(inode) << inode.error().what << " " << number.value();
    ++counts_.inodes;
    same("inode", number.value(), stored,
         [&](MutableBytes copy) { inode->encode(copy, number, superblock_); });
    if (!inode->has_block_map() || !inode->has(InodeFlag::kExtents)) return;
    const auto root = ExtentNode::parse_root(inode->block_area, number, superblock_);
    ASSERT_TRUE(root) << root.error().what << " " << number.value();
    std::vector<std::uint8_t> area(inode->block_area.begin(), inode->block_area.end());
    same("extent root", number.value(), area, [&](MutableBytes copy) { root->encode_root(copy); });
    owner_ = OwnerSeed::make(superblock_, number, inode->generation);
    node(*root, *inode);
  }

  void node(const ExtentNode& parsed, const Inode& inode) {
    for (const ExtentIndex& child : parsed.children) {
      const auto below = ExtentNode::parse_block(disk_.block(child.node), child.node,
                                                 static_cast<std::uint16_t>(parsed.depth - 1),
                                                 owner_, superblock_);
      ASSERT_TRUE(below) << below.error().what << " " << child.node.value();
      ++counts_.extent_blocks;
      same("extent block", child.node.value(), disk_.block(child.node),
           [&](MutableBytes copy) { below->encode_block(copy, owner_, superblock_); });
      node(*below, inode);
    }
    if (!inode.is(InodeType::kDirectory)) return;
    for (const Extent& extent : parsed.extents) {
      for (std::uint32_t i = 0; i < extent.count; ++i) {
        directory(extent.file + i, extent.device + i, inode.has(InodeFlag::kIndexed));
      }
    }
  }

  void directory(FileBlock file, BlockNo place, bool is_indexed) {
    const MutableBytes stored = disk_.block(place);
    if (is_indexed && file.value() == 0) {
      ++counts_.htree_roots;
      check("htree root", place, HtreeRoot::parse(stored, place, owner_, superblock_));
    } else if (is_indexed && looks_like_htree_node(stored)) {
      ++counts_.htree_nodes;
      check("htree node", place, HtreeNode::parse(stored, place, owner_, superblock_));
    } else {
      ++counts_.directory_blocks;
      check("directory block", place, DirectoryBlock::parse(stored, place, owner_, superblock_));
    }
  }

  template <class T>
  void check(const char* what, BlockNo place, const Result<T>& parsed) {
    ASSERT_TRUE(parsed) << parsed.error().what << " " << place.value();
    same(what, place.value(), disk_.block(place),
         [&](MutableBytes copy) { parsed->encode(copy, owner_, superblock_); });
  }

  RawExt4& disk_;
  const Superblock& superblock_;
  OwnerSeed owner_;
  Counts counts_;
};

struct Variant {
  const char* name;
  const char* mke2fs;
  const char* size = "32M";
};

void PrintTo(const Variant& variant, std::ostream* out) {
  *out << variant.mke2fs;
}

class Ext4Variants : public ::testing::TestWithParam<Variant> {};

TEST_P(Ext4Variants, EncodesToTheBytesThatWereParsed) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TemporaryFolder folder;
  make_tree(folder.path() / "tree", 120);
  E2fsImage image({.mke2fs = GetParam().mke2fs,
                   .size = GetParam().size,
                   .tree = (folder.path() / "tree").string()});
  ASSERT_TRUE(image.is_made()) << image.log();
  image.fsck("-fyD");  // makes the large directory an htree
  RawExt4 disk = open_raw(image);
  const Counts counts = RoundTrip(disk).run();
  EXPECT_GT(counts.inodes, 120);
  // The pattern of the sparse file needs blocks up to its own 4 KiB.
  EXPECT_EQ(counts.extent_blocks > 0, disk.superblock.block_bytes() <= 4096);
  EXPECT_GT(counts.directory_blocks, 3);
}

INSTANTIATE_TEST_SUITE_P(
    Mke2fs, Ext4Variants,
    ::testing::Values(
        Variant{"Block1K", "-b 1024"}, Variant{"Block2K", "-b 2048"}, Variant{"Block4K", "-b 4096"},
        Variant{"Block64K", "-b 65536 -O ^has_journal -N 2048", "128M"},
        Variant{"NoChecksums1K", "-b 1024 -O ^metadata_csum"},
        Variant{"NoChecksums4K", "-b 4096 -O ^metadata_csum,^64bit"},
        Variant{"GroupChecksums", "-b 4096 -O ^metadata_csum,uninit_bg"},
        Variant{"GroupChecksums32Bit", "-b 4096 -O ^metadata_csum,uninit_bg,^64bit"},
        Variant{"SmallDescriptors", "-b 4096 -O ^64bit"}, Variant{"SmallInodes", "-I 128"},
        Variant{"LargeInodes", "-b 4096 -I 1024"}, Variant{"Bigalloc", "-b 4096 -O bigalloc"},
        Variant{"Bigalloc1K", "-b 1024 -O bigalloc"},
        Variant{"MetaBg", "-b 1024 -O meta_bg,^resize_inode"},
        Variant{"SparseSuper2", "-b 1024 -O sparse_super2,^resize_inode"},
        Variant{"NoFlexBg", "-b 1024 -g 2048 -O ^flex_bg"},
        Variant{"NoFileType", "-b 4096 -O ^filetype"},
        Variant{"ChecksumSeed", "-b 4096 -O metadata_csum_seed,orphan_file"},
        Variant{"ManyFeatures",
                "-b 4096 -O metadata_csum_seed,orphan_file,large_dir,ea_inode,casefold,encrypt,"
                "quota,project,verity,mmp"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(Ext4Htree, NodesEncodeToTheBytesThatWereParsed) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TemporaryFolder folder;
  make_tree(folder.path() / "tree", 3000);  // enough for a level between root and leaves
  E2fsImage image({.mke2fs = "-b 1024", .tree = (folder.path() / "tree").string()});
  ASSERT_TRUE(image.is_made()) << image.log();
  image.fsck("-fyD");
  RawExt4 disk = open_raw(image);
  const Counts counts = RoundTrip(disk).run();
  EXPECT_EQ(counts.htree_roots, 1);
  EXPECT_GT(counts.htree_nodes, 1);
}

TEST(Ext4Superblock, ValuesAreThoseOfDumpe2fs) {
  SKIP_WITHOUT_TOOL("dumpe2fs");
  E2fsImage image({.mke2fs = "-b 4096 -L a-label -U 00112233-4455-6677-8899-aabbccddeeff"});
  ASSERT_TRUE(image.is_made()) << image.log();
  const std::string text = run_shell("dumpe2fs -h '" + image.path().string() + "'").output;
  const RawExt4 disk = open_raw(image);
  const Superblock& values = disk.superblock;
  const std::pair<const char*, std::uint64_t> rows[] = {
      {"Inode count:", values.inode_count},
      {"Block count:", values.block_count},
      {"Reserved block count:", values.reserved_blocks},
      {"Free blocks:", values.free_blocks},
      {"Free inodes:", values.free_inodes},
      {"First block:", values.first_data_block.value()},
      {"Block size:", values.block_bytes()},
      {"Group descriptor size:", values.descriptor_bytes},
      {"Reserved GDT blocks:", values.reserved_descriptor_blocks},
      {"Blocks per group:", values.blocks_per_group},
      {"Inodes per group:", values.inodes_per_group},
      {"Inode blocks per group:", values.inode_table_blocks()},
      {"Flex block group size:", std::uint64_t{1} << values.log_groups_per_flex},
      {"First inode:", values.first_inode.value()},
      {"Inode size:", values.inode_bytes},
      {"Required extra isize:", values.extra_isize_min},
      {"Desired extra isize:", values.extra_isize_wanted},
      {"Journal inode:", values.journal_inode.value()},
      {"Checksum:", values.checksum},
  };
  for (const auto& [label, value] : rows) EXPECT_EQ(number_after(text, label), value) << label;
  EXPECT_EQ(values.label(), "a-label");
  EXPECT_EQ(values.uuid[0], 0x00);
  EXPECT_EQ(values.uuid[15], 0xFF);
  EXPECT_TRUE(values.has(Ext4State::kValid));
  EXPECT_FALSE(values.needs_recovery());
  EXPECT_TRUE(values.has(Ext4Compat::kHasJournal));
  EXPECT_TRUE(values.has_metadata_checksums());
}

TEST(Ext4Group, ValuesAreThoseOfDumpe2fs) {
  SKIP_WITHOUT_TOOL("dumpe2fs");
  E2fsImage image({.mke2fs = "-b 1024", .size = "32M"});
  ASSERT_TRUE(image.is_made()) << image.log();
  const std::string text = run_shell("dumpe2fs '" + image.path().string() + "'").output;
  RawExt4 disk = open_raw(image);
  std::size_t at = 0;
  for (std::uint32_t index = 0; index < disk.superblock.group_count(); ++index) {
    at = text.find("Group " + std::to_string(index) + ":", at);
    ASSERT_NE(at, std::string::npos);
    const std::string own = text.substr(at);
    const auto group = GroupDescriptor::parse(disk.descriptor(index), index, disk.superblock);
    ASSERT_TRUE(group);
    EXPECT_EQ(number_after(own, "Block bitmap at"), group->block_bitmap.value());
    EXPECT_EQ(number_after(own, "Inode bitmap at"), group->inode_bitmap.value());
    EXPECT_EQ(number_after(own, "Inode table at"), group->inode_table.value());
    EXPECT_EQ(number_after(own, "csum"), group->checksum);
    EXPECT_EQ(own.substr(0, own.find('\n')).find("INODE_UNINIT") != std::string::npos,
              group->has(GroupFlag::kInodesUninitialised));
    EXPECT_EQ(own.find("Backup superblock at") < own.find("\nGroup "),
              index != 0 && disk.superblock.has_superblock(index))
        << index;
  }
}

TEST(Ext4Inode, ValuesAreThoseOfDebugfs) {
  SKIP_WITHOUT_TOOL("debugfs");
  TemporaryFolder folder;
  make_tree(folder.path() / "tree", 1);
  E2fsImage image({.mke2fs = "-b 4096", .tree = (folder.path() / "tree").string()});
  ASSERT_TRUE(image.is_made()) << image.log();
  image.debugfs(
      "set_inode_field /sparse uid 70000\nset_inode_field /sparse gid 80000\n"
      "set_inode_field /sparse mtime @0x180000000\nset_inode_field /sparse generation 77",
      true);
  const std::string text = image.debugfs("stat /sparse");
  const InodeNo number(static_cast<std::uint32_t>(number_after(text, "Inode:").value_or(0)));
  RawExt4 disk = open_raw(image);
  const auto inode = Inode::parse(disk.inode(number), number, disk.superblock);
  ASSERT_TRUE(inode) << inode.error().what;
  EXPECT_TRUE(inode->is(InodeType::kRegular));
  EXPECT_EQ(number_after(text, "Generation:"), inode->generation);
  EXPECT_EQ(number_after(text, "User:"), inode->uid);
  EXPECT_EQ(inode->uid, 70000u);
  EXPECT_EQ(number_after(text, "Group:"), inode->gid);
  EXPECT_EQ(number_after(text, "Size:"), inode->size);
  EXPECT_EQ(number_after(text, "Links:"), inode->links);
  EXPECT_EQ(number_after(text, "Blockcount:"), inode->sectors);
  EXPECT_EQ(number_after(text, "Flags:"), inode->flags);
  EXPECT_EQ(number_after(text, "Size of extra inode fields:"), inode->extra_bytes);
  EXPECT_EQ(number_after(text, "Inode checksum:"), inode->checksum);
  EXPECT_EQ(inode->modify_time.seconds, 0x180000000);
}

// The example of docs/format-ext4.md: what debugfs showed of an inode.
TEST(Ext4Inode, WorkedExample) {
  Superblock superblock;
  superblock.block_count = 1024;
  superblock.first_data_block = BlockNo(1);
  superblock.ro_compat = static_cast<std::uint32_t>(Ext4RoCompat::kMetadataChecksum);
  for (std::size_t i = 0; i < 16; ++i) superblock.uuid[i] = static_cast<std::uint8_t>(0x11 * i);
  std::vector<std::uint8_t> bytes(256);
  const auto put = [&bytes](std::size_t offset, std::initializer_list<std::uint8_t> values) {
    std::copy(values.begin(), values.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
  };
  put(0x00, {0xa4, 0x81, 0, 0, 0x08, 0x07, 0, 0, 0xff, 0x23, 0x03, 0x6b, 0xff, 0x23, 0x03, 0x6b});
  put(0x10, {0xff, 0x23, 0x03, 0x6b, 0, 0, 0, 0, 0, 0, 1, 0, 4, 0, 0, 0});
  put(0x20, {0, 0, 8, 0, 0, 0, 0, 0, 0x0a, 0xf3, 1, 0, 4, 0, 0, 0});
  put(0x34, {0, 0, 0, 0, 2, 0, 0, 0, 0x11, 0, 0, 0});
  put(0x7c, {0xe5, 0xe1, 0, 0, 0x20, 0, 0xda, 0xb7});
  put(0x90, {0, 0x10, 0x5e, 0x5f});
  const auto inode = Inode::parse(bytes, InodeNo(12), superblock);
  ASSERT_TRUE(inode) << inode.error().what;
  EXPECT_EQ(inode->mode, 0100644);
  EXPECT_EQ(inode->size, 1800u);
  EXPECT_EQ(inode->modify_time, (Timestamp{0x6b0323ff, 0}));
  EXPECT_EQ(inode->create_time, (Timestamp{1'600'000'000, 0}));
  EXPECT_EQ(inode->checksum, 0xb7dae1e5u);
  const auto root = ExtentNode::parse_root(inode->block_area, InodeNo(12), superblock);
  ASSERT_TRUE(root);
  EXPECT_EQ(root->extents, (std::vector<Extent>{{FileBlock(0), BlockNo(17), 2, false}}));
  EXPECT_EQ(Inode::parse(bytes, InodeNo(13), superblock).error().code, Errc::kChecksum);
}

}  // namespace
}  // namespace powercut
