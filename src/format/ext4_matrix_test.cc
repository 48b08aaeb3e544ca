// Every kind of file system that mke2fs makes: the values are those that dumpe2fs and debugfs
// print, and every structure, its copies too, encodes to the bytes that it was parsed from.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <iomanip>
#include <set>
#include <sstream>

#include "base/stored_int.h"
#include "format/ext4.h"
#include "format/ext4_mmp.h"
#include "format/ext4_orphan.h"
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

struct Counts {
  int superblocks = 0, descriptors = 0, inodes = 0, extent_blocks = 0, directory_blocks = 0;
  int htree_roots = 0, htree_nodes = 0, orphan_blocks = 0;
};

// Parses and encodes everything that a disk holds; every encoding must leave the bytes as they
// were.
class RoundTrip {
 public:
  explicit RoundTrip(RawExt4& disk) : disk_(disk), superblock_(disk.superblock) {}

  Counts run() {
    for (std::uint32_t index = 0; index < superblock_.group_count(); ++index) {
      superblock_copy(index);
      descriptor_copies(index);
      group(index);
    }
    if (superblock_.has(Ext4Incompat::kMultiMountProtection)) {
      const auto stored = disk_.block(superblock_.mmp_block);
      const auto mmp = MmpBlock::parse(stored, superblock_);
      EXPECT_TRUE(mmp) << (mmp ? "" : mmp.error().what);
      if (mmp) same("mmp", 0, stored, [&](MutableBytes copy) { mmp->encode(copy, superblock_); });
    }
    return counts_;
  }

 private:
  void same(const char* what, std::uint64_t where, MutableBytes stored,
            const std::function<void(MutableBytes)>& encode) {
    std::vector<std::uint8_t> copy(stored.begin(), stored.end());
    encode(copy);
    EXPECT_TRUE(std::equal(copy.begin(), copy.end(), stored.begin())) << what << " " << where;
  }

  void superblock_copy(std::uint32_t index) {
    if (!superblock_.has_superblock(index)) return;
    const std::uint64_t at =
        index == 0 ? kSuperblockOffset
                   : superblock_.superblock_block(index).value() * superblock_.block_bytes();
    const auto stored = disk_.at(at, kSuperblockBytes);
    const auto parsed = Superblock::parse(stored, disk_.bytes.size());
    ASSERT_TRUE(parsed) << parsed.error().what << " of group " << index;
    EXPECT_EQ(parsed->uuid, superblock_.uuid);
    EXPECT_EQ(parsed->block_count, superblock_.block_count);
    // Revision 0 does not keep it.
    if (superblock_.revision != 0) {
      EXPECT_EQ(parsed->group_of_copy, index);
    }
    same("superblock", index, stored, [&](MutableBytes copy) { parsed->encode(copy); });
    ++counts_.superblocks;
  }

  void descriptor(MutableBytes table, std::uint32_t in_block, std::uint32_t index) {
    if (index >= superblock_.group_count()) return;
    const std::size_t bytes = superblock_.descriptor_bytes;
    const auto stored = table.subspan(in_block * bytes, bytes);
    const auto parsed = GroupDescriptor::parse(stored, index, superblock_);
    ASSERT_TRUE(parsed) << parsed.error().what << " " << index;
    same("group descriptor", index, stored,
         [&](MutableBytes copy) { parsed->encode(copy, superblock_); });
    ++counts_.descriptors;
  }

  // All tables that lie in group `index`: after a superblock, or one block of a meta group.
  void descriptor_copies(std::uint32_t index) {
    const std::uint32_t per_block = superblock_.descriptors_per_block();
    const bool has_copy = superblock_.has_superblock(index);
    const BlockNo base =
        index == 0 ? superblock_.superblock_block(0) : superblock_.first_block_of(index);
    const bool has_meta = superblock_.has(Ext4Incompat::kMetaBg);
    const std::uint32_t first_meta = superblock_.first_meta_group;
    if (has_meta && index / per_block >= first_meta) {
      const std::uint32_t place = index % per_block;
      if (place != 0 && place != 1 && place != per_block - 1) return;
      const auto table = disk_.block(base + (has_copy ? 1 : 0));
      for (std::uint32_t i = 0; i < per_block; ++i) descriptor(table, i, index - place + i);
      return;
    }
    if (!has_copy) return;
    const std::uint32_t blocks = has_meta
                                     ? std::min(first_meta, superblock_.descriptor_block_count())
                                     : superblock_.descriptor_block_count();
    for (std::uint32_t block = 0; block < blocks; ++block) {
      const auto table = disk_.block(base + (1 + block));
      for (std::uint32_t i = 0; i < per_block; ++i) descriptor(table, i, block * per_block + i);
    }
  }

