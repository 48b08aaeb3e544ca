// One planted damage for each rule of the structure judge: that rule is found, and e2fsck -fn
// objects too, but for the differences that are listed.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "base/crc32c.h"
#include "block/memory_device.h"
#include "format/ext4_orphan.h"
#include "format/ext4_xattr.h"
#include "lab/check/structure_rule.h"
#include "lab/check/structure_test_support.h"
#include "reader/volume.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/raw_ext4.h"

namespace powercut::lab {
namespace {

using structure_testing::words_of_image;
using testing::E2fsImage;
using testing::RawExt4;
using testing::TemporaryFolder;

// ---- changes that leave all checksums right

InodeNo inode_at(RawExt4& raw, const char* path) {
  const MemoryDevice device(raw.bytes);
  return Volume::open(device)->find(path).value();
}

template <class Edit>
void edit_inode(RawExt4& raw, const char* path, Edit edit) {
  const InodeNo number = inode_at(raw, path);
  const MutableBytes stored = raw.inode(number);
  Inode inode = Inode::parse(stored, number, raw.superblock).value();
  edit(inode);
  inode.encode(stored, number, raw.superblock);
}

template <class Edit>
void edit_group(RawExt4& raw, std::uint32_t group, Edit edit) {
  const MutableBytes stored = raw.descriptor(group);
  auto descriptor = GroupDescriptor::parse(stored, group, raw.superblock).value();
  edit(descriptor);
  descriptor.encode(stored, raw.superblock);
}

template <class Edit>
void edit_superblock(RawExt4& raw, Edit edit) {
  edit(raw.superblock);
  raw.superblock.encode(raw.at(kSuperblockOffset, kSuperblockBytes));
}

OwnerSeed owner_of(RawExt4& raw, InodeNo number) {
  const auto inode = Inode::parse(raw.inode(number), number, raw.superblock);
  return OwnerSeed::make(raw.superblock, number, inode->generation);
}

// The first block of a directory, or of a file.
MutableBytes first_block(RawExt4& raw, const char* path) {
  return raw.block(raw.first_extent(inode_at(raw, path)).device);
}

template <class Edit>
void edit_directory(RawExt4& raw, const char* path, Edit edit) {
  const InodeNo number = inode_at(raw, path);
  const BlockNo place = raw.first_extent(number).device;
  const OwnerSeed owner = owner_of(raw, number);
  auto block = DirectoryBlock::parse(raw.block(place), place, owner, raw.superblock).value();
  edit(block.records);
  block.encode(raw.block(place), owner, raw.superblock);
}

DirectoryRecord& record_of(std::vector<DirectoryRecord>& records, const std::string& name) {
  return *std::ranges::find(records, name, &DirectoryRecord::name);
}

// The first leaf of the tree of /sparse.
template <class Edit>
void edit_leaf(RawExt4& raw, Edit edit) {
  const InodeNo number = inode_at(raw, "/sparse");
  const auto inode = Inode::parse(raw.inode(number), number, raw.superblock);
  const auto root = ExtentNode::parse_root(inode->block_area, number, raw.superblock);
  const BlockNo place = root->children.at(0).node;
  const OwnerSeed owner = owner_of(raw, number);
  auto node = ExtentNode::parse_block(raw.block(place), place, 0, owner, raw.superblock).value();
  edit(node);
  node.encode_block(raw.block(place), owner, raw.superblock);
}

template <class Edit>
void edit_attributes(RawExt4& raw, Edit edit) {
  const InodeNo number = inode_at(raw, "/short_file");
  const BlockNo place = Inode::parse(raw.inode(number), number, raw.superblock)->xattr_block;
  auto block = XattrBlock::parse(raw.block(place), place, raw.superblock).value();
  edit(block);
  block.encode(raw.block(place), place, raw.superblock);
}

template <class Edit>
void edit_block_bitmap(RawExt4& raw, Edit edit) {
  const auto group = GroupDescriptor::parse(raw.descriptor(0), 0, raw.superblock).value();
  const MutableBytes bitmap = raw.block(group.block_bitmap);
  edit(bitmap);
  const std::uint32_t checksum =
      crc32c(raw.superblock.checksum_seed(), bitmap.first(raw.superblock.clusters_per_group / 8));
  edit_group(raw, 0, [&](GroupDescriptor& now) { now.block_bitmap_checksum = checksum; });
}

// ---- the table

struct Damage {
  const char* rule;
  bool e2fsck_objects;
  void (*plant)(RawExt4&);
};

const Damage kDamages[] = {
    {"superblock", true, [](RawExt4& raw) { raw.at(kSuperblockOffset + 0x38, 2)[0] ^= 1; }},
    // It says so, mends it in memory, and exits 0.
    {"group-descriptor", false, [](RawExt4& raw) { raw.descriptor(0)[0x1E] ^= 1; }},
    {"refused", false,
     [](RawExt4& raw) {
       edit_superblock(raw, [](Superblock& superblock) {
         superblock.ro_compat |= static_cast<std::uint32_t>(Ext4RoCompat::kSharedBlocks);
       });
     }},
    // It leaves the list alone where it may not write.
    {"orphan-list", false,
     [](RawExt4& raw) {
       edit_superblock(raw, [](Superblock& superblock) { superblock.last_orphan = InodeNo(5); });
     }},
    {"block-bitmap-checksum", true,
     [](RawExt4& raw) {
       edit_group(raw, 0, [](GroupDescriptor& group) { group.block_bitmap_checksum ^= 1; });
     }},
    {"inode-bitmap-checksum", true,
     [](RawExt4& raw) {
       edit_group(raw, 0, [](GroupDescriptor& group) { group.inode_bitmap_checksum ^= 1; });
     }},
    {"bitmap-padding", true,
     [](RawExt4& raw) {
       edit_block_bitmap(raw, [](MutableBytes bitmap) { bitmap[4095] = 0x7F; });
     }},
    {"group-free-blocks", true,
     [](RawExt4& raw) { edit_group(raw, 0, [](GroupDescriptor& group) { --group.free_blocks; }); }},
    {"group-free-inodes", true,
     [](RawExt4& raw) { edit_group(raw, 0, [](GroupDescriptor& group) { --group.free_inodes; }); }},
    {"group-directories", true,
     [](RawExt4& raw) {
       edit_group(raw, 0, [](GroupDescriptor& group) { ++group.used_directories; });
     }},
    {"block-claimed-twice", true,
     [](RawExt4& raw) {
       edit_leaf(raw, [](ExtentNode& node) { node.extents[1].device = node.extents[0].device; });
     }},
    {"block-not-marked", true,
     [](RawExt4& raw) { edit_block_bitmap(raw, [](MutableBytes bitmap) { bitmap[0] = 0xFE; }); }},
    {"block-marked-unused", true,
     [](RawExt4& raw) { edit_block_bitmap(raw, [](MutableBytes bitmap) { bitmap[500] |= 1; }); }},
    {"attribute-block", true,
     [](RawExt4& raw) {
       edit_attributes(raw, [](XattrBlock& block) { block.entries.at(0).hash ^= 1; });
     }},
    {"attribute-references", true,
     [](RawExt4& raw) { edit_attributes(raw, [](XattrBlock& block) { block.references = 2; }); }},
    {"inode", true, [](RawExt4& raw) { raw.inode(inode_at(raw, "/sparse"))[0x7C] ^= 1; }},
    {"inode-mode", true,
     [](RawExt4& raw) {
       edit_inode(raw, "/short_file", [](Inode& inode) { inode.mode = 0x31FF; });
     }},
    {"inode-flags", true,
     [](RawExt4& raw) {
       edit_inode(raw, "/short_file", [](Inode& inode) { inode.flags |= 0x1000; });
     }},
    {"inode-size", true,
     [](RawExt4& raw) { edit_inode(raw, "/top", [](Inode& inode) { ++inode.size; }); }},
    {"inode-blocks", true,
     [](RawExt4& raw) { edit_inode(raw, "/top", [](Inode& inode) { inode.sectors += 8; }); }},
    {"extent-tree", true,
     [](RawExt4& raw) {
       edit_leaf(raw, [](ExtentNode& node) { node.extents.erase(node.extents.begin()); });
     }},
    {"symlink", true,
     [](RawExt4& raw) { edit_inode(raw, "/short_link", [](Inode& inode) { --inode.size; }); }},
    {"resize-inode", true,
     [](RawExt4& raw) {
       const MutableBytes stored = raw.inode(kResizeInode);
       Inode inode = Inode::parse(stored, kResizeInode, raw.superblock).value();
       inode.block_area[0] = 77;  // a direct block
       inode.encode(stored, kResizeInode, raw.superblock);
     }},
    {"directory-block", true, [](RawExt4& raw) { first_block(raw, "/top")[20] ^= 1; }},
    {"directory-dots", true,
     [](RawExt4& raw) {
       edit_directory(raw, "/top", [](auto& records) { records[0].inode = kRootInode; });
     }},
    {"directory-hole", true,
     [](RawExt4& raw) { edit_inode(raw, "/top", [](Inode& inode) { inode.size += 4096; }); }},
    {"directory-index", true, [](RawExt4& raw) { first_block(raw, "/many")[0x1C] = 0x77; }},
    {"duplicate-name", true,
     [](RawExt4& raw) {
       edit_directory(raw, "/top",
                      [](auto& records) { record_of(records, "innes").name = "inner"; });
     }},
    {"name-of-unused", true,
     [](RawExt4& raw) {
       edit_directory(raw, "/top",
                      [](auto& records) { record_of(records, "inner").inode = InodeNo(3000); });
     }},
    {"name-of-reserved", true,
     [](RawExt4& raw) {
       edit_directory(raw, "/top",
                      [](auto& records) { record_of(records, "inner").inode = InodeNo(8); });
     }},
    {"entry-type", true,
     [](RawExt4& raw) {
       edit_directory(raw, "/top",
                      [](auto& records) { record_of(records, "inner").file_type = 1; });
     }},
    {"link-count", true,
     [](RawExt4& raw) { edit_inode(raw, "/sparse", [](Inode& inode) { ++inode.links; }); }},
    {"unattached", true,
     [](RawExt4& raw) {
       edit_directory(raw, "/top",
                      [](auto& records) { record_of(records, "inner").inode = InodeNo(); });
     }},
    {"directory-parents", true,
     [](RawExt4& raw) {
       const InodeNo inner = inode_at(raw, "/top/inner");
       edit_directory(raw, "/top",
                      [&](auto& records) { record_of(records, "innes").inode = inner; });
     }},
    {"dot-dot", true,
     [](RawExt4& raw) {
       edit_directory(raw, "/top/inner", [](auto& records) { records[1].inode = InodeNo(11); });
     }},
    // /top and /top/inner as each other's parents.  e2fsck 1.47.0 sees nothing wrong in it.
    {"detached-cycle", false,
     [](RawExt4& raw) {
       const InodeNo top = inode_at(raw, "/top"), inner = inode_at(raw, "/top/inner");
       edit_directory(raw, "/",
                      [&](auto& records) { record_of(records, "top").inode = InodeNo(); });
       edit_inode(raw, "/", [](Inode& inode) { --inode.links; });
       const auto put = [&](BlockNo place, InodeNo self, auto edit) {
         const OwnerSeed owner = owner_of(raw, self);
         auto block = DirectoryBlock::parse(raw.block(place), place, owner, raw.superblock).value();
         edit(block.records);
         block.encode(raw.block(place), owner, raw.superblock);
       };
       put(raw.first_extent(top).device, top, [&](auto& records) { records[1].inode = inner; });
       put(raw.first_extent(inner).device, inner, [&](auto& records) {
         DirectoryRecord& last = records.back();
         const std::uint32_t room = last.record_bytes - 12;
         last.record_bytes = 12;
         records.push_back({top, room, 2, "top"});
       });
       for (const InodeNo number : {inner}) {
         Inode inode = Inode::parse(raw.inode(number), number, raw.superblock).value();
         ++inode.links;
         inode.encode(raw.inode(number), number, raw.superblock);
       }
     }},
    {"inode-past-size", true,
     [](RawExt4& raw) { edit_inode(raw, "/sparse", [](Inode& inode) { inode.size = 4096; }); }},
    {"inode-delete-time", true,
     [](RawExt4& raw) {
       edit_inode(raw, "/sparse", [](Inode& inode) { inode.delete_time = 1'700'000'000; });
     }},
    {"inode-not-marked", true,
     [](RawExt4& raw) {
       const auto group = GroupDescriptor::parse(raw.descriptor(0), 0, raw.superblock).value();
       raw.block(group.inode_bitmap)[1] ^= 0x08;  // inode 12
     }},
    {"inode-marked-unused", true,
     [](RawExt4& raw) {
       const auto group = GroupDescriptor::parse(raw.descriptor(0), 0, raw.superblock).value();
       raw.block(group.inode_bitmap)[200] ^= 0x01;
     }},
};

// ---- the rules that need a feature

struct FeatureDamage {
  const char* rule;
  bool e2fsck_objects;
  const char* mke2fs;
  const char* debugfs;  // makes what is damaged
  void (*plant)(RawExt4&);
};

XattrEntry first_attribute(RawExt4& raw) {
  const InodeNo number = inode_at(raw, "/short_file");
  const MutableBytes stored = raw.inode(number);
  const auto inode = Inode::parse(stored, number, raw.superblock);
  return XattrBody::parse(stored, *inode, number, raw.superblock)->entries.at(0);
}

template <class Edit>
void edit_body(RawExt4& raw, Edit edit) {
  const InodeNo number = inode_at(raw, "/short_file");
  const MutableBytes stored = raw.inode(number);
  const auto inode = Inode::parse(stored, number, raw.superblock);
  auto body = XattrBody::parse(stored, *inode, number, raw.superblock).value();
  edit(body.entries.at(0));
  body.encode(stored, *inode);
  inode->encode(stored, number, raw.superblock);
}

// `edit` gets the value inode of the first attribute, and its bytes.
template <class Edit>
void edit_value_inode(RawExt4& raw, Edit edit) {
  const InodeNo number = first_attribute(raw).value_inode;
  const MutableBytes stored = raw.inode(number);
  Inode inode = Inode::parse(stored, number, raw.superblock).value();
  edit(inode, stored);
  inode.encode(stored, number, raw.superblock);
}

constexpr const char* kValue =
    "ea_set -f short_file.value short_file user.big\n"
    "sif short_file blocks 16\n";

const FeatureDamage kFeatureDamages[] = {
    {"inline-data", true, "-b 4096 -O inline_data", "",
     [](RawExt4& raw) { edit_body(raw, [](XattrEntry& entry) { entry.name = "datb"; }); }},
    {"attributes", true, "-b 4096", "ea_set short_file user.k value\n",
     [](RawExt4& raw) { edit_body(raw, [](XattrEntry& entry) { entry.hash = 1; }); }},
    // A value inode of another size than its attribute's value is none of e2fsck's worries.
    {"value-inode", true, "-b 4096 -O ea_inode", kValue,
     [](RawExt4& raw) {
       edit_value_inode(raw, [](Inode& inode, auto) {
         inode.flags &= ~static_cast<std::uint32_t>(InodeFlag::kEaInode);
       });
     }},
    {"value-references", true, "-b 4096 -O ea_inode", kValue,
     [](RawExt4& raw) {
       edit_value_inode(raw, [](Inode&, MutableBytes stored) { stored[0x24] ^= 2; });
     }},
    {"indirect-blocks", true, "-b 4096 -O ^extent,^64bit", "",
     [](RawExt4& raw) {
       edit_inode(raw, "/sparse", [](Inode& inode) { inode.block_area[50] = 0xFF; });
     }},
    {"orphan-file", true, "-b 4096 -O orphan_file", "",
     [](RawExt4& raw) {
       const InodeNo file = raw.superblock.orphan_file_inode;
       const BlockNo place = raw.first_extent(file).device;
       const OwnerSeed owner = owner_of(raw, file);
       auto block = OrphanBlock::parse(raw.block(place), place, owner, raw.superblock).value();
       block.slots.at(0) = inode_at(raw, "/sparse");
       block.encode(raw.block(place), place, owner, raw.superblock);
     }},
    {"too-many-claims", true, "-b 4096", "",
     [](RawExt4& raw) {
       for (int i = 0; i < 8; ++i) {
         const std::string path =
             "/many/name-" + std::to_string(i) + std::string(static_cast<std::size_t>(i), 'x');
         edit_inode(raw, path.c_str(), [](Inode& inode) {
           ExtentNode root;
           root.capacity = 4;
           root.extents.push_back({FileBlock(0), BlockNo(10), 3500, false});
           root.encode_root(inode.block_area);
         });
       }
     }},
};

class StructureDamage : public ::testing::Test {
 protected:
  static void make_small_tree(const std::filesystem::path& root) {
    testing::make_tree(root, 400);
    std::ofstream(root / "short_file") << "short";
  }
  static std::vector<std::uint8_t> image_with(const FeatureDamage& damage) {
    const TemporaryFolder folder;
    const auto root = folder.path() / "tree";
    make_small_tree(root);
    const auto value = folder.path() / "value";
    std::ofstream(value) << std::string(4096, 'v');
    E2fsImage image({.mke2fs = damage.mke2fs, .tree = root.string()});
    std::string commands = damage.debugfs;
    const std::string placeholder = "short_file.value";
    if (const auto at = commands.find(placeholder); at != std::string::npos) {
      commands.replace(at, placeholder.size(), value.string());
    }
    if (!commands.empty()) image.debugfs(commands, true);
    return image.bytes();
  }
  static std::vector<std::uint8_t> good_image() {
    const TemporaryFolder folder;
    const auto root = folder.path() / "tree";
    make_small_tree(root);
    std::filesystem::create_directories(root / "top" / "inner");
    std::filesystem::create_directories(root / "top" / "innes");
    E2fsImage image({.mke2fs = "-b 4096 -O ^orphan_file", .tree = root.string()});
    image.fsck("-fyD");  // makes the index of a large directory
    image.debugfs("ea_set short_file user.long " + std::string(300, 'v'), true);
    return image.bytes();
  }
  // Whether e2fsck -fn objects to it.
  static bool e2fsck_objects(const std::vector<std::uint8_t>& bytes) {
    const TemporaryFolder folder;
    const auto path = folder.path() / "image";
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    return testing::run_shell("e2fsck -fn '" + path.string() + "'").status != 0;
  }
};

TEST_F(StructureDamage, IsFoundByItsRule) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_TOOL("debugfs");
  const auto good = good_image();
  ASSERT_EQ(words_of_image(good, 4096), "clean\n");
  for (const Damage& damage : kDamages) {
    SCOPED_TRACE(damage.rule);
    RawExt4 raw = RawExt4::open(good).value();
    damage.plant(raw);
    const std::string words = words_of_image(raw.bytes, 4096);
    EXPECT_EQ(words.rfind("wrong\n", 0), 0u);
    EXPECT_NE(words.find("\n" + std::string(damage.rule) + ":"), std::string::npos) << words;
  }
}

TEST_F(StructureDamage, IsFoundByE2fsckToo) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_TOOL("debugfs");
  SKIP_WITHOUT_TOOL("e2fsck");
  const auto good = good_image();
  ASSERT_FALSE(e2fsck_objects(good));
  for (const Damage& damage : kDamages) {
    RawExt4 raw = RawExt4::open(good).value();
    damage.plant(raw);
    EXPECT_EQ(e2fsck_objects(raw.bytes), damage.e2fsck_objects) << damage.rule;
  }
}

TEST_F(StructureDamage, OfAFeatureIsFoundByItsRuleAndByE2fsck) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_TOOL("debugfs");
  SKIP_WITHOUT_TOOL("e2fsck");
  for (const FeatureDamage& damage : kFeatureDamages) {
    SCOPED_TRACE(damage.rule);
    RawExt4 raw = RawExt4::open(image_with(damage)).value();
    ASSERT_EQ(words_of_image(raw.bytes, 4096), "clean\n");
    EXPECT_FALSE(e2fsck_objects(raw.bytes));
    damage.plant(raw);
    const std::string words = words_of_image(raw.bytes, 4096);
    EXPECT_NE(words.find("\n" + std::string(damage.rule) + ":"), std::string::npos) << words;
    EXPECT_EQ(e2fsck_objects(raw.bytes), damage.e2fsck_objects);
  }
}

// Every rule is in one of the tables.
TEST_F(StructureDamage, OfEveryRuleIsPlanted) {
  std::set<std::string> planted;
  for (const Damage& damage : kDamages) planted.insert(damage.rule);
  for (const FeatureDamage& damage : kFeatureDamages) planted.insert(damage.rule);
  for (std::size_t i = 0; i < kStructureRules; ++i) {
    const auto name = structure_rule_name(static_cast<StructureRule>(i));
    EXPECT_EQ(planted.count(std::string(name)), 1u) << name;
  }
}

}  // namespace
}  // namespace powercut::lab
