// Owners of blocks, with debugfs and dumpe2fs as judges.
#include "reader/owner.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "block/memory_device.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/raw_ext4.h"

namespace powercut {
namespace {

namespace fs = std::filesystem;
using testing::E2fsImage;
using testing::make_tree;
using testing::number_after;
using testing::run_shell;
using testing::TemporaryFolder;

// Rows of "number TAB rest" as icheck and ncheck print them.
std::map<std::uint64_t, std::string> rows_of(const std::string& output) {
  std::map<std::uint64_t, std::string> rows;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    const auto tab = line.find('\t');
    if (tab == std::string::npos || line.empty() || line[0] < '0' || line[0] > '9') continue;
    rows.emplace(std::stoull(line), line.substr(tab + 1));
  }
  return rows;
}

// A file system with an owner of every kind in it.
struct Sample {
  TemporaryFolder folder;
  std::unique_ptr<E2fsImage> image;
  InodeNo unlinked;

  explicit Sample(const std::string& mke2fs) {
    const fs::path root = folder.path() / "tree";
    make_tree(root, 120);
    fs::create_directories(root / "w" / "deep");
    for (const char* name : {"h0", "deep/h1", "orphan"}) {
      std::ofstream(root / "w" / name) << std::string(20'000, 'h');
    }
    image = std::make_unique<E2fsImage>(
        testing::ImageOptions{.mke2fs = mke2fs, .size = "24M", .tree = root.string()});
    std::ofstream(folder.path() / "value") << std::string(700, 'v');
    const std::string text = image->debugfs("stat /w/orphan");
    unlinked = InodeNo(static_cast<std::uint32_t>(number_after(text, "Inode:").value_or(0)));
    image->debugfs("ea_set -f " + (folder.path() / "value").string() +
                       " /w/h0 user.large\nset_inode_field /w/orphan links_count 0\n"
                       "unlink /w/orphan",
                   true);
  }
};

struct OwnerVariant {
  const char* name;
  const char* mke2fs;
};
void PrintTo(const OwnerVariant& variant, std::ostream* out) {
  *out << variant.mke2fs;
}
class OwnerVariants : public ::testing::TestWithParam<OwnerVariant> {};

bool is_of_inode(OwnerKind kind) {
  return kind >= OwnerKind::kJournal;
}

// "COMMAND 1 2 3 ...", a hundred numbers a line: debugfs cuts long lines off.
std::string in_lines(const std::string& command, const std::set<std::uint64_t>& numbers) {
  std::string text;
  std::size_t count = 0;
  for (const std::uint64_t number : numbers) {
    if (count++ % 100 == 0) text += "\n" + command;
    text += " " + std::to_string(number);
  }
  return text;
}

// Some of all blocks, and those that are alone of their kind.
std::set<std::uint64_t> sampled_blocks(const Volume& volume) {
  std::set<std::uint64_t> blocks;
  const std::uint64_t end = volume.superblock().block_count;
  for (std::uint64_t block = 1; block < end; block += 37) blocks.insert(block);
  for (std::uint32_t index = 0; index < volume.group_count(); ++index) {
    const auto group = volume.group(index);
    const std::uint64_t base = volume.superblock().superblock_block(index).value();
    for (const std::uint64_t block : {base, base + 1, base + 2, group->block_bitmap.value(),
                                      group->inode_bitmap.value(), group->inode_table.value()}) {
      if (block != 0) blocks.insert(block);  // which debugfs takes for no block
    }
  }
  EXPECT_TRUE(volume.for_each_inode([&](InodeNo number, const Inode& inode) {
    if (inode.xattr_block.value() != 0) blocks.insert(inode.xattr_block.value());
    const auto run = [&](const FileRun& found) {
      blocks.insert(found.device.value());
      return false;
    };
    const auto tree = [&](BlockNo block) { return blocks.insert(block.value()).second; };
    if (number == kResizeInode) return true;  // has no extents
    EXPECT_TRUE(volume.for_each_run(number, inode, run, tree)) << number.value();
    return true;
  }));
  return blocks;
}

TEST_P(OwnerVariants, AgreesWithDebugfs) {
  SKIP_WITHOUT_TOOL("debugfs");
  const Sample sample(GetParam().mke2fs);
  ASSERT_TRUE(sample.image->is_made()) << sample.image->log();
  const MemoryDevice device(sample.image->bytes());
  const auto volume = Volume::open(device);
  ASSERT_TRUE(volume) << volume.error().what;
  const auto blocks = sampled_blocks(*volume);
  const auto inode_of = rows_of(sample.image->debugfs(in_lines("icheck", blocks)));
  EXPECT_EQ(inode_of.size(), blocks.size());
  std::set<OwnerKind> kinds = {find_owner(*volume, BlockNo(0)).kind};
  std::set<std::uint64_t> inodes;
  std::map<std::uint64_t, Owner> owners;
  for (const auto& [block, inode] : inode_of) {
    const Owner owner = find_owner(*volume, BlockNo(block));
    kinds.insert(owner.kind);
    if (owner.inode == sample.unlinked) {  // which icheck passes over
      EXPECT_TRUE(owner.is_unlinked);
    } else if (inode == "<block not found>") {
      EXPECT_FALSE(is_of_inode(owner.kind)) << block << " " << owner.describe(1024);
    } else if (inode == "7") {
      EXPECT_EQ(owner.kind, OwnerKind::kGroupDescriptors) << block;
    } else {
      EXPECT_TRUE(is_of_inode(owner.kind)) << block << " " << owner.describe(1024);
      EXPECT_EQ(std::to_string(owner.inode.value()), inode) << block;
      owners[owner.inode.value()] = owner;
      inodes.insert(owner.inode.value());
    }
  }
  for (const auto& [inode, name] : rows_of(sample.image->debugfs(in_lines("ncheck", inodes)))) {
    if (inode == volume->superblock().journal_inode.value()) continue;
    const std::string path = name.starts_with("//") ? name.substr(1) : name;
    EXPECT_EQ(owners.at(inode).path, path) << inode;
  }
  EXPECT_TRUE(inodes.contains(2));
  for (int kind = 1; kind <= static_cast<int>(OwnerKind::kSymlink); ++kind) {
    EXPECT_TRUE(kinds.contains(static_cast<OwnerKind>(kind)))
        << owner_kind_name(static_cast<OwnerKind>(kind));
  }
}

// Where dumpe2fs says that the fixed structures are.
TEST_P(OwnerVariants, AgreesWithDumpe2fsOnFixedStructures) {
  SKIP_WITHOUT_TOOL("dumpe2fs");
  E2fsImage image({.mke2fs = GetParam().mke2fs, .size = "200M"});
  ASSERT_TRUE(image.is_made()) << image.log();
  const MemoryDevice device(image.bytes());
  const auto volume = Volume::open(device);
  ASSERT_TRUE(volume) << volume.error().what;
  std::istringstream lines(run_shell("dumpe2fs '" + image.path().string() + "'").output);
  const std::pair<const char*, OwnerKind> labels[] = {
      {"superblock at ", OwnerKind::kSuperblock},
      {"roup descriptors at ", OwnerKind::kGroupDescriptors},
      {"roup descriptor at ", OwnerKind::kGroupDescriptors},
      {"Reserved GDT blocks at ", OwnerKind::kGroupDescriptors},
      {"Block bitmap at ", OwnerKind::kBlockBitmap},
      {"Inode bitmap at ", OwnerKind::kInodeBitmap},
      {"Inode table at ", OwnerKind::kInodeTable},
  };
  std::uint32_t group = 0;
  int checked = 0;
  for (std::string line; std::getline(lines, line);) {
    const bool begins_group = line.starts_with("Group ") && line[6] >= '0' && line[6] <= '9';
    if (begins_group) group = static_cast<std::uint32_t>(std::stoul(line.substr(6)));
    for (const auto& [label, kind] : labels) {
      const auto at = line.find(label);
      if (at == std::string::npos) continue;
      const std::string range = line.substr(at + std::string(label).size());
      const auto dash = range.find('-');
      const std::uint64_t first = std::stoull(range);
      const bool is_range = dash != std::string::npos && dash < range.find_first_of(" ,(");
      const std::uint64_t last = is_range ? std::stoull(range.substr(dash + 1)) : first;
      for (const std::uint64_t block : {first, (first + last) / 2, last}) {
        const Owner owner = find_owner(*volume, BlockNo(block));
        EXPECT_EQ(owner.kind, kind) << line << ": " << block << " " << owner.describe(1024);
        EXPECT_EQ(owner.group, group) << line;
        ++checked;
      }
    }
  }
  EXPECT_GT(checked, 10);
}

INSTANTIATE_TEST_SUITE_P(
    Mke2fs, OwnerVariants,
    ::testing::Values(OwnerVariant{"Block1K", "-b 1024"}, OwnerVariant{"Block2K", "-b 2048"},
                      OwnerVariant{"Block4K", "-b 4096"},
                      OwnerVariant{"NoChecksums", "-b 1024 -O ^metadata_csum,^64bit"},
                      OwnerVariant{"SparseSuper2", "-b 1024 -O sparse_super2"},
                      OwnerVariant{"NoFlexBg", "-b 1024 -g 4096 -O ^flex_bg"},
                      OwnerVariant{"NoSparseSuper",
                                   "-b 1024 -g 4096 -O ^sparse_super,^resize_inode"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(Owner, MetaGroups) {
  SKIP_WITHOUT_TOOL("dumpe2fs");
  E2fsImage image({.mke2fs = "-b 1024 -g 1024 -O meta_bg,^resize_inode", .size = "64M"});
  ASSERT_TRUE(image.is_made()) << image.log();
  const MemoryDevice device(image.bytes());
  const auto volume = Volume::open(device);
  ASSERT_TRUE(volume) << volume.error().what;
  std::istringstream lines(run_shell("dumpe2fs '" + image.path().string() + "'").output);
  int checked = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto at = line.find("roup descriptor at ");
    if (at == std::string::npos) continue;
    const std::uint64_t block = std::stoull(line.substr(at + 19));
    EXPECT_EQ(find_owner(*volume, BlockNo(block)).kind, OwnerKind::kGroupDescriptors) << line;
    EXPECT_NE(find_owner(*volume, BlockNo(block + 1)).kind, OwnerKind::kGroupDescriptors) << line;
    ++checked;
  }
  EXPECT_GE(checked, 10);
}

TEST(Owner, NamesWhatItFinds) {
  SKIP_WITHOUT_TOOL("debugfs");
  const Sample sample("-b 1024");
  ASSERT_TRUE(sample.image->is_made()) << sample.image->log();
  const MemoryDevice device(sample.image->bytes());
  const auto volume = Volume::open(device);
  ASSERT_TRUE(volume);
  const auto describe = [&](InodeNo number, std::uint64_t file_block) {
    BlockNo block;
    EXPECT_TRUE(volume->for_each_run(number, *volume->inode(number), [&](const FileRun& run) {
      const std::uint64_t first = run.file.value();
      if (file_block >= first && file_block < first + run.count) {
        block = run.device + (file_block - first);
      }
      return true;
    }));
    return find_owner(*volume, block).describe(1024);
  };
  const InodeNo h0 = *volume->find("/w/h0"), link = *volume->find("/long_link");
  const auto number = [](InodeNo inode) { return std::to_string(inode.value()); };
  EXPECT_EQ(describe(h0, 4), "/w/h0 (inode " + number(h0) + ") offset 0x1000");
  EXPECT_EQ(describe(sample.unlinked, 0),
            "inode " + number(sample.unlinked) + " (unlinked) offset 0x0");
  EXPECT_EQ(describe(link, 0), "symlink /long_link (inode " + number(link) + ") offset 0x0");
  EXPECT_EQ(describe(kRootInode, 0), "directory / (inode 2) offset 0x0");
  EXPECT_EQ(describe(InodeNo(8), 17), "journal block 17");
  const auto owner = [&](std::uint64_t block) {
    return find_owner(*volume, BlockNo(block)).describe(1024);
  };
  EXPECT_EQ(owner(0), "boot block");
  EXPECT_EQ(owner(1), "superblock of group 0");
  EXPECT_EQ(owner(2), "group descriptors of group 0");
  EXPECT_EQ(owner(3), "group descriptors of group 0 (reserved for growth)");
  EXPECT_EQ(owner(8193), "superblock of group 1");
  const auto group = volume->group(1);
  EXPECT_EQ(owner(group->inode_bitmap.value()), "inode bitmap of group 1");
  EXPECT_EQ(owner(group->inode_table.value() + 2),
            "inode table of group 1 from inode " +
                std::to_string(volume->superblock().inodes_per_group + 9));
  EXPECT_EQ(owner(volume->superblock().block_count), "unknown (past the end of the file system)");
  const auto attributes = volume->inode(h0)->xattr_block;
  ASSERT_NE(attributes.value(), 0u);
  EXPECT_EQ(owner(attributes.value()), "extended attributes of /w/h0 (inode " + number(h0) + ")");
}

TEST(Owner, GivesUpWhenToldTo) {
  SKIP_WITHOUT_TOOL("debugfs");
  const Sample sample("-b 1024");
  const MemoryDevice device(sample.image->bytes());
  const auto volume = Volume::open(device);
  ASSERT_TRUE(volume);
  const BlockNo last(volume->superblock().block_count - 1);
  EXPECT_EQ(find_owner(*volume, last).kind, OwnerKind::kFree);
  const Owner stopped = find_owner(*volume, last, 20);
  EXPECT_EQ(stopped.kind, OwnerKind::kUnknown);
  EXPECT_EQ(stopped.note, "not found in as many inodes and entries as were allowed");
}

TEST(Owner, SpecialInodes) {
  SKIP_WITHOUT_TOOL("mke2fs");
  E2fsImage image({.mke2fs = "-b 1024 -O orphan_file,quota,mmp"});
  ASSERT_TRUE(image.is_made()) << image.log();
  const MemoryDevice device(image.bytes());
  const auto volume = Volume::open(device);
  ASSERT_TRUE(volume);
  const Superblock& superblock = volume->superblock();
  const auto describe = [&](InodeNo number) {
    std::string text;
    EXPECT_TRUE(volume->for_each_run(number, *volume->inode(number), [&](const FileRun& run) {
      text = find_owner(*volume, run.device).describe(1024);
      return false;
    }));
    return text;
  };
  EXPECT_EQ(describe(superblock.orphan_file_inode), "inode 12 (orphan file) offset 0x0");
  EXPECT_EQ(describe(superblock.user_quota_inode), "inode 3 (user quota) offset 0x0");
  EXPECT_EQ(find_owner(*volume, superblock.mmp_block).describe(1024), "multiple mount protection");
}

TEST(Owner, EveryKindHasAName) {
  std::set<std::string_view> names;
  for (int kind = 0; kind <= static_cast<int>(OwnerKind::kSymlink); ++kind) {
    EXPECT_TRUE(names.insert(owner_kind_name(static_cast<OwnerKind>(kind))).second) << kind;
  }
}

}  // namespace
}  // namespace powercut