  void group(std::uint32_t index) {
    const auto parsed = GroupDescriptor::parse(disk_.descriptor(index), index, superblock_);
    ASSERT_TRUE(parsed) << parsed.error().what << " " << index;
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
    if (!inode->has_block_map()) return;
    owner_ = OwnerSeed::make(superblock_, number, inode->generation);
    is_orphan_file_ =
        superblock_.has(Ext4Compat::kOrphanFile) && number == superblock_.orphan_file_inode;
    if (!inode->has(InodeFlag::kExtents)) {
      // Directories of a few blocks; deeper maps are the reader's to test.
      for (std::uint64_t i = 0; i < 12; ++i) {
        const BlockNo block(*load<Le32>(inode->block_area, 4 * i));
        if (block.value() != 0) content(FileBlock(i), block, *inode);
      }
      return;
    }
    const auto root = ExtentNode::parse_root(inode->block_area, number, superblock_);
    ASSERT_TRUE(root) << root.error().what << " " << number.value();
    std::vector<std::uint8_t> area(inode->block_area.begin(), inode->block_area.end());
    same("extent root", number.value(), area, [&](MutableBytes copy) { root->encode_root(copy); });
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
    for (const Extent& extent : parsed.extents) {
      for (std::uint32_t i = 0; i < extent.count; ++i) {
        content(extent.file + i, extent.device + i, inode);
      }
    }
  }

