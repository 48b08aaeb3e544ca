// The running kernel sees the trees that we make, and we those that it makes.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <filesystem>
#include <fstream>

#include "fs/operations.h"
#include "tests/support/loop_mount.h"
#include "tests/support/mounted_image.h"
#include "tests/support/tree_model.h"

namespace powercut::fs {
namespace {

std::map<std::string, std::string> attributes_of(const std::string& path) {
  std::vector<char> names(65536);
  const ssize_t count = llistxattr(path.c_str(), names.data(), names.size());
  std::map<std::string, std::string> attributes;
  for (ssize_t at = 0; at < count;) {
    const std::string name(&names[static_cast<std::size_t>(at)]);
    std::vector<char> value(65536);
    const ssize_t length = lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    EXPECT_GE(length, 0) << name;
    attributes[name] = std::string(value.data(), static_cast<std::size_t>(length));
    at += static_cast<ssize_t>(name.size()) + 1;
  }
  return attributes;
}

// As the kernel shows a folder.
void add_words(const std::filesystem::path& folder, const std::string& path, TreeWords& words,
               std::map<std::uint64_t, std::string>& seen) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    EXPECT_TRUE(names.insert(entry.path().filename().string()).second);
  }
  for (const std::string& name : names) {
    const std::filesystem::path at = folder / name;
    struct stat status {};
    ASSERT_EQ(lstat(at.c_str(), &status), 0) << at;
    const std::string target =
        S_ISLNK(status.st_mode) ? std::filesystem::read_symlink(at).string() : std::string();
    const std::string here = path + "/" + name;
    words[here] = words_of(static_cast<InodeType>(status.st_mode >> 12), status.st_mode & 07777u,
                           status.st_uid, status.st_nlink, target, attributes_of(at.string())) +
                  " as " + seen.try_emplace(status.st_ino, here).first->second;
    if (S_ISDIR(status.st_mode)) add_words(at, here, words, seen);
  }
}

struct Seen {
  std::vector<std::uint8_t> image;  // after the kernel had it
  TreeWords words;
};

// Lets the kernel mount an image and a shell work in it.
Seen seen_by_linux(Bytes image, const std::string& work) {
  testing::TemporaryFolder folder;
  const auto path = folder.path() / "image";
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(image.data()),
             static_cast<std::streamsize>(image.size()));
  Seen seen;
  testing::LoopMount mount(path, folder.path() / "mount", "data=journal");
  EXPECT_TRUE(mount.is_mounted()) << mount.log();
  if (!mount.is_mounted()) return seen;
  const std::string in = "cd " + (folder.path() / "mount").string() + " && set -e; ";
  if (!work.empty()) {
    const auto done = testing::run_shell("sh -c '" + in + work + "'");
    EXPECT_EQ(done.status, 0) << done.output;
  }
  std::map<std::uint64_t, std::string> inodes;
  add_words(folder.path() / "mount", "", seen.words, inodes);
  EXPECT_TRUE(mount.unmount()) << mount.log();
  std::ifstream file(path, std::ios::binary);
  seen.image.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  return seen;
}

class TreeWithLinux : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_TOOL("mke2fs");
    SKIP_WITHOUT_LOOP_MOUNTS();
  }
};

// Directories that are split, links, symlinks, attributes in inodes and blocks, ACLs, renames.
void work_by_us(Core& core, const std::string& mark) {
  const NodeRef root = *core.nodes->get(kRootInode);
  const NodeRef many = *make_directory(core, *root, "many" + mark, {.permissions = 02755});
  for (int i = 0; i < 700; ++i) {
    const std::string name =
        mark + std::to_string(i) + std::string(static_cast<std::size_t>(i % 90), 'x');
    const auto made = make_file(core, *many, name, {.permissions = 0640, .uid = 12});
    ASSERT_TRUE(made) << error_words(made.error());
  }
  const NodeRef below = *make_directory(core, *many, "below", {});
  for (int i = 0; i < 200; i += 2) {
    const std::string name =
        mark + std::to_string(i) + std::string(static_cast<std::size_t>(i % 90), 'x');
    ASSERT_TRUE(rename(core, {*many, name}, {*below, "moved" + name}, RenameHow::kReplace));
  }
  ASSERT_TRUE(rename(core, {*many, "below"}, {*root, "up" + mark}, RenameHow::kNoReplace));
  const NodeRef one = *lookup(core, *many, mark + "1x");
  ASSERT_TRUE(make_link(core, one, *root, "linked" + mark));
  const auto value = pattern(600, 9);
  ASSERT_TRUE(set_xattr(core, *one, "user.small", Bytes(value).first(20), SetMode::kCreate));
  ASSERT_TRUE(set_xattr(core, *one, "user.large", value, SetMode::kCreate));
  ASSERT_TRUE(set_xattr(core, *one, "trusted.b", Bytes(value).first(9), SetMode::kCreate));
  ASSERT_TRUE(set_xattr(core, *one, "security.longer", Bytes(value).first(99), SetMode::kCreate));
  ASSERT_TRUE(make_symlink(core, *root, "short" + mark, "many" + mark, {}));
  ASSERT_TRUE(make_symlink(core, *root, "long" + mark, std::string(500, 's'), {}));
  ASSERT_TRUE(make_special(core, *root, "fifo" + mark, InodeType::kFifo, {}, {}));
}

