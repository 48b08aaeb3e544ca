#include "lab/image/tree_walk.h"

#include <gtest/gtest.h>

#include <fstream>

#include "block/memory_device.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/raw_ext4.h"

namespace powercut::lab {
namespace {

namespace fs = std::filesystem;
using testing::E2fsImage;
using testing::RawExt4;
using testing::TemporaryFolder;

// Notes all that it is told, a word each: ">a" entered, "a" seen, "<a" left, "!path rule".
class Noted final : public TreeVisitor {
 public:
  Result<bool> enter(const TreeWalk& walk, const WalkedName&) override {
    words += " >" + walk.path_of();
    return words.find("/" + passed_over) == std::string::npos || passed_over.empty() ||
           walk.path_of() != "/" + passed_over;
  }
  Result<bool> visit(const TreeWalk& walk, const WalkedName& name) override {
    words += " " + std::string(name.name) + (name.is_last ? "." : "");
    if (name.name == stops_at) return fail(Errc::kAborted, "stopped");
    paths.push_back(walk.path_of(name.name));
    return true;
  }
  Result<void> leave(const TreeWalk& walk, const WalkedName&) override {
    words += " <" + walk.path_of();
    return {};
  }
  void trouble(const std::string& path, const Error& error) override {
    troubles.push_back(path + ": " + error.what);
  }

