// Attributes and ACLs as operations: in the inode, in a block, in a block that others share.
#include <gtest/gtest.h>

#include "fs/operations.h"
#include "fs/xattr.h"
#include "tests/support/mounted_image.h"
#include "tests/support/tree_model.h"

namespace powercut::fs {
namespace {

std::vector<std::uint8_t> bytes_of_text(const std::string& text) {
  return {text.begin(), text.end()};
}

class Xattrs : public ::testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_TOOL("mke2fs");
    begin(TestMount::image_of("-b 1024", "16M"));
  }
  void TearDown() override {
    if (!disk_) return;
    end();
  }
  void begin(std::vector<std::uint8_t> image) {
    disk_ = std::make_unique<TestMount>(std::move(image));
    disk_->mount();
    root_ = *core().nodes->get(kRootInode);
  }
  void end() {
    root_.reset();
    node_.reset();
    if (disk_->mounted) disk_->unmount();
    EXPECT_TRUE(is_clean(disk_->device.bytes()));
  }
  Core& core() { return disk_->core(); }
  void make() { node_ = *make_file(core(), *root_, "file", {}); }
  Result<void> set(const std::string& name, const std::string& value,
                   SetMode mode = SetMode::kEither) {
    return set_xattr(core(), *node_, name, bytes_of_text(value), mode);
  }
  std::string get(const std::string& name) {
    const auto value = get_xattr(core(), *node_, name);
    if (!value) return "error: " + std::string(errc_name(value.error().code));
    return {value->begin(), value->end()};
  }

  std::unique_ptr<TestMount> disk_;
  NodeRef root_, node_;
};

TEST_F(Xattrs, SetReplacedRemoved) {
  make();
  ASSERT_TRUE(set("user.a", "one"));
  EXPECT_EQ(get("user.a"), "one");
  EXPECT_EQ(set("user.a", "two", SetMode::kCreate).error().code, Errc::kExists);
  EXPECT_EQ(set("user.b", "two", SetMode::kReplace).error().code, Errc::kNotFound);
  ASSERT_TRUE(set("user.a", "two", SetMode::kReplace));
  EXPECT_EQ(get("user.a"), "two");
  EXPECT_EQ(get("user.b"), "error: not found");
  ASSERT_TRUE(set("user.empty", ""));
  EXPECT_EQ(get("user.empty"), "");
  EXPECT_EQ(list_xattrs(core(), *node_)->size(), 2u);
  ASSERT_TRUE(remove_xattr(core(), *node_, "user.a"));
  EXPECT_EQ(remove_xattr(core(), *node_, "user.a").error().code, Errc::kNotFound);
  EXPECT_EQ(set("nobody.x", "").error().code, Errc::kUnsupported);
  EXPECT_EQ(set("user.", "").error().code, Errc::kInvalid);
  EXPECT_EQ(set("user." + std::string(300, 'x'), "").error().code, Errc::kLimit);
}

