// Content in the inode itself: files, directories and symlinks as mke2fs and the running kernel
// write them, against the originals, debugfs and the kernel; and a row for each rule.
#include "reader/inline_data.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>

#include "base/stored_int.h"
#include "block/memory_device.h"
#include "format/ext4_directory.h"
#include "format/ext4_xattr.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/files.h"
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

std::string content_of(std::size_t length) {
  std::string content(length, '\0');
  for (std::size_t i = 0; i < length; ++i)
    content[i] = static_cast<char>('a' + (i * 7 + i / 9) % 26);
  return content;
}

// Files, symlinks and folders of sizes around what fits.
void fill(const fs::path& root) {
  fs::create_directories(root);
  for (const std::size_t length :
       {0u, 1u, 59u, 60u, 61u, 64u, 100u, 140u, 150u, 160u, 161u, 400u, 700u, 900u, 1000u, 5000u}) {
    std::ofstream(root / ("file" + std::to_string(length)), std::ios::binary) << content_of(length);
    if (length > 0)
      fs::create_symlink(content_of(length % 4000), root / ("link" + std::to_string(length)));
  }
  for (const int names : {0, 1, 3, 4, 5, 9, 30, 200}) {
    const fs::path folder = root / ("folder" + std::to_string(names));
    fs::create_directories(folder);
    for (int i = 0; i < names; ++i) std::ofstream(folder / ("n" + std::to_string(i))).flush();
    if (names == 3) fs::create_directory(folder / "in");
  }
  fs::create_directory(root / "longest");
  std::ofstream(root / "longest" / std::string(255, 'n')).flush();
}

// Every name below `root` with what it is: the content of a file, the target of a link, "/" for a
// folder.
std::map<std::string, std::string> tree_of(const fs::path& root) {
  std::map<std::string, std::string> tree;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    std::string& found = tree[entry.path().string().substr(root.string().size())];
    if (entry.is_symlink()) {
      found = "-> " + fs::read_symlink(entry.path()).string();
    } else if (entry.is_directory()) {
      found = "/";
    } else {
      found = testing::read_text(entry.path());
    }
  }
  return tree;
}

class TreeOfReader {
 public:
  explicit TreeOfReader(const Volume& volume) : volume_(volume) {}

  std::map<std::string, std::string> run() {
    below(kRootInode, kRootInode, "");
    tree_["/lost+found"] = "/";
    return tree_;
  }
  int inline_count() const { return inline_count_; }

 private:
  void below(InodeNo number, InodeNo parent, const std::string& path) {
    const auto inode = volume_.inode(number);
    ASSERT_TRUE(inode) << path;
    std::map<std::string, InodeNo> names;
    std::map<std::string, int> types;
    const auto walked = volume_.for_each_entry(number, *inode, [&](const DirectoryEntry& entry) {
      EXPECT_TRUE(names.emplace(entry.name, entry.inode).second) << path << " " << entry.name;
      types[entry.name] = entry.file_type;
      return true;
    });
    ASSERT_TRUE(walked) << path << ": " << walked.error().what;
    EXPECT_EQ(names["."], number) << path;
    EXPECT_EQ(names[".."], parent) << path;
    EXPECT_EQ(types["."] + types[".."], 4) << path;
    for (const auto& [name, child] : names) {
      if (name != "." && name != "..") one(child, number, path + "/" + name);
    }
  }

  void one(InodeNo number, InodeNo parent, const std::string& path) {
    const auto inode = volume_.inode(number);
    ASSERT_TRUE(inode) << path;
    inline_count_ += inode->has(InodeFlag::kInlineData) ? 1 : 0;
    if (inode->is(InodeType::kDirectory)) {
      tree_[path] = "/";
      if (path != "/lost+found") below(number, parent, path);
    } else if (inode->is(InodeType::kSymlink)) {
      const auto target = volume_.read_link(number, *inode);
      EXPECT_TRUE(target) << path;
      tree_[path] = "-> " + (target ? *target : "");
    } else {
      std::string& content = tree_[path];
      content.resize(inode->size);
      // In two pieces, the second from the middle.
      const std::size_t half = content.size() / 2;
      const MutableBytes all(reinterpret_cast<std::uint8_t*>(content.data()), content.size());
      EXPECT_TRUE(volume_.read_file(number, *inode, 0, all.first(half))) << path;
      EXPECT_TRUE(volume_.read_file(number, *inode, half, all.subspan(half))) << path;
    }
  }

