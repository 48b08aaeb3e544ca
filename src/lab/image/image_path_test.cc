#include "lab/image/image_path.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "block/memory_device.h"
#include "tests/support/e2fs_image.h"

namespace powercut::lab {
namespace {

namespace fs = std::filesystem;
using testing::E2fsImage;
using testing::TemporaryFolder;

TEST(ImageWord, IsSplitWhereTheImageEnds) {
  const std::set<std::string> files = {"a", "b:c", "dir/x.img", "d:", "e", "e:/f"};
  const auto is_file = [&](const std::string& name) { return files.contains(name); };
  struct Case {
    const char* word;
    const char* image;
    const char* path;
  };
  const Case cases[] = {
      {"a", "a", ""},
      {"a:", "a", ""},
      {"a:/etc", "a", "/etc"},
      {"a:x:y", "a", "x:y"},
      {"b:c", "b:c", ""},
      {"b:c:/d", "b:c", "/d"},
      {"dir/x.img:<12>", "dir/x.img", "<12>"},
      {"d:", "d:", ""},
      {"d::/x", "d:", "/x"},
      {"e:/f", "e:/f", ""},
      {"e:/g", "e", "/g"},
      {"none:/x", "none:/x", ""},
      {"", "", ""},
  };
  for (const Case& each : cases) {
    const ImageWord word = split_image_word(each.word, is_file);
    EXPECT_EQ(word.image, each.image) << each.word;
    EXPECT_EQ(word.path, each.path) << each.word;
  }
}

// One image for all: links of every kind, a loop, a chain of forty and one of forty-one.
class Paths : public ::testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_TOOL("mke2fs");
    TemporaryFolder folder;
    const fs::path tree = folder.path() / "tree";
    fs::create_directories(tree / "a/b/c");
    fs::create_directories(tree / "<12>");
    std::ofstream(tree / "a/b/file") << "x";
    std::ofstream(tree / "<12>/inside") << "x";
    fs::create_symlink("b/file", tree / "a/relative");
    fs::create_symlink("/a/b", tree / "a/b/c/absolute");
    fs::create_symlink("../b/./c//", tree / "a/b/up");
    fs::create_symlink("nowhere", tree / "dangling");
    fs::create_symlink("loop", tree / "loop");
    fs::create_symlink("../../../../../a", tree / "a/above");
    fs::create_directories(tree / "chain");
    std::ofstream(tree / "chain/0") << "x";
    for (int i = 1; i <= 41; ++i) {
      fs::create_symlink(std::to_string(i - 1), tree / "chain" / std::to_string(i));
    }
    image_.emplace(testing::ImageOptions{.mke2fs = "-b 1024", .tree = tree.string()});
    ASSERT_TRUE(image_->is_made()) << image_->log();
    device_.emplace(image_->bytes());
    auto volume = Volume::open(*device_);
    ASSERT_TRUE(volume);
    volume_.emplace(*volume);
  }

  std::string inode_by_debugfs(const std::string& path) {
    return std::to_string(
        testing::number_after(image_->debugfs("stat \"" + path + "\""), "Inode:").value_or(0));
  }
  // The inode's number, or the kind of error.
  std::string resolved(const std::string& path, LastSymlink last = LastSymlink::kIsFollowed) {
    const auto target = resolve_path(*volume_, path, last);
    if (!target) return std::string(errc_name(target.error().code));
    return std::to_string(target->number.value());
  }

  std::optional<E2fsImage> image_;
  std::optional<MemoryDevice> device_;
  std::optional<Volume> volume_;
};