  std::string stops_at, passed_over;
  std::string words;
  std::vector<std::string> paths, troubles;
};

struct Walked {
  Noted noted;
  Result<void> outcome;
};

Walked walk(const std::vector<std::uint8_t>& bytes, const WalkOptions& options,
            const std::string& stops_at = "", const std::string& passed_over = "") {
  const MemoryDevice device(bytes);
  const auto volume = Volume::open(device);
  Walked walked;
  walked.noted.stops_at = stops_at;
  walked.noted.passed_over = passed_over;
  walked.outcome =
      TreeWalk(*volume, "/", options).run(kRootInode, *volume->inode(kRootInode), walked.noted);
  return walked;
}

E2fsImage small_tree(const std::string& mke2fs = "-b 1024") {
  TemporaryFolder folder;
  const fs::path tree = folder.path() / "tree";
  fs::create_directories(tree / "b/d");
  fs::create_directories(tree / "c");
  std::ofstream(tree / "a").flush();
  std::ofstream(tree / "b/x").flush();
  std::ofstream(tree / "b/d/y").flush();
  std::ofstream(tree / "Z").flush();
  return E2fsImage({.mke2fs = mke2fs, .tree = tree.string()});
}

TEST(TreeWalk, Orders) {
  SKIP_WITHOUT_TOOL("debugfs");
  E2fsImage image = small_tree();
  ASSERT_TRUE(image.is_made()) << image.log();
  image.debugfs("rmdir lost+found", true);
  const auto bytes = image.bytes();
  EXPECT_EQ(walk(bytes, {}).noted.words, " >/ Z a b >/b d >/b/d y. </b/d x. </b c. >/c </c </");
  EXPECT_EQ(walk(bytes, {.order = WalkOrder::kByNameLevelwise}).noted.words,
            " >/ Z a b c. >/b d x. >/b/d y. </b/d </b >/c </c </");
  const auto by_inode = walk(bytes, {.order = WalkOrder::kByInodeLevelwise}).noted;
  const MemoryDevice device(bytes);
  const auto volume = Volume::open(device);
  std::uint32_t last = 0;
  for (const std::string& path : by_inode.paths) {
    if (path.rfind('/') != 0) break;  // those of the root come first
    const std::uint32_t number = volume->find(path)->value();
    EXPECT_GT(number, last) << path;
    last = number;
  }
  EXPECT_EQ(by_inode.paths.size(), 7u);
}

TEST(TreeWalk, Options) {
  SKIP_WITHOUT_TOOL("debugfs");
  E2fsImage image = small_tree();
  ASSERT_TRUE(image.is_made()) << image.log();
  image.debugfs("rmdir lost+found", true);
  const auto bytes = image.bytes();
  EXPECT_EQ(walk(bytes, {.depth_max = 1}).noted.words, " >/ Z a b c. </");
  EXPECT_EQ(walk(bytes, {.depth_max = 2}).noted.words, " >/ Z a b >/b d x. </b c. >/c </c </");
  EXPECT_EQ(walk(bytes, {.has_dots = true, .depth_max = 1}).noted.words, " >/ . .. Z a b c. </");
  EXPECT_EQ(walk(bytes, {}, "", "b").noted.words, " >/ Z a b >/b c. >/c </c </");
  const auto stopped = walk(bytes, {}, "x");
  ASSERT_FALSE(stopped.outcome);
  EXPECT_EQ(stopped.outcome.error().code, Errc::kAborted);
  EXPECT_EQ(stopped.noted.words, " >/ Z a b >/b d >/b/d y. </b/d x.");

  const MemoryDevice device(bytes);
  const auto volume = Volume::open(device);
  const InodeNo file = *volume->find("/a");
  Noted noted;
  const auto refused = TreeWalk(*volume, "/a").run(file, *volume->inode(file), noted);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kInvalid);
}

TEST(TreeWalk, LoopsAndSecondNamesOfDirectoriesEnd) {
  SKIP_WITHOUT_TOOL("debugfs");
  E2fsImage image = small_tree();
  image.debugfs("rmdir lost+found\nln /b /b/d/loop\nln / /b/root\nln /b/d /c/second\n", true);
  for (const WalkOrder order :
       {WalkOrder::kByName, WalkOrder::kByNameLevelwise, WalkOrder::kByInodeLevelwise}) {
    const auto walked = walk(image.bytes(), {.order = order});
    EXPECT_TRUE(walked.outcome);
    EXPECT_EQ(walked.noted.paths.size(), 10u);
    EXPECT_EQ(walked.noted.troubles.size(), 3u);
    for (const std::string& trouble : walked.noted.troubles) {
      EXPECT_NE(trouble.find("met again"), std::string::npos) << trouble;
    }
  }
}

TEST(TreeWalk, DamageHidesOnlyItself) {
  SKIP_WITHOUT_TOOL("debugfs");
  E2fsImage image = small_tree();
  ASSERT_TRUE(image.is_made());
  auto raw = RawExt4::open(image.bytes());
  ASSERT_TRUE(raw);
  const MemoryDevice device(raw->bytes);
  const auto volume = Volume::open(device);
  const InodeNo a = *volume->find("/a"), d = *volume->find("/b/d");
  raw->inode(a)[4] ^= 1;
  raw->block(raw->first_extent(d).device)[30] ^= 1;
  const auto walked = walk(raw->bytes, {});
  EXPECT_TRUE(walked.outcome);
  EXPECT_EQ(
      walked.noted.words,
      " >/ Z a b >/b d >/b/d </b/d x. </b c >/c </c lost+found. >/lost+found </lost+found </");
  ASSERT_EQ(walked.noted.troubles.size(), 2u);
  EXPECT_EQ(walked.noted.troubles[0], "/a: inode: checksum");
  EXPECT_EQ(walked.noted.troubles[1], "/b/d: directory block: checksum");
}

TEST(TreeWalk, DepthIsBounded) {
  SKIP_WITHOUT_TOOL("debugfs");
  E2fsImage image({.mke2fs = "-b 1024 -N 4096"});
  ASSERT_TRUE(image.is_made());
  std::string commands = "rmdir lost+found\n";
  for (std::uint32_t i = 0; i < TreeWalk::kDepthMax + 3; ++i) commands += "mkdir d\ncd d\n";
  image.debugfs(commands, true);
  const auto walked = walk(image.bytes(), {});
  EXPECT_TRUE(walked.outcome);
  EXPECT_EQ(walked.noted.paths.size(), TreeWalk::kDepthMax + 1);
  ASSERT_EQ(walked.noted.troubles.size(), 1u);
  EXPECT_NE(walked.noted.troubles[0].find("directory: too deep"), std::string::npos);
}

}  // namespace
}  // namespace powercut::lab