  // A block of a directory or of the orphan file.
  void content(FileBlock file, BlockNo place, const Inode& inode) {
    if (is_orphan_file_) {
      ++counts_.orphan_blocks;
      const auto parsed = OrphanBlock::parse(disk_.block(place), place, owner_, superblock_);
      ASSERT_TRUE(parsed) << parsed.error().what << " " << place.value();
      same("orphan block", place.value(), disk_.block(place),
           [&](MutableBytes copy) { parsed->encode(copy, place, owner_, superblock_); });
    }
    if (inode.is(InodeType::kDirectory)) {
      directory(file, place, inode.has(InodeFlag::kIndexed));
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
  bool is_orphan_file_ = false;
  Counts counts_;
};

// ---- values as the tools print them
// ------------------------------------------------------------

std::string hex8(std::uint64_t value) {
  std::ostringstream text;
  text << std::hex << std::setw(8) << std::setfill('0') << value;
  return text.str();
}

template <class Feature>
void add_features(std::uint32_t word, std::set<std::string>& names) {
  for (std::uint32_t bit = 0; bit < 32; ++bit) {
    if (((word >> bit) & 1) != 0) {
      names.emplace(feature_name(static_cast<Feature>(std::uint32_t{1} << bit)));
    }
  }
}

std::set<std::string> words_after(const std::string& text, const std::string& label) {
  std::istringstream line(text.substr(text.find(label) + label.size()));
  std::string words;
  std::getline(line, words);
  std::istringstream stream(words);
  std::set<std::string> found;
  for (std::string word; stream >> word;) {
    if (word != "(none)") found.insert(word);
  }
  return found;
}

std::string uuid_text(Bytes bytes) {
  std::string text;
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += hex8(bytes[i]).substr(6);
  }
  return text;
}

struct Line {
  const char* label;
  std::uint64_t value;
  bool is_printed;  // whether dumpe2fs must have the line
};

void expect_superblock_of_dumpe2fs(const std::string& text, const Superblock& values) {
  const bool is_bigalloc = values.has(Ext4RoCompat::kBigalloc);
  const bool is_dynamic = values.revision != 0;
  const Line lines[] = {
      {"Inode count:", values.inode_count, true},
      {"Block count:", values.block_count, true},
      {"Reserved block count:", values.reserved_blocks, true},
      {"Overhead clusters:", values.overhead_clusters, values.overhead_clusters != 0},
      {"Free blocks:", values.free_blocks, true},
      {"Free inodes:", values.free_inodes, true},
      {"First block:", values.first_data_block.value(), true},
      {"Block size:", values.block_bytes(), true},
      {"Cluster size:", std::uint64_t{1024} << values.log_cluster_size, is_bigalloc},
      {"Group descriptor size:", values.descriptor_bytes, values.has(Ext4Incompat::k64Bit)},
      {"Reserved GDT blocks:", values.reserved_descriptor_blocks,
       values.reserved_descriptor_blocks != 0},
      {"Blocks per group:", values.blocks_per_group, true},
      {"Clusters per group:", values.clusters_per_group, is_bigalloc},
      {"Inodes per group:", values.inodes_per_group, true},
      {"Inode blocks per group:", values.inode_table_blocks(), true},
      {"First meta block group:", values.first_meta_group, values.first_meta_group != 0},
      {"Flex block group size:", std::uint64_t{1} << values.log_groups_per_flex,
       values.log_groups_per_flex != 0},
      {"Mount count:", values.mount_count, true},
      {"First inode:", values.first_inode.value(), is_dynamic},
      {"Inode size:", values.inode_bytes, is_dynamic},
      {"Required extra isize:", values.extra_isize_min, values.extra_isize_min != 0},
      {"Desired extra isize:", values.extra_isize_wanted, values.extra_isize_wanted != 0},
      {"Journal inode:", values.journal_inode.value(), values.journal_inode.value() != 0},
      {"MMP block number:", values.mmp_block.value(),
       values.has(Ext4Incompat::kMultiMountProtection)},
      {"User quota inode:", values.user_quota_inode.value(), values.has(Ext4RoCompat::kQuota)},
      {"Group quota inode:", values.group_quota_inode.value(), values.has(Ext4RoCompat::kQuota)},
      {"Project quota inode:", values.project_quota_inode.value(),
       values.project_quota_inode.value() != 0},
      {"\nChecksum:", values.checksum, values.has_metadata_checksums()},
      {"Checksum seed:", values.stored_checksum_seed, values.has(Ext4Incompat::kChecksumSeed)},
      {"Orphan file inode:", values.orphan_file_inode.value(), values.has(Ext4Compat::kOrphanFile)},
  };
  for (const Line& line : lines) {
    if (line.is_printed) {
      EXPECT_EQ(number_after(text, line.label), line.value) << line.label;
    }
  }
  std::set<std::string> features;
  add_features<Ext4Compat>(values.compat, features);
  add_features<Ext4Incompat>(values.incompat, features);
  add_features<Ext4RoCompat>(values.ro_compat, features);
  EXPECT_EQ(words_after(text, "Filesystem features:"), features);
  EXPECT_EQ(words_after(text, "Filesystem UUID:"), std::set<std::string>{uuid_text(values.uuid)});
  std::set<std::string> backups;
  for (const std::uint32_t group : values.backup_groups) {
    if (group != 0) backups.insert(std::to_string(group));
  }
  if (!backups.empty()) {
    EXPECT_EQ(words_after(text, "Backup block groups:"), backups);
  }
  if (is_dynamic && values.hash_seed != std::array<std::uint32_t, 4>{}) {
    std::array<Le32, 4> seed;
    std::copy(values.hash_seed.begin(), values.hash_seed.end(), seed.begin());
    EXPECT_EQ(words_after(text, "Directory Hash Seed:"),
              std::set<std::string>{uuid_text(bytes_of(seed))});
  }
}

// The number in front of the first ` label` in `text`.
std::optional<std::uint64_t> number_before(const std::string& text, const std::string& label) {
  const auto end = text.find(" " + label);
  if (end == std::string::npos) return std::nullopt;
  const auto space = text.find_last_of(" \n", end - 1);
  return std::stoull(text.substr(space + 1, end - space - 1));
}

void expect_groups_of_dumpe2fs(const std::string& text, RawExt4& disk) {
  const Superblock& superblock = disk.superblock;
  const bool has_checksum =
      superblock.has_metadata_checksums() || superblock.has(Ext4RoCompat::kGroupChecksum);
  std::size_t at = 0;
  for (std::uint32_t index = 0; index < superblock.group_count(); ++index) {
    at = text.find("Group " + std::to_string(index) + ":", at);
    ASSERT_NE(at, std::string::npos) << index;
    const std::string own = text.substr(at, text.find("\nGroup ", at) - at);
    const std::string title = own.substr(0, own.find('\n'));
    const auto group = GroupDescriptor::parse(disk.descriptor(index), index, superblock);
    ASSERT_TRUE(group);
    EXPECT_EQ(number_after(own, "Block bitmap at"), group->block_bitmap.value());
    EXPECT_EQ(number_after(own, "Inode bitmap at"), group->inode_bitmap.value());
    EXPECT_EQ(number_after(own, "Inode table at"), group->inode_table.value());
    if (has_checksum) {
      EXPECT_EQ(number_after(title, "csum"), group->checksum) << index;
    }
    const char* const unit =
        superblock.has(Ext4RoCompat::kBigalloc) ? "free clusters," : "free blocks,";
    EXPECT_EQ(number_before(own, unit), group->free_blocks) << own;
    EXPECT_EQ(number_before(own, "free inodes,"), group->free_inodes);
    EXPECT_EQ(number_before(own, "directories"), group->used_directories);
    if (const auto unused = number_before(own, "unused inodes")) {
      EXPECT_EQ(*unused, group->itable_unused);
    }
    if (superblock.has_metadata_checksums()) {
      EXPECT_EQ(number_after(own.substr(own.find("Block bitmap at")), "csum"),
                group->block_bitmap_checksum);
      EXPECT_EQ(number_after(own.substr(own.find("Inode bitmap at")), "csum"),
                group->inode_bitmap_checksum);
    }
    EXPECT_EQ(own.find("Backup superblock at") != std::string::npos,
              index != 0 && superblock.has_superblock(index))
        << index;
    if (!has_checksum) continue;  // then it does not print flags, which mean nothing
    const auto has_word = [&](const char* word) { return title.find(word) != std::string::npos; };
    EXPECT_EQ(has_word("INODE_UNINIT"), group->has(GroupFlag::kInodesUninitialised)) << title;
    EXPECT_EQ(has_word("BLOCK_UNINIT"), group->has(GroupFlag::kBlocksUninitialised)) << title;
    EXPECT_EQ(has_word("ITABLE_ZEROED"), group->has(GroupFlag::kInodeTableZeroed)) << title;
  }
}

// "0x6b03:00000000" in debugfs' words, the second part only where it is stored.
std::string time_text(const Timestamp& time, bool has_extra) {
  const auto low = static_cast<std::uint32_t>(time.seconds);
  const std::int64_t rest = time.seconds - static_cast<std::int32_t>(low);
  const auto extra = (time.nanoseconds << 2) | (static_cast<std::uint32_t>(rest >> 32) & 3);
  return "0x" + hex8(low) + (has_extra ? ":" + hex8(extra) : "");
}

void expect_inode_of_debugfs(const std::string& text, InodeNo number, RawExt4& disk) {
  const Superblock& superblock = disk.superblock;
  const auto inode = Inode::parse(disk.inode(number), number, superblock);
  ASSERT_TRUE(inode);
  EXPECT_EQ(number_after(text, "Inode:"), number.value());
  EXPECT_EQ(number_after(text, "Generation:"), inode->generation);
  EXPECT_EQ(number_after(text, "User:"), inode->uid);
  EXPECT_EQ(number_after(text, "Group:"), inode->gid);
  EXPECT_EQ(number_after(text, "Flags:"), inode->flags);
  EXPECT_EQ(number_after(text, "Mode:"), inode->mode & 07777u);  // octal: it begins with a 0
  EXPECT_EQ(number_after(text, "Links:"), inode->links);
  EXPECT_EQ(number_after(text, "Blockcount:"), inode->sectors);
  EXPECT_EQ(number_after(text, "File ACL:"), inode->xattr_block.value());
  if (const auto size = number_after(text, "Size:")) {
    EXPECT_EQ(*size, inode->size);
  }
  if (superblock.inode_bytes > 128) {
    EXPECT_EQ(number_after(text, "Size of extra inode fields:"), inode->extra_bytes);
  }
  if (inode->extra_bytes >= 32) {
    EXPECT_EQ(number_after(text, "Project:"), inode->project);
  }
  if (superblock.has_metadata_checksums()) {
    EXPECT_EQ(number_after(text, "Inode checksum:"), inode->checksum);
  }
  const bool has_extra = inode->extra_bytes >= 24;
  const std::pair<const char*, const Timestamp*> times[] = {{"ctime: ", &inode->change_time},
                                                            {"atime: ", &inode->access_time},
                                                            {"mtime: ", &inode->modify_time},
                                                            {"\ncrtime: ", &inode->create_time}};
  for (const auto& [label, time] : times) {
    const std::string name = label;
    if (name == "\ncrtime: " && !has_extra) continue;
    const auto at = text.find(name);
    ASSERT_NE(at, std::string::npos) << name << text;
    const std::string printed =
        text.substr(at + name.size(), text.find(" --", at) - at - name.size());
    EXPECT_EQ(printed, time_text(*time, has_extra)) << name << number.value();
  }
}

void expect_inodes_of_debugfs(const E2fsImage& image, RawExt4& disk) {
  std::string commands;
  std::vector<InodeNo> numbers;
  for (std::uint32_t number = 1; number <= disk.superblock.inode_count; ++number) {
    const bool is_chosen = number < 20 || number % 37 == 0;
    if (!is_chosen || all_zero(disk.inode(InodeNo(number)))) continue;
    numbers.emplace_back(number);
    commands += "stat <" + std::to_string(number) + ">\n";
  }
  ASSERT_GT(numbers.size(), 8u);
  std::string text = image.debugfs(commands);
  for (const InodeNo number : numbers) {
    const std::string command = "debugfs: stat <" + std::to_string(number.value()) + ">";
    const auto at = text.find(command);
    ASSERT_NE(at, std::string::npos) << text;
    text = text.substr(at + command.size());
    expect_inode_of_debugfs(text.substr(0, text.find("debugfs: ")), number, disk);
  }
}

// ---- the matrix
// --------------------------------------------------------------------------------

struct Kind {
  const char* name;
  const char* type;
  const char* options;
};
constexpr Kind kKinds[] = {
    {"Default", "ext4", ""},
    {"SmallDescriptors", "ext4", "-O ^64bit"},
    {"LargeDescriptors", "ext4", "-O 64bit -E desc_size=128"},
    {"NoFlexBg", "ext4", "-O ^flex_bg"},
    {"SmallFlexBg", "ext4", "-G 4"},
    {"PackedMeta", "ext4", "-E packed_meta_blocks=1"},
    {"NoSparseSuper", "ext4", "-O ^sparse_super,^resize_inode"},
    {"SparseSuper2", "ext4", "-O sparse_super2"},
    {"SparseSuper2One", "ext4", "-O sparse_super2 -E num_backup_sb=1"},
    {"SparseSuper2None", "ext4", "-O sparse_super2 -E num_backup_sb=0"},
    {"MetaBg", "ext4", "-O meta_bg,^resize_inode"},
    {"MetaBgSmall", "ext4", "-O meta_bg,^resize_inode,^64bit,^flex_bg"},
    {"NoResizeInode", "ext4", "-O ^resize_inode"},
    {"GroupChecksums", "ext4", "-O ^metadata_csum,uninit_bg"},
    {"GroupChecksums32Bit", "ext4", "-O ^metadata_csum,uninit_bg,^64bit"},
    {"NoChecksums", "ext4", "-O ^metadata_csum"},
    {"ChecksumSeed", "ext4", "-O metadata_csum_seed"},
    {"Bigalloc", "ext4", "-O bigalloc"},
    {"Ext2", "ext2", ""},
    {"Ext3", "ext3", ""},
    {"Revision0", "ext2", "-r 0"},
    {"Indirect", "ext4", "-O ^extent,^64bit"},
    {"Quota", "ext4", "-O quota"},
    {"Project", "ext4", "-O quota,project -E quotatype=usrquota:grpquota:prjquota"},
    {"CaseFold", "ext4", "-O casefold"},
    {"LargeDir", "ext4", "-O large_dir"},
    {"EaInode", "ext4", "-O ea_inode"},
    {"InlineData", "ext4", "-O inline_data"},
    {"Mmp", "ext4", "-O mmp"},
    {"OrphanFile", "ext4", "-O orphan_file"},
    {"Verity", "ext4", "-O verity"},
    {"Encrypt", "ext4", "-O encrypt"},
    {"FastCommit", "ext4", "-O fast_commit"},
    {"StableInodes", "ext4", "-O stable_inodes"},
    {"NoJournal", "ext4", "-O ^has_journal"},
    {"NoDirIndex", "ext4", "-O ^dir_index"},
    {"NoFileType", "ext4", "-O ^filetype"},
    {"NoExtraIsize", "ext4", "-O ^extra_isize"},
    {"Inode128", "ext4", "-I 128"},
    {"Inode512", "ext4", "-I 512"},
    {"Inode1024", "ext4", "-I 1024"},
    {"All", "ext4",
     "-O metadata_csum_seed,orphan_file,large_dir,ea_inode,casefold,encrypt,quota,project,verity,"
     "inline_data,fast_commit"},
};
void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.type << " " << kind.options;
}

