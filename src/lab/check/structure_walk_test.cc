// The structure judge that follows changes says of every state what one says that begins with it:
// over random walks through good and damaged states, of file systems with 2,000 files.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/prng.h"
#include "lab/check/structure_test_support.h"
#include "tests/support/e2fs_image.h"

namespace powercut::lab {
namespace {

using structure_testing::contents_of;
using structure_testing::words_of;
using structure_testing::words_of_new_judge;
using testing::E2fsImage;
using testing::TemporaryFolder;

struct Kind {
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

class StructureWalk : public ::testing::TestWithParam<Kind> {
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

// Changes one image again and again; what was changed last can be taken back.
class Walker {
 public:
  Walker(ContentPool& pool, std::vector<ContentId> first, std::vector<ContentId> second)
      : pool_(pool), first_(std::move(first)), second_(std::move(second)), image_(pool, first_) {
    for (std::uint64_t i = 0; i < first_.size(); ++i) {
      if (first_[i] != second_[i]) changing_.emplace_back(i);
      if (first_[i] != kZeroContent) used_.emplace_back(i);
    }
    judge_.begin(image_);
  }

  // `count` blocks get something else.
  void step(Prng& prng, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      const BlockNo block = pick(prng);
      put(block, content_for(prng, block));
    }
  }
  // All blocks go back to one of the two good states.
  void go_home(bool to_first) {
    const std::vector<ContentId>& home = to_first ? first_ : second_;
    for (std::uint64_t i = 0; i < home.size(); ++i) put(BlockNo(i), home[i]);
  }
  std::string followed() {
    const bool is_clean = judge_.settle();
    return words_of(judge_, is_clean);
  }
  std::string begun() const { return words_of_new_judge(image_); }

 private:
  BlockNo pick(Prng& prng) const {
    const auto& from = prng.below(3) == 0 ? used_ : changing_;
    return from[prng.below(from.size())];
  }
  ContentId content_for(Prng& prng, BlockNo block) {
    switch (prng.below(8)) {
      case 0: return kZeroContent;
      case 1: return image_.at(pick(prng));
      case 2: return flipped(prng, block);
      case 3:
      case 4: return first_[block.value()];
      default: return second_[block.value()];
    }
  }
  ContentId flipped(Prng& prng, BlockNo block) {
    const Bytes now = image_.bytes(block);
    std::vector<std::uint8_t> bytes(now.begin(), now.end());
    bytes[prng.below(bytes.size())] ^= static_cast<std::uint8_t>(1u << prng.below(8));
    return pool_.add(bytes).value();
  }
  void put(BlockNo block, ContentId content) {
    const ContentId before = image_.at(block);
    if (before == content) return;
    image_.set(block, content);
    judge_.change(block, before, content);
  }

  ContentPool& pool_;
  const std::vector<ContentId> first_, second_;
  std::vector<BlockNo> changing_, used_;
  StateImage image_;
  StructureJudge judge_;
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
  Walker walker(pool, std::move(first), std::move(second));
  ASSERT_EQ(walker.followed(), "clean\n");
  constexpr std::uint64_t kSeed = 20261125;
  Prng prng(kSeed);
  for (int step = 0; step < 100; ++step) {
    SCOPED_TRACE(fmt::format("seed {} step {}", kSeed, step));
    walker.step(prng, 1 + prng.below(prng.below(10) == 0 ? 60 : 4));
    ASSERT_EQ(walker.followed(), walker.begun());
    if (prng.below(12) != 0) continue;
    const bool to_first = prng.below(2) == 0;
    walker.go_home(to_first);
    const std::string words = walker.followed();
    ASSERT_EQ(words, walker.begun());
    if (to_first) {
      ASSERT_EQ(words, "clean\n");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, StructureWalk,
    ::testing::Values(Kind{"debian", "-b 4096", 4096}, Kind{"small_blocks", "-b 1024", 1024},
                      Kind{"indirect", "-b 1024 -O ^extent,^64bit", 1024},
                      Kind{"inline_data", "-b 4096 -O inline_data", 4096},
                      Kind{"orphan_file", "-b 4096 -O orphan_file,metadata_csum_seed", 4096},
                      Kind{"no_checksums", "-b 1024 -O ^metadata_csum,^uninit_bg", 1024},
                      Kind{"no_checksums_large", "-b 4096 -O ^metadata_csum,uninit_bg", 4096},
                      Kind{"value_inodes", "-b 1024 -O ea_inode,^metadata_csum", 1024}),
    [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace powercut::lab
