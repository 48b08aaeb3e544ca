// Extended attributes as the reader gives them, against the running kernel, debugfs and what was
// put in; and a row for each rule of a value inode.
#include <gtest/gtest.h>

#include <sys/xattr.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>

#include "base/prng.h"
#include "base/stored_int.h"
#include "block/memory_device.h"
#include "format/ext4_acl.h"
#include "reader/volume.h"
#include "tests/support/counting_view.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/files.h"
#include "tests/support/loop_mount.h"
#include "tests/support/raw_ext4.h"

namespace powercut {
namespace {

namespace fs = std::filesystem;
using testing::E2fsImage;
using testing::LoopMount;
using testing::RawExt4;
using testing::TemporaryFolder;

using Attributes = std::map<std::string, std::string>;

std::string random_text(std::size_t length, std::uint64_t seed) {
  std::vector<std::uint8_t> bytes(length);
  Prng(seed).fill(bytes);
  return {bytes.begin(), bytes.end()};
}

bool set_xattr(const fs::path& path, const std::string& name, const std::string& value) {
  return ::lsetxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0) == 0;
}

// What listxattr(2) and getxattr(2) say.
Attributes attributes_of_kernel(const fs::path& path) {
  Attributes found;
  std::vector<char> names(128 * 1024), value(64 * 1024);
  const ssize_t length = ::llistxattr(path.c_str(), names.data(), names.size());
  EXPECT_GE(length, 0) << path;
  for (ssize_t at = 0; at < length;) {
    const std::string name = names.data() + at;
    at += static_cast<ssize_t>(name.size()) + 1;
    const ssize_t count = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    EXPECT_GE(count, 0) << path << " " << name;
    found[name] = std::string(value.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  }
  return found;
}

// What the reader says, with ACLs in the kernel's form.
Attributes attributes_of_reader(const Volume& volume, const std::string& path) {
  Attributes found;
  const auto number = volume.find(path);
  EXPECT_TRUE(number) << path;
  if (!number) return found;
  const auto inode = volume.inode(*number);
  EXPECT_TRUE(inode) << path;
  const auto walked = volume.for_each_xattr(*number, *inode, [&](const Xattr& xattr) {
    std::string value(xattr.value.begin(), xattr.value.end());
    if (xattr.name.starts_with("system.posix_acl_")) {
      const auto acl = Acl::parse(xattr.value);
      EXPECT_TRUE(acl) << path << ": " << (acl ? "" : acl.error().what);
      const auto kernel = acl ? acl->kernel_form() : std::vector<std::uint8_t>{};
      value.assign(kernel.begin(), kernel.end());
    }
    EXPECT_TRUE(xattr.is_listed) << xattr.name;
    EXPECT_TRUE(found.emplace(xattr.name, value).second) << xattr.name;
    return true;
  });
  EXPECT_TRUE(walked) << path << ": " << (walked ? "" : walked.error().what);
  return found;
}

void expect_same(const E2fsImage& image, const std::map<std::string, Attributes>& expected) {
  const MemoryDevice device(image.bytes());
  const auto volume = Volume::open(device);
  ASSERT_TRUE(volume) << volume.error().what;
  for (const auto& [path, attributes] : expected) {
    EXPECT_TRUE(attributes_of_reader(*volume, path) == attributes) << path;
  }
}

struct XattrVariant {
  const char* name;
  const char* mke2fs;
};
void PrintTo(const XattrVariant& variant, std::ostream* out) {
  *out << variant.mke2fs;
}

// Fills `root` through the running kernel; some of it does not fit, which is for the kernel to say.
// (A value of 64 KiB takes hundreds of blocks of a journal at once: it must not be the smallest.)
void fill_with_attributes(const fs::path& root) {
  std::ofstream(root / "plain").flush();
  std::ofstream(root / "some").flush();
  fs::create_directory(root / "folder");
  fs::create_symlink("nowhere", root / "link");
  for (const char* name : {"some", "folder"}) {
    set_xattr(root / name, "user.first", "1");
    set_xattr(root / name, "user.empty", "");
    set_xattr(root / name, "trusted.binary", random_text(77, 1));
    set_xattr(root / name, "security.label", "system_u");
    set_xattr(root / name, "user." + std::string(250, 'n'), "the longest name");
    set_xattr(root / name, "user.\xc3\xa4", random_text(100, 2));
  }
  set_xattr(root / "link", "trusted.of_a_link", "yes");
  const std::vector<std::uint8_t> kernel_acl = Acl{
      {{AclTag::kOwner, 6, 0},
       {AclTag::kUser, 4, 1000},
       {AclTag::kOwningGroup, 4, 0},
       {AclTag::kMask, 7, 0},
       {AclTag::kOther, 4, 0}}}.kernel_form();
  const std::string acl(kernel_acl.begin(), kernel_acl.end());
  set_xattr(root / "some", "system.posix_acl_access", acl);
  set_xattr(root / "folder", "system.posix_acl_default", acl);
  for (const auto& [name, length] :
       {std::pair{"many", 30u}, std::pair{"tiny", 0u}, std::pair{"fat", 500u}}) {
    std::ofstream(root / name).flush();
    for (unsigned i = 0; i < 300; ++i) {
      set_xattr(root / name, "user.a" + std::to_string(i), random_text(length, i));
    }
  }
  std::ofstream(root / "big").flush();
  std::ofstream(root / "big_too").flush();
  for (const char* name : {"big", "big_too"}) {
    set_xattr(root / name, "user.60K", random_text(60 * 1024, 3));
    set_xattr(root / name, "user.64K", random_text(64 * 1024, 4));
    set_xattr(root / name, "user.block", random_text(1024, 5));
  }
}

class XattrVariants : public ::testing::TestWithParam<XattrVariant> {};

TEST_P(XattrVariants, AreWhatTheRunningKernelGives) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_LOOP_MOUNTS();
  const std::string options = GetParam().mke2fs;
  const E2fsImage image({.mke2fs = options});
  ASSERT_TRUE(image.is_made()) << image.log();
  TemporaryFolder folder;
  const fs::path root = folder.path() / "mount";
  {
    LoopMount mount(image.path(), root);
    ASSERT_TRUE(mount.is_mounted()) << mount.log();
    fill_with_attributes(root);
    ASSERT_TRUE(mount.unmount()) << mount.log();
  }
  std::map<std::string, Attributes> expected;
  {
    LoopMount mount(image.path(), root, "ro");  // what it reads, not what it remembers
    ASSERT_TRUE(mount.is_mounted()) << mount.log();
    for (const auto& entry : fs::directory_iterator(root)) {
      expected["/" + entry.path().filename().string()] = attributes_of_kernel(entry.path());
    }
  }
  expect_same(image, expected);
  EXPECT_GE(expected["/some"].size(), 6u);
  EXPECT_GE(expected["/many"].size(), 12u);
  const bool has_value_inodes = options.find("ea_inode") != std::string::npos;
  EXPECT_EQ(expected["/big"].size() == 3, has_value_inodes);
}

INSTANTIATE_TEST_SUITE_P(
    Options, XattrVariants,
    ::testing::Values(
        XattrVariant{"K1I128", "-b 1024 -I 128"}, XattrVariant{"K1I256", "-b 1024 -I 256"},
        XattrVariant{"K1I1024", "-b 1024 -I 1024"}, XattrVariant{"K2I256", "-b 2048 -I 256"},
        XattrVariant{"K4I128", "-b 4096 -I 128"}, XattrVariant{"K4I256", "-b 4096 -I 256"},
        XattrVariant{"K4I4096", "-b 4096 -I 4096 -N 256"},
        XattrVariant{"NoChecksums", "-b 4096 -I 256 -O ^metadata_csum"},
        XattrVariant{"Seed", "-b 4096 -I 256 -O metadata_csum_seed,ea_inode"},
        XattrVariant{"Inline", "-b 4096 -I 1024 -O inline_data"},
        XattrVariant{"EaInodeK1", "-b 1024 -I 256 -O ea_inode -J size=4"},
        XattrVariant{"EaInodeK4", "-b 4096 -I 1024 -O ea_inode"},
        XattrVariant{"EaInodeI128", "-b 4096 -I 128 -O ea_inode,^metadata_csum"}),
    [](const auto& variant) { return variant.param.name; });

TEST(Xattrs, AreWhatDebugfsGives) {
  SKIP_WITHOUT_TOOL("debugfs");
  E2fsImage image({.mke2fs = "-b 1024"});
  ASSERT_TRUE(image.is_made()) << image.log();
  TemporaryFolder folder;
  const Attributes expected = {{"user.one", "1"},
                               {"user.binary", random_text(300, 9)},
                               {"trusted.two", random_text(30, 8)},
                               {"security.three", random_text(40, 7)},
                               {"user." + std::string(200, 'n'), "long"}};
  std::ofstream(folder.path() / "empty").flush();
  std::string commands = "write " + (folder.path() / "empty").string() + " file\n";
  int count = 0;
  for (const auto& [name, value] : expected) {
    const fs::path source = folder.path() / std::to_string(count++);
    std::ofstream(source, std::ios::binary) << value;
    commands += "ea_set -f " + source.string() + " /file " + name + "\n";
  }
  image.debugfs(commands, true);
  expect_same(image, {{"/file", expected}});
  const std::string listed = image.debugfs("ea_list /file");
  for (const auto& [name, value] : expected) {
    EXPECT_NE(listed.find(name + " (" + std::to_string(value.size()) + ")"), std::string::npos)
        << listed;
    const fs::path copy = folder.path() / "copy";
    image.debugfs("ea_get -f " + copy.string() + " /file " + name);
    EXPECT_EQ(testing::read_text(copy), value) << name;
  }
}

// mke2fs takes them from a tree, and turns ACLs into ext4's form.
TEST(Xattrs, AreWhatMke2fsTookFromATree) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TemporaryFolder folder;
  const fs::path tree = folder.path() / "tree";
  fs::create_directories(tree);
  std::ofstream(tree / "some").flush();
  if (!set_xattr(tree / "some", "user.probe", "1")) {
    GTEST_SKIP() << "no extended attributes in " << folder.path();
  }
  fill_with_attributes(tree);
  for (const char* options : {"-b 1024 -I 256", "-b 4096 -I 1024 -O ea_inode"}) {
    // mke2fs stops at the first that does not fit.
    fs::remove(tree / "fat");
    for (const char* name : {"big", "big_too", "many", "tiny"}) {
      fs::remove(tree / name);
      std::ofstream(tree / name).flush();
      for (int i = 0; i < 15; ++i) set_xattr(tree / name, "user." + std::to_string(i), "v");
    }
    E2fsImage image({.mke2fs = options, .tree = tree.string()});
    ASSERT_TRUE(image.is_made()) << image.log();
    std::map<std::string, Attributes> expected;
    for (const auto& entry : fs::directory_iterator(tree)) {
      expected["/" + entry.path().filename().string()] = attributes_of_kernel(entry.path());
    }
    EXPECT_GE(expected["/many"].size(), 15u);
    expect_same(image, expected);
  }
}