  const Volume& volume_;
  std::map<std::string, std::string> tree_;
  int inline_count_ = 0;
};

void expect_tree(const E2fsImage& image, const std::map<std::string, std::string>& expected,
                 int inline_min) {
  const MemoryDevice device(image.bytes());
  const auto volume = Volume::open(device);
  ASSERT_TRUE(volume) << volume.error().what;
  TreeOfReader reader(*volume);
  const auto found = reader.run();
  EXPECT_GE(reader.inline_count(), inline_min);
  for (const auto& [path, content] : expected) {
    ASSERT_TRUE(found.contains(path)) << path;
    EXPECT_TRUE(found.at(path) == content) << path;
  }
  EXPECT_EQ(found.size(), expected.size());
}

struct InlineVariant {
  const char* name;
  const char* mke2fs;
  int inline_min;  // so many files, folders and links at least have their content inside
};
void PrintTo(const InlineVariant& variant, std::ostream* out) {
  *out << variant.mke2fs;
}

class InlineVariants : public ::testing::TestWithParam<InlineVariant> {};

TEST_P(InlineVariants, AsMke2fsWritesThem) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TemporaryFolder folder;
  fill(folder.path() / "tree");
  auto expected = tree_of(folder.path() / "tree");
  expected["/lost+found"] = "/";
  const E2fsImage image({.mke2fs = GetParam().mke2fs, .tree = (folder.path() / "tree").string()});
  ASSERT_TRUE(image.is_made()) << image.log();
  expect_tree(image, expected, GetParam().inline_min);
}

TEST_P(InlineVariants, AsTheRunningKernelWritesThem) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_LOOP_MOUNTS();
  const E2fsImage image({.mke2fs = GetParam().mke2fs});
  ASSERT_TRUE(image.is_made()) << image.log();
  TemporaryFolder folder;
  const fs::path root = folder.path() / "mount";
  {
    LoopMount mount(image.path(), root);
    ASSERT_TRUE(mount.is_mounted()) << mount.log();
    fill(root);
    // Grown into blocks, shrunk, emptied, with room that was freed in the middle.
    fs::resize_file(root / "file1", 5000);
    fs::resize_file(root / "file59", 20);
    fs::resize_file(root / "file61", 0);
    fs::resize_file(root / "file100", 80);
    for (const char* name : {"n0", "n2", "n7"}) fs::remove(root / "folder9" / name);
    for (int i = 0; i < 5; ++i) fs::remove(root / "folder5" / ("n" + std::to_string(i)));
    ASSERT_TRUE(mount.unmount()) << mount.log();
  }
  std::map<std::string, std::string> expected;
  {
    LoopMount mount(image.path(), root, "ro");
    ASSERT_TRUE(mount.is_mounted()) << mount.log();
    expected = tree_of(root);
  }
  EXPECT_EQ(image.fsck("-fn").status, 0);
  expect_tree(image, expected, GetParam().inline_min / 2);
}

INSTANTIATE_TEST_SUITE_P(
    Options, InlineVariants,
    ::testing::Values(InlineVariant{"K1I256", "-b 1024 -I 256 -O inline_data", 10},
                      InlineVariant{"K2I512", "-b 2048 -I 512 -O inline_data", 12},
                      InlineVariant{"K4I1024", "-b 4096 -I 1024 -O inline_data", 16},
                      InlineVariant{"K4I4096", "-b 4096 -I 4096 -N 512 -O inline_data", 20},
                      InlineVariant{"NoChecksums", "-b 4096 -I 256 -O inline_data,^metadata_csum",
                                    10},
                      InlineVariant{"NotUsed", "-b 4096 -I 128 -O ^inline_data", 0}),
    [](const auto& variant) { return variant.param.name; });

