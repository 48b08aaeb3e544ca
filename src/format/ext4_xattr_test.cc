// Extended attributes: hashes and names as Linux has them, real images that encode to the bytes
// they were parsed from, and a row for each rule that damage can break.
#include "format/ext4_xattr.h"

#include <gtest/gtest.h>

#include <sys/xattr.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>

#include "format/ext4_disk.h"
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

Bytes bytes_in(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// ---- hashes and names

// As Linux 6.18 wrote them.
TEST(XattrHash, IsTheKernels) {
  EXPECT_EQ(xattr_hash("b", bytes_in(std::string(200, 'x'))), 0x62u);
  EXPECT_EQ(xattr_hash("t", bytes_in("tt")), 0x747474u);
  EXPECT_EQ(xattr_hash("c", bytes_in(std::string(100, 'C'))), 0x43204343u);
  EXPECT_EQ(xattr_hash("blk1", bytes_in(std::string(100, 'A'))), 0xfc104171u);
  EXPECT_EQ(xattr_hash("blk2", bytes_in(std::string(100, 'B'))), 0xff104272u);
  EXPECT_EQ(xattr_hash(std::string(250, 'n'), bytes_in("vv")), 0xd6bb1d2cu);
  EXPECT_EQ(xattr_hash("\xe4", bytes_in("123")), 0xd73231u);
  EXPECT_EQ(xattr_hash("big", 0x53d085c7u), 0xd69785c6u);
  EXPECT_NE(xattr_hash("\xe4", bytes_in("123"), NameBytes::kSigned), 0xd73231u);
  EXPECT_EQ(xattr_hash("\x64", 7u, NameBytes::kSigned), xattr_hash("\x64", 7u));
  EXPECT_EQ(xattr_hash("", Bytes{}), 0u);
}

TEST(XattrHash, OfABlock) {
  const auto hash_of = [](const std::vector<std::uint32_t>& hashes) {
    std::vector<XattrEntry> entries(hashes.size());
    for (std::size_t i = 0; i < hashes.size(); ++i) entries[i].hash = hashes[i];
    return xattr_block_hash(entries);
  };
  EXPECT_EQ(hash_of({0x62, 0xd69785c6, 0xd6bb1d2c, 0x747474}), 0xcbad2709u);
  EXPECT_EQ(hash_of({0x73}), 0x73u);
  EXPECT_EQ(hash_of({0, 0x513231}), 0u);
  EXPECT_EQ(hash_of({0x513231, 0}), 0u);
  EXPECT_EQ(hash_of({}), 0u);
}

// The names are debugfs's; Linux lists the same of those that it lists.
TEST(XattrNames, OfEveryIndex) {
  struct Row {
    std::uint8_t index;
    const char* name;
    const char* full;
    bool is_listed;
  };
  const Row rows[] = {
      {0, "xx", "xx", false},
      {1, "xx", "user.xx", true},
      {1, "", "user.", true},
      {2, "", "system.posix_acl_access", true},
      {3, "", "system.posix_acl_default", true},
      {4, "a.b", "trusted.a.b", true},
      {5, "lov", "unknown-5.lov", false},
      {6, "capability", "security.capability", true},
      {7, "data", "system.data", false},
      {8, "", "system.richacl", false},
      {9, "c", "encryption.c", false},
      {10, "x", "gnu.x", true},
      {11, "x", "unknown-11.x", false},
      {255, "", "unknown-255.", false},
  };
  for (const Row& row : rows) {
    XattrEntry entry;
    entry.index = row.index;
    entry.name = row.name;
    EXPECT_EQ(entry.full_name(), row.full);
    EXPECT_EQ(entry.is_listed(), row.is_listed) << row.full;
    EXPECT_EQ(entry.is_inline_data(), std::string(row.full) == "system.data") << row.full;
  }
}

// ---- real images

struct Found {
  int bodies = 0, blocks = 0, values = 0, value_inodes = 0;
  std::vector<std::string> names;
};

// Parses and encodes the attributes of all inodes; the bytes must stay, the hashes must be right.
class XattrRoundTrip {
 public:
  // debugfs does not compute the hash of a block.
  XattrRoundTrip(RawExt4& disk, bool has_block_hashes)
      : disk_(disk), superblock_(disk.superblock), has_block_hashes_(has_block_hashes) {}

  Found run() {
    for (std::uint32_t i = 1; i <= superblock_.inode_count; ++i) inode(InodeNo(i));
    return found_;
  }

 private:
  void inode(InodeNo number) {
    const MutableBytes stored = disk_.inode(number);
    if (all_zero(stored)) return;
    const auto inode = Inode::parse(stored, number, superblock_);
    ASSERT_TRUE(inode) << inode.error().what << " " << number.value();
    const auto body = XattrBody::parse(stored, *inode, number, superblock_);
    ASSERT_TRUE(body) << body.error().what << " " << number.value();
    std::vector<std::uint8_t> copy(stored.begin(), stored.end());
    body->encode(copy, *inode);
    EXPECT_TRUE(std::ranges::equal(copy, stored)) << "inode " << number.value();
    found_.bodies += body->is_there ? 1 : 0;
    for (const XattrEntry& found : body->entries) entry(found, false);
    if (inode->xattr_block.value() != 0) block(inode->xattr_block);
  }

  void block(BlockNo place) {
    const MutableBytes stored = disk_.block(place);
    const auto block = XattrBlock::parse(stored, place, superblock_);
    ASSERT_TRUE(block) << block.error().what << " " << place.value();
    std::vector<std::uint8_t> copy(stored.begin(), stored.end());
    block->encode(copy, place, superblock_);
    EXPECT_TRUE(std::ranges::equal(copy, stored)) << "block " << place.value();
    if (has_block_hashes_) {
      EXPECT_EQ(xattr_block_hash(block->entries), block->hash);
    }
    ++found_.blocks;
    for (const XattrEntry& found : block->entries) entry(found, true);
  }

  void entry(const XattrEntry& entry, bool is_in_block) {
    ++found_.values;
    found_.names.push_back(entry.full_name());
    if (entry.value_inode.value() != 0) {
      ++found_.value_inodes;
      const auto fields = ValueInode::parse(disk_.inode(entry.value_inode));
      ASSERT_TRUE(fields);
      EXPECT_TRUE(fields->matches(entry)) << entry.full_name();
      EXPECT_GE(fields->references, 1u);
      XattrEntry other = entry;
      other.name += "x";
      EXPECT_FALSE(fields->matches(other));
    } else {
      EXPECT_EQ(entry.hash, is_in_block ? xattr_hash(entry.name, entry.value) : 0u)
          << entry.full_name();
    }
  }

  RawExt4& disk_;
  const Superblock& superblock_;
  const bool has_block_hashes_;
  Found found_;
};

Found round_trip(const E2fsImage& image, bool has_block_hashes) {
  auto raw = RawExt4::open(image.bytes());
  EXPECT_TRUE(raw) << (raw ? "" : raw.error().what);
  return raw ? XattrRoundTrip(*raw, has_block_hashes).run() : Found{};
}

// False where the folder's file system or the user may not set it.
bool set_xattr(const fs::path& path, const std::string& name, const std::string& value) {
  return ::lsetxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0) == 0;
}