// `words`: of mke2fs.
Counts expect_everything(const std::string& type, const std::string& words,
                         const std::string& size) {
  TemporaryFolder folder;
  make_tree(folder.path() / "tree", 120);
  const E2fsImage image(
      {.mke2fs = words, .size = size, .tree = (folder.path() / "tree").string(), .type = type});
  EXPECT_TRUE(image.is_made()) << image.log();
  if (!image.is_made()) return {};
  // Makes the large directory an htree; with mmp it would wait for others.
  if (words.find("mmp") == std::string::npos) image.fsck("-fyD");
  auto disk = RawExt4::open(image.bytes());
  EXPECT_TRUE(disk) << (disk ? "" : disk.error().what);
  if (!disk) return {};
  const std::string text = run_shell("dumpe2fs '" + image.path().string() + "'").output;
  expect_superblock_of_dumpe2fs(text, disk->superblock);
  expect_groups_of_dumpe2fs(text, *disk);
  expect_inodes_of_debugfs(image, *disk);
  const Counts counts = RoundTrip(*disk).run();
  EXPECT_GT(counts.inodes, 120);
  EXPECT_GT(counts.directory_blocks, 2);
  EXPECT_EQ(counts.orphan_blocks > 0, disk->superblock.has(Ext4Compat::kOrphanFile));
  const bool has_tree = disk->superblock.has(Ext4Incompat::kExtents);
  // The pattern of the sparse file needs blocks up to its own 4 KiB.
  EXPECT_EQ(counts.extent_blocks > 0, has_tree && disk->superblock.block_bytes() <= 4096);
  return counts;
}