TEST(InlineData, IsWhatDebugfsGives) {
  SKIP_WITHOUT_TOOL("debugfs");
  TemporaryFolder folder;
  fill(folder.path() / "tree");
  const E2fsImage image(
      {.mke2fs = "-b 4096 -I 1024 -O inline_data", .tree = (folder.path() / "tree").string()});
  ASSERT_TRUE(image.is_made()) << image.log();
  const MemoryDevice device(image.bytes());
  const auto volume = Volume::open(device);
  ASSERT_TRUE(volume);
  // debugfs gives all 60 bytes of a shorter one.
  for (const char* path : {"/file1", "/file60", "/file61", "/file700"}) {
    const fs::path copy = folder.path() / "copy";
    image.debugfs("dump " + std::string(path) + " " + copy.string());
    const std::string expected = testing::read_text(copy);
    const auto number = volume->find(path);
    const auto inode = volume->inode(*number);
    ASSERT_TRUE(inode->has(InodeFlag::kInlineData)) << path;
    const auto found = read_inline_data(*volume, *number, *inode);
    ASSERT_TRUE(found) << path;
    EXPECT_EQ(std::string(found->begin(), found->end()), expected.substr(0, inode->size)) << path;
  }
  const auto number = volume->find("/folder3");
  const auto inode = volume->inode(*number);
  ASSERT_TRUE(inode->has(InodeFlag::kInlineData));
  const std::string listed = image.debugfs("ls -l /folder3");
  int count = 0;
  EXPECT_TRUE(volume->for_each_entry(*number, *inode, [&](const DirectoryEntry& entry) {
    ++count;
    EXPECT_NE(listed.find(" " + entry.name + "\n"), std::string::npos) << entry.name;
    EXPECT_NE(listed.find(" " + std::to_string(entry.inode.value()) + " "), std::string::npos);
    return true;
  }));
  EXPECT_EQ(count, 6);
}

TEST(InlineData, IsNoAttribute) {
  SKIP_WITHOUT_TOOL("debugfs");
  TemporaryFolder folder;
  fill(folder.path() / "tree");
  E2fsImage image(
      {.mke2fs = "-b 4096 -I 1024 -O inline_data", .tree = (folder.path() / "tree").string()});
  image.debugfs("ea_set /file100 user.a b", true);
  const MemoryDevice device(image.bytes());
  const auto volume = Volume::open(device);
  const auto number = volume->find("/file100");
  std::vector<std::string> names;
  EXPECT_TRUE(volume->for_each_xattr(*number, *volume->inode(*number), [&](const Xattr& xattr) {
    names.push_back(xattr.name);
    return true;
  }));
  EXPECT_EQ(names, std::vector<std::string>{"user.a"});
}

// ---- damage

// An image without checksums with an inline file of 100 bytes and an inline folder of 30 names.
struct InlineImage {
  RawExt4 raw;
  InodeNo file, folder;
  std::size_t file_at = 0, folder_at = 0;     // the inodes, bytes on the disk
  std::size_t folder_rest = 0;                // the second part of its records
  static constexpr std::size_t kEntry = 164;  // of "system.data", in an inode
};

std::vector<DirectoryRecord> records_of(InodeNo inode, int first, int count, std::uint32_t bytes) {
  std::vector<DirectoryRecord> records;
  for (int i = first; i < first + count; ++i) {
    const bool is_last = i + 1 == first + count;
    records.push_back({inode, is_last ? bytes : 12u, 1, "n" + std::to_string(i)});
    bytes -= 12;
  }
  return records;
}

