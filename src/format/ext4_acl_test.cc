// Access control lists: the three forms, each rule's damage, and what Linux stores and gives back.
#include "format/ext4_acl.h"

#include <gtest/gtest.h>

#include <sys/xattr.h>

#include <filesystem>
#include <fstream>

#include "base/stored_int.h"
#include "format/ext4_xattr.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/loop_mount.h"
#include "tests/support/raw_ext4.h"

namespace powercut {
namespace {

using testing::E2fsImage;
using testing::LoopMount;
using testing::RawExt4;
using testing::TemporaryFolder;
using Stream = std::vector<std::uint8_t>;

// From pairs of digits; blanks are for the reader.
Stream hex(const std::string& text) {
  Stream bytes;
  std::string digits;
  for (const char c : text) {
    if (c != ' ') digits += c;
  }
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoul(digits.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

struct Form {
  const char* stored;
  const char* kernel;
  const char* text;
};

// As Linux 6.18 stored them and gave them back.
const Form kForms[] = {
    {"01000000 01000600 04000400 20000400",
     "02000000 01000600ffffffff 04000400ffffffff 20000400ffffffff",
     "user::rw-,group::r--,other::r--"},
    {"01000000 01000600 02000400e8030000 02000700e9030000 04000400 0800050032000000 10000700 "
     "20000400",
     "02000000 01000600ffffffff 02000400e8030000 02000700e9030000 04000400ffffffff "
     "0800050032000000 10000700ffffffff 20000400ffffffff",
     "user::rw-,user:1000:r--,user:1001:rwx,group::r--,group:50:r-x,mask::rwx,other::r--"},
    {"01000000 01000000 0200000000000000 04000100 10000200 20000300",
     "02000000 01000000ffffffff 0200000000000000 04000100ffffffff 10000200ffffffff "
     "20000300ffffffff",
     "user::---,user:0:---,group::--x,mask::-w-,other::-wx"},
};

TEST(Acl, ThreeForms) {
  for (const Form& form : kForms) {
    const auto acl = Acl::parse(hex(form.stored));
    ASSERT_TRUE(acl) << form.text << ": " << acl.error().what;
    EXPECT_EQ(acl->text(), form.text);
    EXPECT_EQ(acl->encode(), hex(form.stored)) << form.text;
    EXPECT_EQ(acl->kernel_form(), hex(form.kernel)) << form.text;
  }
}

TEST(Acl, Damage) {
  struct Row {
    const char* name;
    const char* stored;
    Errc code;
    const char* what;
    std::uint64_t where;
  };
  const Row rows[] = {
      {"nothing", "", Errc::kCorrupt, "acl: no version", 0},
      {"half a version", "0100", Errc::kCorrupt, "acl: no version", 0},
      {"the kernel's form", kForms[0].kernel, Errc::kUnsupported, "acl: version", 0},
      {"version 0", "00000000 01000600 04000400 20000400", Errc::kUnsupported, "acl: version", 0},
      {"cut in an entry", "01000000 01000600 04000400 2000", Errc::kCorrupt,
       "acl: entry past the end", 12},
      {"cut before an id", "01000000 01000600 02000400", Errc::kCorrupt, "acl: id past the end", 8},
      {"cut in an id", "01000000 01000600 02000400e803", Errc::kCorrupt, "acl: id past the end", 8},
      {"tag 0", "01000000 00000600 04000400 20000400", Errc::kCorrupt, "acl: tag", 4},
      {"tag of two", "01000000 01000600 03000400 20000400", Errc::kCorrupt, "acl: tag", 8},
      {"permissions", "01000000 01000800 04000400 20000400", Errc::kCorrupt, "acl: permissions", 4},
      {"nobody", "01000000 01000600 02000400ffffffff 04000400 10000700 20000400", Errc::kCorrupt,
       "acl: nobody is named", 8},
      {"order", "01000000 04000400 01000600 20000400", Errc::kCorrupt, "acl: order of the entries",
       1},
      {"two owners", "01000000 01000600 01000600 04000400 20000400", Errc::kCorrupt,
       "acl: order of the entries", 1},
      {"no entries", "01000000", Errc::kCorrupt, "acl: owner, owning group or others are missing",
       0},
      {"no others", "01000000 01000600 04000400", Errc::kCorrupt,
       "acl: owner, owning group or others are missing", 0},
      {"no owner", "01000000 04000400 20000400", Errc::kCorrupt,
       "acl: owner, owning group or others are missing", 0},
      {"no owning group", "01000000 01000600 20000400", Errc::kCorrupt,
       "acl: owner, owning group or others are missing", 0},
      {"no mask", "01000000 01000600 0200070005000000 04000400 20000400", Errc::kCorrupt,
       "acl: somebody is named, but there is no mask", 0},
  };
  for (const Row& row : rows) {
    const auto acl = Acl::parse(hex(row.stored));
    ASSERT_FALSE(acl) << row.name;
    EXPECT_EQ(acl.error().code, row.code) << row.name;
    EXPECT_STREQ(acl.error().what, row.what) << row.name;
    EXPECT_EQ(acl.error().where, row.where) << row.name;
  }
}

// Named ones may stand in any order, and twice; Linux takes it.
TEST(Acl, NamedOnesInAnyOrder) {
  EXPECT_TRUE(
      Acl::parse(hex("01000000 01000600 0200040009000000 0200040005000000 "
                     "0200040005000000 04000400 10000400 20000400")));
}

const XattrEntry* entry_of(const XattrBody& body, XattrIndex index) {
  for (const XattrEntry& entry : body.entries) {
    if (entry.has(index)) return &entry;
  }
  return nullptr;
}

// What is set in the kernel's form lies on the disk in ours, and the same comes out.
TEST(Acl, AsLinuxStoresIt) {
  SKIP_WITHOUT_TOOL("debugfs");
  SKIP_WITHOUT_LOOP_MOUNTS();
  const E2fsImage image({.mke2fs = "-I 512"});
  ASSERT_TRUE(image.is_made()) << image.log();
  TemporaryFolder folder;
  LoopMount mount(image.path(), folder.path() / "mount");
  ASSERT_TRUE(mount.is_mounted()) << mount.log();
  struct Case {
    const char* name;
    const Form& form;
  };
  const Case cases[] = {{"plain", kForms[0]}, {"named", kForms[1]}, {"root", kForms[2]}};
  for (const Case& one : cases) {
    const auto path = folder.path() / "mount" / one.name;
    std::filesystem::create_directory(path);
    const Stream kernel = hex(one.form.kernel);
    for (const char* name : {"system.posix_acl_access", "system.posix_acl_default"}) {
      ASSERT_EQ(::lsetxattr(path.c_str(), name, kernel.data(), kernel.size(), 0), 0) << one.name;
    }
  }
  ASSERT_TRUE(mount.unmount()) << mount.log();
  auto raw = RawExt4::open(image.bytes());
  ASSERT_TRUE(raw);
  for (const Case& one : cases) {
    const InodeNo number(static_cast<std::uint32_t>(
        testing::number_after(image.debugfs(std::string("stat /") + one.name), "Inode:")
            .value_or(0)));
    ASSERT_NE(number.value(), 0u);
    const auto inode = Inode::parse(raw->inode(number), number, raw->superblock);
    ASSERT_TRUE(inode);
    const auto body = XattrBody::parse(raw->inode(number), *inode, number, raw->superblock);
    ASSERT_TRUE(body) << body.error().what;
    const XattrEntry* by_default = entry_of(*body, XattrIndex::kAclDefault);
    ASSERT_NE(by_default, nullptr) << one.name;
    EXPECT_EQ(by_default->value, hex(one.form.stored)) << one.name;
    // One that says no more than the mode is not kept.
    const XattrEntry* access = entry_of(*body, XattrIndex::kAclAccess);
    ASSERT_EQ(access != nullptr, &one.form != &kForms[0]) << one.name;
    if (access != nullptr) {
      EXPECT_EQ(access->value, hex(one.form.stored)) << one.name;
    }
  }
}

}  // namespace
}  // namespace powercut