class Ext4Matrix : public ::testing::TestWithParam<std::tuple<unsigned, Kind>> {};

TEST_P(Ext4Matrix, IsAsTheToolsSayAndEncodesToItsBytes) {
  SKIP_WITHOUT_TOOL("debugfs");
  const auto& [block_bytes, kind] = GetParam();
  std::string words = "-b " + std::to_string(block_bytes) + " " + kind.options;
  const bool is_bigalloc = std::string_view(kind.name) == "Bigalloc";
  // Eight groups; mke2fs chooses where blocks are no unit of groups.
  if (!is_bigalloc) words += " -g " + std::to_string(4 * 1024 * 1024 / block_bytes) + " -N 1024";
  const Counts counts = expect_everything(kind.type, words, "32M");
  if (is_bigalloc) return;
  const std::string_view name = kind.name;
  const int copies = name == "SparseSuper2None"  ? 1
                     : name == "SparseSuper2One" ? 2
                     : name == "SparseSuper2"    ? 3
                     : name == "NoSparseSuper"   ? 8
                                                 : 5;  // groups 0, 1, 3, 5, 7
  EXPECT_EQ(counts.superblocks, name == "Revision0" ? 8 : copies);
  EXPECT_GE(counts.descriptors, 8);
}

INSTANTIATE_TEST_SUITE_P(Mke2fs, Ext4Matrix,
                         ::testing::Combine(::testing::Values(1024u, 2048u, 4096u),
                                            ::testing::ValuesIn(kKinds)),
                         [](const auto& each) {
                           return std::string(std::get<1>(each.param).name) + "_" +
                                  std::to_string(std::get<0>(each.param));
                         });

