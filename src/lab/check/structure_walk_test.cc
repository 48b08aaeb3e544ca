// The structure judge that follows changes says of every state what one says that begins with it:
// over random walks through good and damaged states, of file systems with 2,000 files.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "lab/check/structure_test_walker.h"
#include "tests/support/e2fs_image.h"

namespace powercut::lab {
namespace {

using structure_testing::contents_of;
using structure_testing::Walker;
using testing::E2fsImage;
using testing::TemporaryFolder;

struct ImageKind {
  const char* name;
  const char* mke2fs;
  std::uint32_t block_bytes;
};

// Commands for debugfs that change all kinds of structures: the image after them is another time of
// the same file system.
std::string changes() {
  std::string text;
  for (int i = 0; i < 300; ++i)
    text += fmt::format("rm many/name-{}{}\n", 7 * i,
                        std::string(static_cast<std::size_t>(7 * i) % 40, 'x'));
  for (int i = 0; i < 40; ++i) text += fmt::format("mkdir dir-{}\n", i);
  for (int i = 0; i < 200; ++i)
    text += fmt::format("symlink dir-{}/link-{} target-{}\n", i % 40, i, i);
  for (int i = 0; i < 60; ++i) {
    text += fmt::format("ln sparse dir-{}/hard-{}\nsif sparse links_count {}\n", i % 40, i, i + 2);
  }
  text += "punch sparse 20 60\nea_set sparse user.one value\nea_set long_link trusted.two value\n";
  text += "rmdir dir-3\nmknod dir-5/pipe p\n";
  return text;
}

class StructureWalk : public ::testing::TestWithParam<ImageKind> {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder();
    testing::make_tree(folder_->path() / "tree", 2000);
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }
  static std::string tree() { return (folder_->path() / "tree").string(); }

 private:
  static inline TemporaryFolder* folder_ = nullptr;
};

TEST_P(StructureWalk, EqualsANewJudge) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_TOOL("debugfs");
  const E2fsImage made({.mke2fs = GetParam().mke2fs, .size = "24M", .tree = tree()});
  ASSERT_TRUE(made.is_made()) << made.log();
  made.fsck("-fyD");  // makes the indexes of large directories
  ContentPool pool(GetParam().block_bytes, std::uint64_t{1} << 30);
  auto first = contents_of(pool, made.bytes());
  made.debugfs(changes(), true);
  auto second = contents_of(pool, made.bytes());
  ASSERT_NE(first, second);
  Walker walker(pool, std::move(first), std::move(second), false);
  ASSERT_EQ(walker.followed(), "clean\n");
  EXPECT_EQ(walker.walk(20261125, 60), "");
}

INSTANTIATE_TEST_SUITE_P(
    All, StructureWalk,
    ::testing::Values(ImageKind{"debian", "-b 4096", 4096},
                      ImageKind{"small_blocks", "-b 1024", 1024},
                      ImageKind{"indirect", "-b 1024 -O ^extent,^64bit", 1024},
                      ImageKind{"inline_data", "-b 4096 -O inline_data", 4096},
                      ImageKind{"orphan_file", "-b 4096 -O orphan_file,metadata_csum_seed", 4096},
                      ImageKind{"no_checksums", "-b 1024 -O ^metadata_csum,^uninit_bg", 1024},
                      ImageKind{"no_checksums_large", "-b 4096 -O ^metadata_csum,uninit_bg", 4096},
                      ImageKind{"value_inodes", "-b 1024 -O ea_inode,^metadata_csum", 1024}),
    [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace powercut::lab