// ---- value inodes

struct ValueImage {
  std::vector<std::uint8_t> bytes;
  InodeNo owner{12}, value{13};
  std::size_t entry = 0;  // byte of the entry on the disk
};

// A file "/f" with "user.v" of 3000 bytes in an inode; no checksums.  Empty bytes: not possible.
ValueImage make_value_image(const E2fsImage& image) {
  TemporaryFolder folder;
  LoopMount mount(image.path(), folder.path() / "mount");
  const fs::path file = folder.path() / "mount" / "f";
  std::ofstream(file).flush();
  EXPECT_TRUE(set_xattr(file, "user.v\xe4", random_text(3000, 1)));
  EXPECT_TRUE(mount.unmount()) << mount.log();
  ValueImage made{.bytes = image.bytes()};
  auto raw = RawExt4::open(made.bytes);
  if (raw) made.entry = raw->offset_of(raw->inode(made.owner)) + 128 + 32 + 4;
  return made;
}

TEST(ValueInodes, Damage) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_LOOP_MOUNTS();
  const E2fsImage image({.mke2fs = "-b 1024 -I 256 -O ea_inode,^metadata_csum"});
  ASSERT_TRUE(image.is_made()) << image.log();
  const ValueImage sound = make_value_image(image);
  auto raw = RawExt4::open(sound.bytes);
  ASSERT_TRUE(raw);
  const std::size_t value_at = raw->offset_of(raw->inode(sound.value));
  const std::size_t data_at = raw->first_extent(sound.value).device.value() * 1024;
  const Le32 generation = *load<Le32>(raw->inode(sound.owner), 0x64);
  using Edit = std::pair<std::size_t, std::uint32_t>;
  struct Row {
    const char* name;
    std::vector<Edit> edits;
    Errc code;
    const char* what;
    std::uint32_t where;
  };
  const Row rows[] = {
      {"content", {{data_at + 8, 1}}, Errc::kChecksum, "value inode: hash of the value", 13},
      {"its hash", {{value_at + 0x8, 1}}, Errc::kChecksum, "value inode: hash of the value", 13},
      {"entry's hash",
       {{sound.entry + 12, 0}},
       Errc::kChecksum,
       "value inode: hash of the attribute",
       13},
      {"size", {{value_at + 4, 3001}}, Errc::kCorrupt, "value inode: size", 13},
      {"entry's length", {{sound.entry + 8, 2999}}, Errc::kCorrupt, "value inode: size", 13},
      {"flag",
       {{value_at + 0x20, 0x80000}},
       Errc::kCorrupt,
       "value inode: not the value of an attribute",
       13},
      {"links",
       {{value_at + 0x18, 0}},
       Errc::kCorrupt,
       "value inode: not the value of an attribute",
       13},
      {"another inode",
       {{sound.entry + 4, 12}},
       Errc::kCorrupt,
       "value inode: not the value of an attribute",
       12},
      {"unused inode",
       {{sound.entry + 4, 14}},
       Errc::kCorrupt,
       "value inode: not the value of an attribute",
       14},
      {"root", {{sound.entry + 4, 2}}, Errc::kCorrupt, "attribute: number of the value inode", 12},
      {"over 64 KiB",
       {{sound.entry + 8, 65537}, {value_at + 4, 65537}},
       Errc::kLimit,
       "attribute: value over 64 KiB",
       12},
      {"older form", {{value_at + 0x10, 12}, {value_at + 0x64, generation}}, Errc::kIo, "", 0},
      {"older form is not hashed",
       {{value_at + 0x10, 12}, {value_at + 0x64, generation}, {value_at + 0x8, 1}},
       Errc::kIo,
       "",
       0},
      {"older form of another",
       {{value_at + 0x10, 11}, {value_at + 0x64, generation}, {value_at + 0x8, 1}},
       Errc::kChecksum,
       "value inode: hash of the value",
       13},
      {"older form of another generation",
       {{value_at + 0x10, 12}, {value_at + 0x64, generation + 1}, {value_at + 0x8, 1}},
       Errc::kChecksum,
       "value inode: hash of the value",
       13},
      {"nothing", {}, Errc::kIo, "", 0},
  };
  for (const Row& row : rows) {
    auto bytes = sound.bytes;
    for (const auto& [offset, value] : row.edits) store(bytes, offset, Le32(value));
    const MemoryDevice device(bytes);
    const auto volume = Volume::open(device);
    ASSERT_TRUE(volume);
    std::string value;
    const auto walked =
        volume->for_each_xattr(sound.owner, *volume->inode(sound.owner), [&](const Xattr& xattr) {
          value.assign(xattr.value.begin(), xattr.value.end());
          return true;
        });
    if (*row.what == '\0') {
      EXPECT_TRUE(walked) << row.name << ": " << walked.error().what;
      EXPECT_TRUE(value == random_text(3000, 1)) << row.name;
      continue;
    }
    ASSERT_FALSE(walked) << row.name;
    EXPECT_EQ(walked.error().code, row.code) << row.name;
    EXPECT_STREQ(walked.error().what, row.what) << row.name;
    EXPECT_EQ(walked.error().where, row.where) << row.name;
  }
}