TEST(Ext4MatrixExtra, OtherSizesOfBlocksAndInodes) {
  SKIP_WITHOUT_TOOL("debugfs");
  for (const char* words :
       {"-b 8192 -N 1024", "-b 65536 -O ^has_journal -N 2048", "-b 2048 -I 2048 -N 1024",
        "-b 4096 -I 2048 -N 1024", "-b 4096 -I 4096 -N 1024", "-b 1024 -O bigalloc -C 65536",
        "-b 4096 -O bigalloc,^metadata_csum,uninit_bg,^64bit",
        "-b 1024 -g 256 -N 2048 -O meta_bg,^resize_inode"}) {
    SCOPED_TRACE(words);
    expect_everything("ext4", words, "128M");
  }
}

TEST(Ext4MatrixExtra, HtreesOfTwoLevels) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TemporaryFolder folder;
  make_tree(folder.path() / "tree", 3000);  // enough for a level between root and leaves
  for (const char* words : {"-b 1024", "-b 1024 -O ^metadata_csum"}) {
    const E2fsImage image({.mke2fs = words, .tree = (folder.path() / "tree").string()});
    ASSERT_TRUE(image.is_made()) << image.log();
    image.fsck("-fyD");
    auto disk = RawExt4::open(image.bytes());
    ASSERT_TRUE(disk);
    const Counts counts = RoundTrip(*disk).run();
    EXPECT_EQ(counts.htree_roots, 1);
    EXPECT_GT(counts.htree_nodes, 1);
  }
}

}  // namespace
}  // namespace powercut