TEST_P(TreeWithLinux, SeesOurTree) {
  TestMount disk(GetParam(), "24M");
  disk.mount();
  work_by_us(disk.core(), "a");
  if (HasFatalFailure()) return;
  disk.unmount();
  ASSERT_TRUE(is_clean(disk.device.bytes()));
  const Seen seen = seen_by_linux(disk.device.bytes(), "");
  EXPECT_EQ(difference(ImageTree(disk.device.bytes()).words(), seen.words), "");
  EXPECT_TRUE(is_clean(seen.image));
}

TEST_P(TreeWithLinux, TakesTurnsWithUs) {
  TestMount first(GetParam(), "24M");
  Seen seen = seen_by_linux(
      first.device.bytes(),
      "mkdir linux deep; i=0; while [ $i -lt 600 ]; do : > linux/some-name-that-is-long-$i; "
      "i=$((i+1)); done; ln linux/some-name-that-is-long-5 linked; ln -s target link; "
      "setfattr -n user.one -v 1 linked 2>/dev/null || true; mkdir deep/a deep/a/b");
  TestMount disk(seen.image);
  disk.mount();
  Core& core = disk.core();
  const NodeRef root = *core.nodes->get(kRootInode);
  const NodeRef linux_names = *lookup(core, *root, "linux");
  for (int i = 0; i < 600; i += 3) {
    const std::string name = "some-name-that-is-long-" + std::to_string(i);
    ASSERT_TRUE(remove_file(core, *linux_names, name));
  }
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(make_file(core, *linux_names, "of-ours-" + std::to_string(i), {}));
  }
  const NodeRef deep = *lookup(core, *root, "deep");
  ASSERT_TRUE(rename(core, {*deep, "a"}, {*linux_names, "a"}, RenameHow::kReplace));
  work_by_us(core, "b");
  if (HasFatalFailure()) return;
  disk.unmount();
  ASSERT_TRUE(is_clean(disk.device.bytes()));
  seen = seen_by_linux(disk.device.bytes(),
                       "rm -r linux/a upb; i=0; while [ $i -lt 500 ]; do mv linux/of-ours-$i "
                       "manyb/; i=$((i+1)); done; rm linkedb");
  EXPECT_TRUE(is_clean(seen.image));
  EXPECT_EQ(difference(ImageTree(seen.image).words(), seen.words), "");
}

// An image that was cut under us is recovered by the kernel, with the orphans.
TEST_P(TreeWithLinux, RecoversOurs) {
  TestMount disk(GetParam(), "24M");
  disk.mount();
  work_by_us(disk.core(), "a");
  if (HasFatalFailure()) return;
  Core& core = disk.core();
  const NodeRef root = *core.nodes->get(kRootInode);
  const NodeRef open = *make_file(core, *root, "open", {});
  ASSERT_TRUE(open_node(*open));
  ASSERT_TRUE(remove_file(core, *root, "open"));
  ASSERT_TRUE(disk.mounted->sync());
  const auto left = disk.crashed();
  const Seen seen = seen_by_linux(left, "");
  EXPECT_TRUE(is_clean(seen.image));
  ASSERT_TRUE(close_node(core, open));
  disk.unmount();
  EXPECT_EQ(difference(ImageTree(disk.device.bytes()).words(), seen.words), "");
}

INSTANTIATE_TEST_SUITE_P(Forms, TreeWithLinux,
                         ::testing::Values("-b 1024 -N 8192", "-b 4096 -N 8192",
                                           "-b 1024 -N 8192 -O orphan_file,metadata_csum_seed",
                                           "-b 2048 -N 8192 -O ^metadata_csum"));

}  // namespace
}  // namespace powercut::fs