// mke2fs moves what needs a second part into a block, so it is put there as Linux has it: as long
// as the room that there is.
void put_names(InlineImage& image) {
  const MutableBytes stored = image.raw.inode(image.folder);
  const Superblock& superblock = image.raw.superblock;
  auto inode = Inode::parse(stored, image.folder, superblock);
  ASSERT_TRUE(inode);
  ASSERT_TRUE(inode->has(InodeFlag::kInlineData));
  auto body = XattrBody::parse(stored, *inode, image.folder, superblock);
  ASSERT_TRUE(body);
  ASSERT_EQ(body->entries.size(), 1u);
  XattrEntry& data = body->entries[0];
  data.value_offset = 24;
  data.value_bytes = 836;
  data.value.resize(836);
  encode_records(records_of(image.file, 4, 26, 836), data.value, superblock);
  encode_records(records_of(image.file, 0, 4, 56), MutableBytes(inode->block_area).subspan(4),
                 superblock);
  inode->size = 60 + 836;
  body->encode(stored, *inode);
  inode->encode(stored, image.folder, superblock);
}

std::optional<InlineImage> make_inline_image() {
  TemporaryFolder folder;
  fill(folder.path() / "tree");
  const E2fsImage image({.mke2fs = "-b 4096 -I 1024 -O inline_data,^metadata_csum",
                         .tree = (folder.path() / "tree").string()});
  auto raw = RawExt4::open(image.bytes());
  if (!raw) return std::nullopt;
  const auto number_of = [&](const char* path) {
    const auto number = number_after(image.debugfs(std::string("stat ") + path), "Inode:");
    return InodeNo(static_cast<std::uint32_t>(number.value_or(0)));
  };
  InlineImage made{*std::move(raw), number_of("/file100"), number_of("/folder0")};
  made.file_at = made.raw.offset_of(made.raw.inode(made.file));
  made.folder_at = made.raw.offset_of(made.raw.inode(made.folder));
  made.folder_rest = made.folder_at + InlineImage::kEntry + 24;
  put_names(made);
  return made;
}

TEST(InlineDamage, OfAFile) {
  SKIP_WITHOUT_TOOL("mke2fs");
  auto sound = make_inline_image();
  ASSERT_TRUE(sound);
  struct Row {
    const char* name;
    std::size_t offset;  // in the inode
    std::uint32_t value;
    const char* what;      // empty: it can be read
    std::size_t size = 0;  // then: so long, as much of it content, the rest zeroes
    std::size_t content = 0;
  };
  const Row rows[] = {
      {"sound", 0x4, 100, "", 100, 100},
      {"shorter", 0x4, 90, "", 90, 90},
      {"shorter than the block area", 0x4, 10, "", 10, 10},
      {"longer", 0x4, 150, "", 150, 100},
      {"much longer", 0x4, 5000, "", 5000, 100},
      {"no attributes", 160, 0, "inline data: no attribute system.data"},
      {"another name", 180, 0x61746165, "inline data: no attribute system.data"},
      {"another index", 164, 0x03340104, "inline data: no attribute system.data"},
      {"value past the end", 172, 1000, "attribute: value past the end"},
      {"in another inode", 168, 12, "attribute: a value inode without the feature ea_inode"},
  };
  for (const Row& row : rows) {
    auto bytes = sound->raw.bytes;
    store(bytes, sound->file_at + row.offset, Le32(row.value));
    const MemoryDevice device(bytes);
    const auto volume = Volume::open(device);
    const auto inode = volume->inode(sound->file);
    ASSERT_TRUE(inode) << row.name;
    std::vector<std::uint8_t> into(6000, 0xEE);
    const auto count = volume->read_file(sound->file, *inode, 0, into);
    ASSERT_EQ(count.has_value(), *row.what == '\0') << row.name;
    if (!count) {
      EXPECT_STREQ(count.error().what, row.what) << row.name;
      EXPECT_EQ(count.error().where, sound->file.value()) << row.name;
      continue;
    }
    ASSERT_EQ(*count, row.size) << row.name;
    const std::string found(into.begin(), into.begin() + static_cast<std::ptrdiff_t>(*count));
    EXPECT_EQ(found, content_of(row.content) + std::string(row.size - row.content, '\0'));
    EXPECT_EQ(into[*count], 0xEE) << row.name;
  }
}