struct Variant {
  const char* name;
  const char* mke2fs;
};
void PrintTo(const Variant& variant, std::ostream* out) {
  *out << variant.mke2fs;
}

class XattrImages : public ::testing::TestWithParam<Variant> {};

TEST_P(XattrImages, OfMke2fsAndDebugfs) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_TOOL("debugfs");
  TemporaryFolder folder;
  const fs::path tree = folder.path() / "tree";
  fs::create_directories(tree);
  std::ofstream(tree / "small").flush();
  std::ofstream(tree / "large").flush();
  const bool may_set = set_xattr(tree / "small", "user.one", "1");
  for (int i = 0; may_set && i < 7; ++i) {
    EXPECT_TRUE(set_xattr(tree / "large", "user.n" + std::to_string(i), std::string(50, 'v')));
  }
  E2fsImage image({.mke2fs = GetParam().mke2fs, .tree = tree.string()});
  ASSERT_TRUE(image.is_made()) << image.log();
  image.debugfs(
      "ea_set /small user.two 22\nea_set /small trusted.three 333\nea_set /small user.n " +
          std::string(150, 'w') + "\nea_set /large user.m mm\nea_set / user.root of_all\n",
      true);
  const Found found = round_trip(image, false);
  EXPECT_GE(found.blocks + found.bodies, 2);
  EXPECT_EQ(std::ranges::count(found.names, "user.two"), 1);
  EXPECT_EQ(std::ranges::count(found.names, "trusted.three"), 1);
  EXPECT_EQ(std::ranges::count(found.names, "user.m"), 1);
  EXPECT_EQ(std::ranges::count(found.names, "user.n6"), may_set ? 1 : 0);
}