TEST_F(Paths, LeadWhereTheKernelsWould) {
  const std::string file = inode_by_debugfs("/a/b/file"), b = inode_by_debugfs("/a/b"),
                    c = inode_by_debugfs("/a/b/c"), a = inode_by_debugfs("/a");
  ASSERT_NE(file, "0");
  const std::string none(errc_name(Errc::kNotFound)), limit(errc_name(Errc::kLimit));
  const std::pair<const char*, std::string> cases[] = {
      {"", "2"},
      {"/", "2"},
      {"..", "2"},
      {"/../..", "2"},
      {".", "2"},
      {"a/b/file", file},
      {"/a//b/./file", file},
      {"/a/b/c/../file", file},
      {"/a/b/", b},
      {"/a/b/file/", none},
      {"/a/b/file/..", none},
      {"/a/b/file/x", none},
      {"/a/none", none},
      {"/a/none/../b", none},
      {"/a/relative", file},
      {"/a/b/c/absolute/file", file},
      {"/a/b/c/absolute/..", a},
      {"/a/b/up", c},
      {"/a/b/up/..", b},
      {"/a/above", a},
      {"/dangling", none},
      {"/loop", limit},
      {"/loop/x", limit},
      {"/chain/40", inode_by_debugfs("/chain/0")},
      {"/chain/41", limit},
      {"/<12>/inside", inode_by_debugfs("/<12>/inside")},
      {"./<12>/inside", inode_by_debugfs("/<12>/inside")},
  };
  for (const auto& [path, expected] : cases) EXPECT_EQ(resolved(path), expected) << path;
}

TEST_F(Paths, TheLastSymlinkIsFollowedOrWanted) {
  const auto wanted = LastSymlink::kIsWanted;
  EXPECT_EQ(resolved("/a/relative", wanted), inode_by_debugfs("/a/relative"));
  EXPECT_NE(resolved("/a/relative", wanted), resolved("/a/relative"));
  EXPECT_EQ(resolved("/loop", wanted), inode_by_debugfs("/loop"));
  EXPECT_EQ(resolved("/dangling", wanted), inode_by_debugfs("/dangling"));
  EXPECT_EQ(resolved("/a/b/up/", wanted), inode_by_debugfs("/a/b/c")) << "a slash asks for it";
  EXPECT_EQ(resolved("/a/b/c/absolute/up", wanted), inode_by_debugfs("/a/b/up"));
  EXPECT_EQ(resolved("/a/relative/", wanted), errc_name(Errc::kNotFound)) << "not a directory";
}

TEST_F(Paths, InodesByNumber) {
  const std::string b = inode_by_debugfs("/a/b");
  EXPECT_EQ(resolved("<2>"), "2");
  EXPECT_EQ(resolved("<" + b + ">"), b);
  EXPECT_EQ(resolved("<" + b + ">/file"), inode_by_debugfs("/a/b/file"));
  EXPECT_EQ(resolved("<" + b + ">/.."), inode_by_debugfs("/a")) << "its own ..";
  EXPECT_EQ(resolved("<" + b + ">/c/../file"), inode_by_debugfs("/a/b/file"));
  EXPECT_EQ(resolved("<8>"), "8");
  EXPECT_EQ(resolved("<0>"), errc_name(Errc::kInvalid));
  EXPECT_EQ(resolved("<99999999>"), errc_name(Errc::kInvalid));
  EXPECT_EQ(resolved("<99999999999999>"), errc_name(Errc::kNotFound)) << "a name, and not there";
  EXPECT_EQ(resolved("<>"), errc_name(Errc::kNotFound));
}

TEST_F(Paths, TheNameIsTheUsers) {
  const auto name = [&](const std::string& path) {
    return resolve_path(*volume_, path, LastSymlink::kIsFollowed)->name;
  };
  EXPECT_EQ(name("/a/relative"), "relative");
  EXPECT_EQ(name("/a/b/"), "b");
  EXPECT_EQ(name("/"), "");
  EXPECT_EQ(name("/a/.."), "");
  EXPECT_EQ(name("<2>"), "");
  EXPECT_EQ(name("<2>/a"), "a");
  EXPECT_EQ(name("/<12>"), "<12>");
}

}  // namespace
}  // namespace powercut::lab