TEST_F(Xattrs, WhatDoesNotFitIsRefused) {
  make();
  ASSERT_TRUE(set("user.body", std::string(30, 'b')));
  ASSERT_TRUE(set("user.block", std::string(600, 'k')));
  const auto refused = set("user.more", std::string(600, 'm'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kNoSpace);
  EXPECT_EQ(get("user.block"), std::string(600, 'k'));
  EXPECT_EQ(status_of(core(), *node_).allocated_bytes, 1024u);
  ASSERT_TRUE(remove_xattr(core(), *node_, "user.block"));
  EXPECT_EQ(status_of(core(), *node_).allocated_bytes, 0u);
  EXPECT_EQ(get("user.body"), std::string(30, 'b'));
}

// A block with a count of two, as Linux shares them: made by hand, since no one here makes one.
TEST_F(Xattrs, SharedBlockIsLeftToTheOther) {
  make();
  const NodeRef first = node_;
  ASSERT_TRUE(set("user.block", std::string(600, 'k')));
  const NodeRef second = *make_file(core(), *root_, "second", {});
  {
    LockTwo lock(*first, *second);
    auto handle = core().start(Credits(8));
    ASSERT_TRUE(handle);
    const BlockNo place = first->inode.xattr_block;
    const BufferRef buffer = *core().buffers->get(place);
    auto block = *XattrBlock::parse(buffer->snapshot().bytes(), place, core().shape);
    block.references = 2;
    handle->change(buffer, [&](MutableBytes bytes) { block.encode(bytes, place, core().shape); });
    second->inode.xattr_block = place;
    second->inode.sectors = first->inode.sectors;
    core().nodes->store(*handle, *second);
  }
  node_ = second;
  ASSERT_TRUE(set("user.block", std::string(500, 'm')));
  EXPECT_EQ(get("user.block"), std::string(500, 'm'));
  node_ = first;
  EXPECT_EQ(get("user.block"), std::string(600, 'k'));
  ASSERT_TRUE(set("user.more", std::string(90, 'n')));
  ASSERT_TRUE(remove_file(core(), *root_, "second"));
}

// tag, permissions, id in the kernel's form.
std::vector<std::uint8_t> acl_of(std::vector<AclEntry> entries) {
  return Acl{std::move(entries)}.kernel_form();
}

TEST_F(Xattrs, AccessAclAndMode) {
  make();
  const auto acl = acl_of({{AclTag::kOwner, 6, 0},
                           {AclTag::kUser, 7, 1000},
                           {AclTag::kOwningGroup, 4, 0},
                           {AclTag::kMask, 5, 0},
                           {AclTag::kOther, 1, 0}});
  const std::string name = "system.posix_acl_access";
  ASSERT_TRUE(set_xattr(core(), *node_, name, acl, SetMode::kEither));
  EXPECT_EQ(status_of(core(), *node_).inode.mode & 0777u, 0651u);
  EXPECT_EQ(*get_xattr(core(), *node_, name), acl);
  ASSERT_TRUE(change_status(core(), *node_, {.permissions = 0720}));
  const auto changed = acl_of({{AclTag::kOwner, 7, 0},
                               {AclTag::kUser, 7, 1000},
                               {AclTag::kOwningGroup, 4, 0},
                               {AclTag::kMask, 2, 0},
                               {AclTag::kOther, 0, 0}});
  EXPECT_EQ(*get_xattr(core(), *node_, name), changed);
  const auto plain =
      acl_of({{AclTag::kOwner, 6, 0}, {AclTag::kOwningGroup, 4, 0}, {AclTag::kOther, 4, 0}});
  ASSERT_TRUE(set_xattr(core(), *node_, name, plain, SetMode::kEither));
  EXPECT_EQ(status_of(core(), *node_).inode.mode & 0777u, 0644u);
  EXPECT_EQ(get(name), "error: not found");
  EXPECT_EQ(set(name, "no acl").error().code, Errc::kInvalid);
  EXPECT_EQ(
      set_xattr(core(), *node_, "system.posix_acl_default", acl, SetMode::kEither).error().code,
      Errc::kNotPermitted);
}

TEST_F(Xattrs, DefaultAclIsInherited) {
  const NodeRef directory = *make_directory(core(), *root_, "d", {.permissions = 0755});
  const auto acl = acl_of({{AclTag::kOwner, 7, 0},
                           {AclTag::kUser, 6, 1000},
                           {AclTag::kOwningGroup, 5, 0},
                           {AclTag::kMask, 7, 0},
                           {AclTag::kOther, 0, 0}});
  ASSERT_TRUE(set_xattr(core(), *directory, "system.posix_acl_default", acl, SetMode::kEither));
  node_ = *make_file(core(), *directory, "f", {.permissions = 0664, .umask = 077});
  EXPECT_EQ(status_of(core(), *node_).inode.mode & 0777u, 0660u);
  EXPECT_TRUE(get_xattr(core(), *node_, "system.posix_acl_access"));
  node_ = *make_directory(core(), *directory, "below", {.permissions = 0755});
  EXPECT_EQ(*get_xattr(core(), *node_, "system.posix_acl_default"), acl);
  const NodeRef plain = *make_file(core(), *root_, "plain", {.permissions = 0666, .umask = 022});
  EXPECT_EQ(status_of(core(), *plain).inode.mode & 0777u, 0644u);
}

}  // namespace
}  // namespace powercut::fs