// ---- how it is read

// Counts the reads that are made of another view.
TEST(Xattrs, AreReadOnceAndTheVisitorStops) {
  SKIP_WITHOUT_TOOL("debugfs");
  TemporaryFolder folder;
  std::ofstream(folder.path() / "empty").flush();
  E2fsImage image({.mke2fs = "-b 1024 -I 256"});
  std::string commands = "write " + (folder.path() / "empty").string() + " file\n";
  for (int i = 0; i < 20; ++i) commands += "ea_set /file user.a" + std::to_string(i) + " value\n";
  image.debugfs(commands, true);
  const MemoryDevice device(image.bytes());
  const testing::CountingView view(device);
  const auto volume = Volume::open(view);
  ASSERT_TRUE(volume);
  const auto number = volume->find("/file");
  ASSERT_TRUE(number);
  const auto inode = volume->inode(*number);
  ASSERT_TRUE(inode);
  ASSERT_NE(inode->xattr_block.value(), 0u);
  const std::uint64_t before = view.reads;
  int visits = 0;
  EXPECT_TRUE(volume->for_each_xattr(*number, *inode, [&](const Xattr&) {
    ++visits;
    return true;
  }));
  EXPECT_EQ(visits, 20);
  EXPECT_EQ(view.reads - before, 2u);  // the inode, the block
  visits = 0;
  EXPECT_TRUE(volume->for_each_xattr(*number, *inode, [&](const Xattr&) { return ++visits < 2; }));
  EXPECT_EQ(visits, 2);
}

}  // namespace
}  // namespace powercut