TEST_P(XattrImages, OfTheRunningKernel) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_LOOP_MOUNTS();
  const E2fsImage image({.mke2fs = GetParam().mke2fs});
  ASSERT_TRUE(image.is_made()) << image.log();
  TemporaryFolder folder;
  LoopMount mount(image.path(), folder.path() / "mount");
  ASSERT_TRUE(mount.is_mounted()) << mount.log();
  for (const char* name : {"first", "second"}) {
    const fs::path file = folder.path() / "mount" / name;
    std::ofstream(file).flush();
    EXPECT_TRUE(set_xattr(file, "user.in", "inside"));
    EXPECT_TRUE(set_xattr(file, "trusted.empty", ""));
    EXPECT_TRUE(set_xattr(file, "user." + std::string(250, 'n'), std::string(99, 'v')));
    EXPECT_TRUE(set_xattr(file, "security.x\xe4", std::string(300, 'w')));
  }
  // Filled up: the last ones are refused for want of room.
  const fs::path full = folder.path() / "mount" / "full";
  std::ofstream(full).flush();
  int count = 0;
  while (set_xattr(full, "user.f" + std::to_string(count), std::string(40, 'f'))) ++count;
  EXPECT_GT(count, 10);
  const bool has_value_inodes =
      set_xattr(folder.path() / "mount" / "first", "user.big\xff", std::string(60000, 'B'));
  ASSERT_TRUE(mount.unmount()) << mount.log();
  const Found found = round_trip(image, true);
  EXPECT_GE(found.blocks, 1);
  EXPECT_GE(found.values, 8 + count);
  const bool has_feature = std::string(GetParam().mke2fs).find("ea_inode") != std::string::npos;
  EXPECT_EQ(has_value_inodes, has_feature);
  EXPECT_EQ(found.value_inodes >= 1, has_feature);
  EXPECT_EQ(image.fsck("-fn").status, 0);
}

INSTANTIATE_TEST_SUITE_P(
    Options, XattrImages,
    ::testing::Values(Variant{"K1I128", "-b 1024 -I 128"}, Variant{"K1I256", "-b 1024 -I 256"},
                      Variant{"K2I512", "-b 2048 -I 512"}, Variant{"K4I1024", "-b 4096 -I 1024"},
                      Variant{"NoChecksums", "-b 4096 -I 256 -O ^metadata_csum"},
                      Variant{"Seed", "-b 1024 -I 256 -O metadata_csum_seed"},
                      Variant{"EaInode", "-b 4096 -I 256 -O ea_inode"},
                      Variant{"EaInodeNoChecksums",
                              "-b 1024 -I 256 -O ea_inode,^metadata_csum -J size=4"}),
    [](const auto& variant) { return variant.param.name; });

// ---- damage

constexpr InodeNo kNumber{12};
constexpr BlockNo kPlace{77};

Superblock superblock_with(bool has_checksums) {
  Superblock superblock;
  superblock.block_count = 10'000;
  superblock.inode_count = 1000;
  superblock.first_data_block = BlockNo(1);
  superblock.incompat = static_cast<std::uint32_t>(Ext4Incompat::kEaInode);
  if (has_checksums) {
    superblock.ro_compat = static_cast<std::uint32_t>(Ext4RoCompat::kMetadataChecksum);
  }
  return superblock;
}