TEST(InlineDamage, OfADirectory) {
  SKIP_WITHOUT_TOOL("mke2fs");
  auto sound = make_inline_image();
  ASSERT_TRUE(sound);
  const std::size_t at = sound->folder_at, rest = sound->folder_rest;
  struct Row {
    const char* name;
    std::size_t offset;
    std::uint32_t value;
    const char* what;
  };
  const Row rows[] = {
      {"sound", at + 0x4, 896, ""},
      {"size", at + 0x4, 892, "inline directory: size"},
      {"size", at + 0x4, 900, "inline directory: size"},
      {"size of a block", at + 0x4, 4096, "inline directory: size"},
      {"parent", at + 0x28, 0, "inline directory: parent"},
      {"parent", at + 0x28, 0x7FFFFFFF, "inline directory: parent"},
      {"no attributes", at + 160, 0, "inline data: no attribute system.data"},
      {"record past the first part", at + 0x28 + 8, 0x0102003c, "directory entry: length"},
      {"record of nothing", at + 0x28 + 8, 0x01020000, "directory entry: length"},
      {"record of 4 bytes", at + 0x28 + 8, 0x01020004, "directory entry: length"},
      {"name past its record", at + 0x28 + 8, 0x01ff000c,
       "directory entry: name longer than the entry"},
      {"inode past the last", at + 0x28 + 4, 0x7FFFFFFF, "directory entry: inode past the last"},
      {"record past the second part", rest + 4, 0x0102fffc, "directory entry: length"},
      {"record of nothing", rest + 4, 0x01020000, "directory entry: length"},
      {"slash", rest + 8, 0x2f2f2f2f, "directory entry: a name with '/' or a zero byte"},
  };
  for (const Row& row : rows) {
    auto bytes = sound->raw.bytes;
    store(bytes, row.offset, Le32(row.value));
    const MemoryDevice device(bytes);
    const auto volume = Volume::open(device);
    const auto inode = volume->inode(sound->folder);
    ASSERT_TRUE(inode) << row.name;
    int count = 0;
    const auto walked = volume->for_each_entry(sound->folder, *inode, [&](const DirectoryEntry&) {
      ++count;
      return true;
    });
    ASSERT_EQ(walked.has_value(), *row.what == '\0') << row.name;
    if (walked) {
      EXPECT_EQ(count, 32);
      continue;
    }
    EXPECT_STREQ(walked.error().what, row.what) << row.name;
    EXPECT_EQ(walked.error().code, Errc::kCorrupt) << row.name;
    EXPECT_EQ(walked.error().where, sound->folder.value()) << row.name;
  }
}

TEST(InlineDirectory, TheVisitorStopsItAnywhere) {
  SKIP_WITHOUT_TOOL("mke2fs");
  const auto image = make_inline_image();
  ASSERT_TRUE(image);
  const MemoryDevice device(image->raw.bytes);
  const auto volume = Volume::open(device);
  const auto inode = volume->inode(image->folder);
  for (int stop = 1; stop <= 33; ++stop) {
    int count = 0;
    const auto walked = walk_inline_directory(
        *volume, image->folder, *inode, [&](const DirectoryEntry&) { return ++count < stop; });
    ASSERT_TRUE(walked);
    EXPECT_EQ(*walked, stop > 32);
    EXPECT_EQ(count, std::min(stop, 32));
  }
}

TEST(InlineDirectory, EncodesToTheBytesThatWereParsed) {
  SKIP_WITHOUT_TOOL("mke2fs");
  auto image = make_inline_image();
  ASSERT_TRUE(image);
  const MutableBytes stored = image->raw.inode(image->folder);
  const Superblock& superblock = image->raw.superblock;
  const auto inode = Inode::parse(stored, image->folder, superblock);
  const auto body = XattrBody::parse(stored, *inode, image->folder, superblock);
  ASSERT_TRUE(body);
  const Bytes first = Bytes(inode->block_area).subspan(4), second = body->entries.at(0).value;
  for (const Bytes part : {first, second}) {
    const auto records = parse_records(part, 0, superblock);
    ASSERT_TRUE(records);
    std::vector<std::uint8_t> copy(part.begin(), part.end());
    encode_records(*records, copy, superblock);
    EXPECT_TRUE(std::ranges::equal(copy, part));
  }
}

}  // namespace
}  // namespace powercut
