// Hashes of names against debugfs: its dx_hash over random names and seeds, and the hashes that it
// prints of the names in real htrees.
#include "format/ext4_hash.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>

#include "base/prng.h"
#include "base/stored_int.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/raw_ext4.h"

namespace powercut {
namespace {

using testing::E2fsImage;
using testing::RawExt4;
using testing::run_shell;
using testing::TemporaryFolder;

// A name of `length` bytes that debugfs takes for one word: no control characters, no blanks,
// quotes, backslashes or slashes; bytes from 0x80 up are as likely as the others.
std::string random_name(Prng& prng, std::size_t length) {
  std::string name;
  while (name.size() < length) {
    const auto byte = static_cast<char>(prng.below(256));
    const bool is_plain = static_cast<unsigned char>(byte) >= 0x80 || (byte > 0x20 && byte < 0x7F);
    const bool is_special = std::string_view("\"'\\#;/-").find(byte) != std::string_view::npos;
    if (is_plain && !is_special) name += byte;
  }
  return name;
}

// A UUID with random bytes, and the seed that it stands for.
std::string random_uuid(Prng& prng, HashSeed& seed) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::array<std::uint8_t, 16> bytes{};
  prng.fill(bytes);
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  for (std::size_t i = 0; i < 4; ++i) seed[i] = *load<Le32>(bytes, 4 * i);
  return text;
}

TEST(Ext4Hash, IsThatOfDebugfs) {
  SKIP_WITHOUT_TOOL("debugfs");
  struct Case {
    std::string name;
    DirectoryHash hash = DirectoryHash::kLegacy;
    HashSeed seed{};
  };
  Prng prng(20);
  std::vector<Case> cases;
  TemporaryFolder folder;
  const std::string script = (folder.path() / "commands").string();
  std::ofstream commands(script, std::ios::binary);
  for (std::size_t i = 0; i < 6000; ++i) {
    Case one;
    one.hash = static_cast<DirectoryHash>(i % 3);
    one.name = random_name(prng, i < 765 ? i / 3 + 1 : prng.below(255) + 1);
    commands << "dx_hash -h " << directory_hash_name(one.hash);
    if (prng.chance(1, 2)) commands << " -s " << random_uuid(prng, one.seed);
    commands << " " << one.name << "\n";
    cases.push_back(one);
  }
  commands.close();
  const std::string output = run_shell("debugfs -f '" + script + "'").output;
  const std::regex answer(" is 0x([0-9a-f]+) \\(minor 0x([0-9a-f]+)\\)");
  auto found = std::sregex_iterator(output.begin(), output.end(), answer);
  for (const Case& one : cases) {
    ASSERT_NE(found, std::sregex_iterator());
    const NameHash expected{static_cast<std::uint32_t>(std::stoul((*found)[1].str(), nullptr, 16)),
                            static_cast<std::uint32_t>(std::stoul((*found)[2].str(), nullptr, 16))};
    const auto hash = hash_name(one.name, one.hash, one.seed);
    ASSERT_TRUE(hash);
    EXPECT_EQ(*hash, expected) << directory_hash_name(one.hash) << " of " << one.name.size();
    ++found;
  }
}

// All names of an htree's leaves, by inode; its first extent holds them all.
std::map<std::uint32_t, std::string> names_of_htree(RawExt4& disk, InodeNo number) {
  std::map<std::uint32_t, std::string> names;
  const auto inode = Inode::parse(disk.inode(number), number, disk.superblock);
  const auto root = ExtentNode::parse_root(inode->block_area, number, disk.superblock);
  const auto owner = OwnerSeed::make(disk.superblock, number, inode->generation);
  for (const Extent& extent : root->extents) {
    for (std::uint32_t i = 0; i < extent.count; ++i) {
      if (extent.file.value() + i == 0 || looks_like_htree_node(disk.block(extent.device + i))) {
        continue;
      }
      const auto block = DirectoryBlock::parse(disk.block(extent.device + i), extent.device + i,
                                               owner, disk.superblock);
      EXPECT_TRUE(block);
      for (const DirectoryRecord& record : block->records) {
        if (record.inode.value() != 0) names[record.inode.value()] = record.name;
      }
    }
  }
  return names;
}

struct HtreeVariant {
  const char* algorithm;
  unsigned flags;  // s_flags: 1 signed, 2 unsigned
  DirectoryHash hash;
};

TEST(Ext4Hash, IsThatOfTheNamesInRealHtrees) {
  SKIP_WITHOUT_TOOL("debugfs");
  TemporaryFolder folder;
  const auto many = folder.path() / "tree" / "many";
  std::filesystem::create_directories(many);
  Prng prng(21);
  for (int i = 0; i < 300; ++i) std::ofstream(many / random_name(prng, prng.below(60) + 1)).flush();
  const HtreeVariant variants[] = {
      {"legacy", 1, DirectoryHash::kLegacy},    {"legacy", 2, DirectoryHash::kLegacyUnsigned},
      {"half_md4", 1, DirectoryHash::kHalfMd4}, {"half_md4", 2, DirectoryHash::kHalfMd4Unsigned},
      {"tea", 1, DirectoryHash::kTea},          {"tea", 2, DirectoryHash::kTeaUnsigned},
  };
  for (const HtreeVariant& variant : variants) {
    E2fsImage image({.mke2fs = "-b 1024", .tree = (folder.path() / "tree").string()});
    ASSERT_TRUE(image.is_made()) << image.log();
    image.debugfs("set_super_value flags " + std::to_string(variant.flags) +
                      "\nset_super_value def_hash_version " + variant.algorithm,
                  true);
    image.fsck("-fyD");
    const auto opened = RawExt4::open(image.bytes());
    ASSERT_TRUE(opened);
    RawExt4 disk = *opened;
    const std::string listed = image.debugfs("htree /many");
    ASSERT_NE(listed.find("Root node dump"), std::string::npos);
    const auto directory = testing::number_after(image.debugfs("stat /many"), "Inode:");
    const auto names =
        names_of_htree(disk, InodeNo(static_cast<std::uint32_t>(directory.value_or(0))));
    ASSERT_GT(names.size(), 290u);
    const std::uint8_t stored = static_cast<std::uint8_t>(variant.hash) % 3;
    ASSERT_EQ(directory_hash_of(stored, disk.superblock), variant.hash);
    const std::regex entry("([0-9]+) 0x([0-9a-f]{8})-([0-9a-f]{8}) \\([0-9]+\\)");
    std::size_t seen = 0;
    for (std::sregex_iterator at(listed.begin(), listed.end(), entry), end; at != end; ++at) {
      const auto name = names.find(static_cast<std::uint32_t>(std::stoul((*at)[1].str())));
      if (name == names.end()) continue;
      ++seen;
      const auto hash = hash_name(name->second, variant.hash, disk.superblock.hash_seed);
      ASSERT_TRUE(hash);
      EXPECT_EQ(hash->major, std::stoul((*at)[2].str(), nullptr, 16)) << name->first;
      EXPECT_EQ(hash->minor, std::stoul((*at)[3].str(), nullptr, 16)) << name->first;
    }
    EXPECT_EQ(seen, names.size()) << directory_hash_name(variant.hash);
  }
}

TEST(Ext4Hash, SignMattersOnlyForBytesFrom0x80Up) {
  const std::pair<DirectoryHash, DirectoryHash> pairs[] = {
      {DirectoryHash::kLegacy, DirectoryHash::kLegacyUnsigned},
      {DirectoryHash::kHalfMd4, DirectoryHash::kHalfMd4Unsigned},
      {DirectoryHash::kTea, DirectoryHash::kTeaUnsigned}};
  for (const auto& [is_signed, is_unsigned] : pairs) {
    EXPECT_EQ(*hash_name("plain", is_signed, {}), *hash_name("plain", is_unsigned, {}));
    EXPECT_NE(*hash_name("caf\xE9", is_signed, {}), *hash_name("caf\xE9", is_unsigned, {}));
  }
}

TEST(Ext4Hash, RefusesByNameWhatNeedsAKey) {
  const auto siphash = hash_name("a", DirectoryHash::kSipHash, {});
  ASSERT_FALSE(siphash);
  EXPECT_EQ(siphash.error().code, Errc::kUnsupported);
  EXPECT_EQ(siphash.error().detail.view(), "siphash");
  Superblock superblock;
  superblock.flags = 2;
  EXPECT_EQ(directory_hash_of(6, superblock), DirectoryHash::kSipHash);
  const auto unknown = hash_name("a", directory_hash_of(250, superblock), {});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().detail.view(), "unknown hash");
  EXPECT_EQ(unknown.error().where, 250u);
}

}  // namespace
}  // namespace powercut