XattrEntry entry_of(XattrIndex index, const std::string& name, const std::string& value,
                    std::uint16_t offset) {
  XattrEntry entry;
  entry.index = static_cast<std::uint8_t>(index);
  entry.name = name;
  entry.value.assign(value.begin(), value.end());
  entry.value_bytes = static_cast<std::uint32_t>(value.size());
  entry.value_offset = offset;
  return entry;
}

Inode inode_with(std::uint16_t extra_bytes) {
  Inode inode;
  inode.mode = 0100644;
  inode.extra_bytes = extra_bytes;
  return inode;
}

// The magic at byte 160, entries from 164: "user.a" there, "trusted.bb" at 184, their end at 204.
// Values at 164 + 84 and 164 + 88.
std::vector<std::uint8_t> sound_inode() {
  XattrBody body;
  body.is_there = true;
  body.entries = {entry_of(XattrIndex::kUser, "a", "one", 88),
                  entry_of(XattrIndex::kTrusted, "bb", "two!", 84)};
  std::vector<std::uint8_t> stored(256);
  body.encode(stored, inode_with(32));
  return stored;
}

struct Row {
  const char* name;
  std::size_t offset;
  std::uint32_t value;  // 32 bits, little-endian
  const char* what;     // empty: nothing is wrong with it
};

TEST(XattrDamage, InAnInode) {
  const std::vector<std::uint8_t> sound = sound_inode();
  const Superblock superblock = superblock_with(false);
  const Row rows[] = {
      {"sound", 0, 0, ""},
      {"no magic", 160, 0, ""},
      {"hash", 176, 0x1234, ""},
      {"index", 164, 0x00580301, ""},
      {"unaligned value", 184, 0x00530402, ""},
      {"shared value", 184, 0x00580402, ""},
      {"empty, offset without a meaning", 172, 0, ""},
      {"value touches the end of the entries", 164, 0x00280101, "attribute: value in the entries"},
      {"value right behind the entries", 164, 0x002c0101, ""},
      {"value in the entries", 164, 0x00040101, "attribute: value in the entries"},
      {"value past the end", 164, 0x005a0101, "attribute: value past the end"},
      {"value begins past the end", 164, 0xfffc0101, "attribute: value past the end"},
      {"value of 4 GiB", 172, 0xffffffff, "attribute: value past the end"},
      {"name past the end", 184, 0x005404ff, "attribute: name past the end"},
      {"zero byte in the name", 200, 0x00000062, "attribute: a zero byte in its name"},
      {"value inode too small", 168, 10, "attribute: number of the value inode"},
      {"value inode too large", 168, 1001, "attribute: number of the value inode"},
      {"value inode", 168, 1000, ""},
  };
  for (const Row& row : rows) {
    auto stored = sound;
    if (row.offset != 0) store(stored, row.offset, Le32(row.value));
    const auto parsed = XattrBody::parse(stored, inode_with(32), kNumber, superblock);
    ASSERT_EQ(parsed.has_value(), *row.what == '\0') << row.name;
    if (parsed) {
      auto copy = stored;
      parsed->encode(copy, inode_with(32));
      EXPECT_EQ(copy, stored) << row.name;
      continue;
    }
    EXPECT_STREQ(parsed.error().what, row.what) << row.name;
    EXPECT_EQ(parsed.error().code, Errc::kCorrupt) << row.name;
    EXPECT_EQ(parsed.error().where, kNumber.value()) << row.name;
  }
}

TEST(XattrDamage, ValueInodes) {
  const Superblock with = superblock_with(false);
  Superblock without = with;
  without.incompat = 0;
  auto stored = sound_inode();
  store(stored, 168, Le32(500));
  const auto what_of = [&](std::uint32_t length, const Superblock& superblock) {
    store(stored, 172, Le32(length));
    const auto parsed = XattrBody::parse(stored, inode_with(32), kNumber, superblock);
    return std::string(parsed ? "" : parsed.error().what);
  };
  EXPECT_EQ(what_of(60000, with), "");
  EXPECT_EQ(what_of(1u << 24, with), "");
  EXPECT_EQ(what_of((1u << 24) + 1, with), "attribute: length of the value in an inode");
  EXPECT_EQ(what_of(0, with), "attribute: length of the value in an inode");
  EXPECT_EQ(what_of(60000, without), "attribute: a value inode without the feature ea_inode");
}

// Where the entries end, and how much room an inode has for them.
TEST(XattrDamage, EndOfTheEntries) {
  const Superblock superblock = superblock_with(false);
  const auto what_of = [&](std::uint8_t name_bytes, std::uint32_t last) {
    std::vector<std::uint8_t> stored(256, 'n');
    disk::XattrEntry entry{};
    entry.name_bytes = name_bytes;
    entry.name_index = 1;
    store(stored, 160, Le32(disk::kXattrMagic));
    store(stored, 164, entry);
    store(stored, 252, Le32(last));
    const auto parsed = XattrBody::parse(stored, inode_with(32), kNumber, superblock);
    return std::string(parsed ? "" : parsed.error().what);
  };
  EXPECT_EQ(what_of(72, 0), "");
  EXPECT_EQ(what_of(69, 0), "");
  EXPECT_EQ(what_of(72, 0x101), "attribute: entry past the end");
  EXPECT_EQ(what_of(76, 0x6e6e6e6e), "attributes: no end of the entries");
  EXPECT_EQ(what_of(73, 0x6e6e6e6e), "attributes: no end of the entries");
  EXPECT_EQ(what_of(77, 0x6e6e6e6e), "attribute: name past the end");

  const auto is_there = [&](std::size_t inode_bytes, std::uint16_t extra_bytes) {
    std::vector<std::uint8_t> stored(inode_bytes);
    for (std::size_t at = 128; at + 4 <= inode_bytes; at += 4) {
      store(stored, at, Le32(at == 128u + extra_bytes ? disk::kXattrMagic : 0));
    }
    const auto parsed = XattrBody::parse(stored, inode_with(extra_bytes), kNumber, superblock);
    return parsed && parsed->is_there;
  };
  EXPECT_TRUE(is_there(256, 4));
  EXPECT_TRUE(is_there(256, 120));
  EXPECT_FALSE(is_there(256, 0));
  EXPECT_FALSE(is_there(256, 124));
  EXPECT_FALSE(is_there(256, 128));
  EXPECT_FALSE(is_there(256, 0xFFFC));
  EXPECT_FALSE(is_there(128, 0));
  EXPECT_FALSE(is_there(128, 32));
}

// Entries from 32: "user.a" there, "user.b" at 52, their end at 72; values from there to the end.
std::vector<std::uint8_t> sound_block(const Superblock& superblock) {
  XattrBlock block;
  block.entries = {entry_of(XattrIndex::kUser, "a", "one", 1020),
                   entry_of(XattrIndex::kUser, "b", std::string(944, 'b'), 76)};
  std::vector<std::uint8_t> stored(1024);
  block.encode(stored, kPlace, superblock);
  return stored;
}

TEST(XattrDamage, InABlock) {
  const Superblock superblock = superblock_with(false);
  const auto sound = sound_block(superblock);
  const Row rows[] = {
      {"sound", 0, disk::kXattrMagic, ""},
      {"references", 4, 5000, ""},
      {"hash", 12, 1, ""},
      {"checksum without the feature", 16, 1, ""},
      {"reserved", 20, 1, ""},
      {"magic", 0, disk::kXattrMagic + 1, "attribute block: magic"},
      {"magic of the first version", 0, 0xEA010000, "attribute block: magic"},
      {"no blocks", 8, 0, "attribute block: not a single block"},
      {"two blocks", 8, 2, "attribute block: not a single block"},
      {"value in the header", 32, 0x00000101, "attribute: value in the entries"},
      {"value past the end", 32, 0x03fe0101, "attribute: value past the end"},
      {"no end of the entries", 72, 0x00000101, "attribute: number of the value inode"},
  };
  for (const Row& row : rows) {
    auto stored = sound;
    store(stored, row.offset, Le32(row.value));
    const auto parsed = XattrBlock::parse(stored, kPlace, superblock);
    ASSERT_EQ(parsed.has_value(), *row.what == '\0') << row.name;
    if (parsed) {
      auto copy = stored;
      parsed->encode(copy, kPlace, superblock);
      EXPECT_EQ(copy, stored) << row.name;
      continue;
    }
    EXPECT_STREQ(parsed.error().what, row.what) << row.name;
    EXPECT_EQ(parsed.error().code, Errc::kCorrupt) << row.name;
    EXPECT_EQ(parsed.error().where, kPlace.value()) << row.name;
  }
  EXPECT_STREQ(XattrBlock::parse(Bytes(sound).first(1020), kPlace, superblock).error().what,
               "attribute block: length");
}

TEST(XattrDamage, AnyFlippedBitOfABlockIsAChecksumError) {
  const Superblock superblock = superblock_with(true);
  auto stored = sound_block(superblock);
  ASSERT_TRUE(XattrBlock::parse(stored, kPlace, superblock));
  for (std::size_t bit = 0; bit < stored.size() * 8; bit += 3) {
    const auto mask = static_cast<std::uint8_t>(1u << (bit % 8));
    stored[bit / 8] ^= mask;
    const auto parsed = XattrBlock::parse(stored, kPlace, superblock);
    stored[bit / 8] ^= mask;
    ASSERT_FALSE(parsed) << bit;
    EXPECT_EQ(parsed.error().code, Errc::kChecksum) << bit;
    EXPECT_STREQ(parsed.error().what, "attribute block: checksum");
  }
  // The number of the block is part of it.
  EXPECT_FALSE(XattrBlock::parse(stored, BlockNo(78), superblock));
}

// Both halves of the count, and the older form with one owner.
TEST(ValueInode, Fields) {
  disk::InodeBase base{};
  base.access_time = 0x11223344;
  base.change_time = 2;
  base.version_low = 3;
  base.modify_time = kNumber.value();
  const auto fields = ValueInode::parse(bytes_of(base));
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->value_hash, 0x11223344u);
  EXPECT_EQ(fields->references, 0x200000003u);
  Inode owner, self;
  owner.generation = self.generation = 7;
  EXPECT_TRUE(fields->is_only_of(kNumber, owner, self));
  EXPECT_FALSE(fields->is_only_of(InodeNo(13), owner, self));
  self.generation = 8;
  EXPECT_FALSE(fields->is_only_of(kNumber, owner, self));
  XattrEntry entry;
  entry.name = "\xe4";
  for (const NameBytes bytes : {NameBytes::kUnsigned, NameBytes::kSigned}) {
    entry.hash = xattr_hash(entry.name, 0x11223344u, bytes);
    EXPECT_TRUE(fields->matches(entry));
    ++entry.hash;
    EXPECT_FALSE(fields->matches(entry));
  }
  EXPECT_FALSE(ValueInode::parse(Bytes(bytes_of(base)).first(100)));
}

TEST(XattrDeath, WhatDoesNotFitIsAMistakeOfTheCaller) {
  const auto encode = [](const XattrEntry& entry) {
    XattrBody body;
    body.is_there = true;
    body.entries = {entry};
    std::vector<std::uint8_t> stored(256);
    body.encode(stored, inode_with(32));
  };
  encode(entry_of(XattrIndex::kUser, "a", "v", 88));
  EXPECT_DEATH(encode(entry_of(XattrIndex::kUser, "a", "v", 20)), "value that does not fit");
  EXPECT_DEATH(encode(entry_of(XattrIndex::kUser, "a", "v", 92)), "value that does not fit");
  EXPECT_DEATH(encode(entry_of(XattrIndex::kUser, std::string(77, 'n'), "", 0)), "past the end");
  EXPECT_DEATH(encode(entry_of(XattrIndex::kUser, std::string(256, 'n'), "", 0)), "name that does");
}

}  // namespace
}  // namespace powercut
