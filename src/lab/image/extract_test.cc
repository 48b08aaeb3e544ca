// Extraction of what images should not hold, into destinations that change meanwhile.  That sound
// trees come out as they are is tested with the program (tests/commands).
#include "lab/image/extract.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>
#include <functional>
#include <set>

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "block/memory_device.h"
#include "host/file.h"
#include "host/machine.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/raw_ext4.h"

namespace powercut::lab {
namespace {

namespace fs = std::filesystem;
using testing::E2fsImage;
using testing::RawExt4;
using testing::TemporaryFolder;

struct Observed final : ExtractObserver {
  void progress(const ExtractCounts& counts) override {
    if (on_progress) on_progress(counts);
  }
  void trouble(const ExtractTrouble& trouble) override { troubles.push_back(trouble); }
  bool is_stopped() override { return stops && stops(); }

  std::function<void(const ExtractCounts&)> on_progress;
  std::function<bool()> stops;
  std::vector<ExtractTrouble> troubles;
};

// A disk of which some blocks of 1 KiB cannot be read.
class BadDisk final : public BlockView {
 public:
  BadDisk(const BlockView& disk, std::set<std::uint64_t> bad) : disk_(disk), bad_(std::move(bad)) {}
  std::uint64_t size_bytes() const override { return disk_.size_bytes(); }

 private:
  Result<void> do_read(std::uint64_t offset, MutableBytes into) const override {
    const auto first = bad_.lower_bound(offset / 1024);
    if (first != bad_.end() && *first * 1024 < offset + into.size()) {
      return fail(Errc::kIo, "bad block", *first);
    }
    return disk_.read(offset, into);
  }
  const BlockView& disk_;
  const std::set<std::uint64_t> bad_;
};

std::string text_of(const fs::path& path) {
  const auto text = read_text_file(path, std::uint64_t{64} << 20);
  return text ? *text : "unreadable";
}

class Extract : public ::testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_TOOL("debugfs");
    fs::create_directories(tree());
  }
  fs::path tree() const { return folder_.path() / "tree"; }
  fs::path out() const { return folder_.path() / "out"; }
  fs::path victim() const { return folder_.path() / "victim"; }

  E2fsImage packed(const std::string& mke2fs = "-b 1024") const {
    return E2fsImage({.mke2fs = mke2fs, .tree = tree().string()});
  }
  Result<ExtractOutcome> extract_from(const BlockView& view, const ExtractOptions& options = {}) {
    const auto volume = Volume::open(view);
    if (!volume) return Failure{volume.error()};
    const auto root = TRY(resolve_path(*volume, "/", LastSymlink::kIsFollowed));
    return extract(*volume, root, "/", out(), options, observed_);
  }
  Result<ExtractOutcome> extract_from(const std::vector<std::uint8_t>& bytes,
                                      const ExtractOptions& options = {}) {
    const MemoryDevice device(bytes);
    return extract_from(device, options);
  }

  TemporaryFolder folder_;
  Observed observed_;
};

TEST_F(Extract, ASwapForASymlinkLeadsNowhere) {
  for (const char* name : {"a/1", "a/b/2", "a/b/c/3", "z/4"}) {
    fs::create_directories((tree() / name).parent_path());
    std::ofstream(tree() / name) << name;
  }
  fs::create_directories(victim() / "b" / "c");
  E2fsImage image = packed();
  ASSERT_TRUE(image.is_made()) << image.log();
  // Each directory, as soon as it is there, goes elsewhere, and a symlink stands in its place.
  int swaps = 0;
  observed_.on_progress = [&](const ExtractCounts&) {
    for (const char* name : {"a", "z"}) {
      const fs::path path = out() / name;
      if (!fs::is_directory(fs::symlink_status(path))) continue;
      fs::rename(path, folder_.path() / ("moved-" + std::to_string(swaps++)));
      fs::create_directory_symlink(victim(), path);
    }
  };
  const auto outcome = extract_from(image.bytes());
  ASSERT_TRUE(outcome) << error_words(outcome.error());
  EXPECT_GE(swaps, 2);
  std::set<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(victim())) {
    found.insert(entry.path().lexically_relative(victim()).string());
  }
  EXPECT_EQ(found, (std::set<std::string>{"b", "b/c"})) << "nothing was written there";
  EXPECT_TRUE(fs::is_symlink(out() / "a"));
}

TEST_F(Extract, AHugeSparseFileCostsNothing) {
  std::ofstream(tree() / "huge") << std::string(5000, 'x');
  E2fsImage image = packed("-b 4096");
  ASSERT_TRUE(image.is_made());
  image.debugfs("set_inode_field /huge size 1099511627776", true);
  const auto outcome = extract_from(image.bytes());
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->end, ExtractEnd::kComplete);
  EXPECT_EQ(outcome->counts.data_bytes, 8192u) << "two blocks: the end lies far behind";
  struct stat status {};
  ASSERT_EQ(::stat((out() / "huge").c_str(), &status), 0);
  EXPECT_EQ(status.st_size, 1'099'511'627'776);
  EXPECT_LT(status.st_blocks, 100);
}

// The size may be more than this machine has a file for: then that one is left out.
TEST_F(Extract, AFileThatIsTooLongHereIsToldAndPassedOver) {
  std::ofstream(tree() / "a_long") << "x";
  std::ofstream(tree() / "other") << "y";
  E2fsImage image = packed();
  auto raw = RawExt4::open(image.bytes());
  ASSERT_TRUE(raw);
  const auto number = testing::number_after(image.debugfs("stat /a_long"), "Inode:");
  const InodeNo inode(static_cast<std::uint32_t>(*number));
  auto changed = Inode::parse(raw->inode(inode), inode, raw->superblock);
  changed->size = std::uint64_t{1} << 62;
  changed->encode(raw->inode(inode), inode, raw->superblock);
  // Linux has no file over 2^63 - 1 bytes, ext4 none over 16 TiB, tmpfs some of 2^62.
  const auto outcome = extract_from(raw->bytes);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->end, ExtractEnd::kComplete);
  EXPECT_EQ(outcome->counts.files + outcome->counts.failed, 2u);
  EXPECT_EQ(observed_.troubles.size(), outcome->counts.failed);
  EXPECT_EQ(text_of(out() / "other"), "y");
}

TEST_F(Extract, LoopsOfDirectoriesEnd) {
  fs::create_directories(tree() / "a" / "b");
  std::ofstream(tree() / "a" / "b" / "file") << "x";
  E2fsImage image = packed();
  image.debugfs("ln /a /a/b/loop\nln / /a/root\n", true);
  const auto outcome = extract_from(image.bytes());
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->end, ExtractEnd::kComplete);
  EXPECT_EQ(outcome->counts.directories, 4u);  // with lost+found
  EXPECT_EQ(outcome->counts.damaged, 2u);
  EXPECT_EQ(observed_.troubles.size(), 2u);
  EXPECT_FALSE(fs::exists(out() / "a/b/loop"));
  EXPECT_EQ(text_of(out() / "a/b/file"), "x");
}

// Five files of 4 MiB in an image of 16 MiB: they share their blocks.
TEST_F(Extract, MoreDataThanTheFileSystemHasIsNotWritten) {
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    std::ofstream(tree() / name) << std::string(*name == 'a' ? 4 << 20 : 1, 'x');
  }
  E2fsImage image = packed();
  ASSERT_TRUE(image.is_made());
  auto raw = RawExt4::open(image.bytes());
  const auto number_of = [&](const std::string& path) {
    const auto number = testing::number_after(image.debugfs("stat " + path), "Inode:");
    return InodeNo(static_cast<std::uint32_t>(*number));
  };
  const auto model = Inode::parse(raw->inode(number_of("/a")), number_of("/a"), raw->superblock);
  for (const char* name : {"/b", "/c", "/d", "/e"}) {
    const InodeNo number = number_of(name);
    auto inode = Inode::parse(raw->inode(number), number, raw->superblock);
    inode->block_area = model->block_area;
    inode->size = model->size;
    inode->encode(raw->inode(number), number, raw->superblock);
  }
  const auto outcome = extract_from(raw->bytes);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->end, ExtractEnd::kTooMuchData);
  EXPECT_EQ(outcome->error.code, Errc::kCorrupt);
  EXPECT_LE(outcome->counts.data_bytes, std::uint64_t{16} << 20);
  EXPECT_EQ(outcome->counts.files, 4u);
  std::uint64_t found = 0;
  for (const auto& entry : fs::directory_iterator(out())) {
    if (!entry.is_regular_file()) continue;
    EXPECT_EQ(entry.file_size(), 4u << 20) << "whole files only";
    ++found;
  }
  EXPECT_EQ(found, 4u);

  fs::remove_all(out());
  const auto allowed = extract_from(raw->bytes, {.bytes_max = std::uint64_t{20} << 20});
  ASSERT_TRUE(allowed);
  EXPECT_EQ(allowed->end, ExtractEnd::kComplete);
  EXPECT_EQ(allowed->counts.data_bytes, 20u << 20);

  fs::remove_all(out());
  const auto bounded = extract_from(raw->bytes, {.bytes_max = (std::uint64_t{4} << 20) - 1});
  ASSERT_TRUE(bounded);
  EXPECT_EQ(bounded->end, ExtractEnd::kTooMuchData);
  EXPECT_EQ(bounded->error.code, Errc::kLimit);
  EXPECT_EQ(bounded->counts.files, 0u);
}

TEST_F(Extract, TwoEqualNamesAreOneName) {
  std::ofstream(tree() / "aa") << "first";
  std::ofstream(tree() / "bb") << "second";
  E2fsImage image = packed();
  auto raw = RawExt4::open(image.bytes());
  const BlockNo place = raw->first_extent(kRootInode).device;
  const OwnerSeed owner = OwnerSeed::make(
      raw->superblock, kRootInode,
      Inode::parse(raw->inode(kRootInode), kRootInode, raw->superblock)->generation);
  auto block = DirectoryBlock::parse(raw->block(place), place, owner, raw->superblock);
  ASSERT_TRUE(block);
  for (DirectoryRecord& record : block->records) {
    if (record.name == "bb") record.name = "aa";
  }
  block->encode(raw->block(place), owner, raw->superblock);
  const auto outcome = extract_from(raw->bytes);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->end, ExtractEnd::kComplete);
  EXPECT_EQ(outcome->counts.files, 1u);
  EXPECT_EQ(outcome->counts.failed, 1u);
  ASSERT_EQ(observed_.troubles.size(), 1u);
  EXPECT_EQ(observed_.troubles[0].path, "/aa");
  EXPECT_EQ(observed_.troubles[0].error.code, Errc::kExists);
}

TEST_F(Extract, WhatCannotBeReadIsAHoleAndTold) {
  std::string content;
  for (int i = 0; i < 3000; ++i)
    content += std::string(1023, static_cast<char>('a' + i % 26)) + "\n";
  std::ofstream(tree() / "bad") << content;
  std::ofstream(tree() / "good") << "good";
  E2fsImage image = packed();
  const auto bytes = image.bytes();
  const MemoryDevice device(bytes);
  auto raw = RawExt4::open(bytes);
  const auto number = testing::number_after(image.debugfs("stat /bad"), "Inode:");
  const std::uint64_t first =
      raw->first_extent(InodeNo(static_cast<std::uint32_t>(*number))).device.value();
  const BadDisk bad(device, {first, first + 7, first + 2000});
  const auto outcome = extract_from(bad);
  ASSERT_TRUE(outcome) << error_words(outcome.error());
  EXPECT_EQ(outcome->end, ExtractEnd::kComplete);
  EXPECT_EQ(outcome->counts.damaged, 1u);
  ASSERT_EQ(observed_.troubles.size(), 1u);
  EXPECT_EQ(observed_.troubles[0].path, "/bad");
  for (const std::size_t block : {0u, 7u, 2000u}) {
    content.replace(block * 1024, 1024, std::string(1024, '\0'));
  }
  EXPECT_TRUE(text_of(out() / "bad") == content);
  EXPECT_EQ(text_of(out() / "good"), "good");
}

TEST_F(Extract, DamagedInodesHideOnlyThemselves) {
  fs::create_directories(tree() / "d");
  for (const char* name : {"a", "b", "d/c"}) std::ofstream(tree() / name) << name;
  E2fsImage image = packed();
  auto raw = RawExt4::open(image.bytes());
  const auto number = testing::number_after(image.debugfs("stat /a"), "Inode:");
  raw->inode(InodeNo(static_cast<std::uint32_t>(*number)))[8] ^= 1;
  const auto outcome = extract_from(raw->bytes);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->counts.files, 2u);
  EXPECT_EQ(outcome->counts.damaged, 1u);
  EXPECT_FALSE(fs::exists(out() / "a"));
  EXPECT_EQ(text_of(out() / "d/c"), "d/c");
}

// What was met before is whole, with its attributes; the file in the making is gone.
TEST_F(Extract, StoppedInTheMiddleOfAFile) {
  fs::create_directories(tree() / "d");
  std::ofstream(tree() / "before") << "whole";
  std::ofstream(tree() / "d" / "large") << std::string(5 << 20, 'x');
  std::ofstream(tree() / "d" / "never") << "y";
  fs::permissions(tree() / "d", fs::perms(0751));
  E2fsImage image = packed();
  ASSERT_TRUE(image.is_made()) << image.log();
  bool is_stopped = false;
  observed_.on_progress = [&](const ExtractCounts& counts) {
    is_stopped = counts.data_bytes >= 3u << 20;
  };
  observed_.stops = [&] { return is_stopped; };
  const auto outcome = extract_from(image.bytes());
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->end, ExtractEnd::kStopped);
  EXPECT_EQ(text_of(out() / "before"), "whole");
  EXPECT_TRUE(fs::is_directory(out() / "d"));
  EXPECT_EQ(fs::status(out() / "d").permissions(), fs::perms(0751));
  EXPECT_FALSE(fs::exists(out() / "d" / "large"));
  EXPECT_EQ(outcome->counts.failed, 0u);
  EXPECT_TRUE(observed_.troubles.empty());
}

TEST_F(Extract, AFullDiskEndsIt) {
  if (!is_root()) GTEST_SKIP() << "needs root: mounts a small file system";
  std::ofstream(tree() / "1_small") << "whole";
  std::ofstream(tree() / "2_large") << std::string(6 << 20, 'x');
  std::ofstream(tree() / "3_after") << "z";
  E2fsImage image = packed();
  fs::create_directories(out());
  const pid_t child = ::fork();
  if (child == 0) {
    // In a mount namespace of its own: nothing is left.
    if (::unshare(CLONE_NEWNS) != 0) ::_exit(100);
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) ::_exit(100);
    if (::mount("none", out().c_str(), "tmpfs", 0, "size=3m") != 0) ::_exit(100);
    const auto outcome = extract_from(image.bytes());
    const bool is_right = outcome && outcome->end == ExtractEnd::kDestinationFailed &&
                          outcome->error.code == Errc::kNoSpace && outcome->counts.failed == 1 &&
                          observed_.troubles.size() == 1 &&
                          observed_.troubles[0].path == "/2_large" &&
                          text_of(out() / "1_small") == "whole" && !fs::exists(out() / "2_large");
    ::_exit(is_right ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  if (WEXITSTATUS(status) == 100) GTEST_SKIP() << "no mounts here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(Extract, OneFileGoesIntoTheDestination) {
  fs::create_directories(tree() / "d");
  std::ofstream(tree() / "d" / "file") << "x";
  fs::create_symlink("d/file", tree() / "link");
  E2fsImage image = packed();
  const MemoryDevice device(image.bytes());
  const auto volume = Volume::open(device);
  const auto take = [&](const std::string& path, LastSymlink last) {
    fs::remove_all(out());
    const auto target = resolve_path(*volume, path, last);
    return extract(*volume, *target, path, out(), {}, observed_)->counts;
  };
  EXPECT_EQ(take("/d/file", LastSymlink::kIsFollowed).files, 1u);
  EXPECT_EQ(text_of(out() / "file"), "x");
  EXPECT_EQ(take("/link", LastSymlink::kIsFollowed).files, 1u);
  EXPECT_EQ(text_of(out() / "link"), "x") << "under the name that the user gave";
  EXPECT_EQ(take("/link", LastSymlink::kIsWanted).symlinks, 1u);
  EXPECT_EQ(fs::read_symlink(out() / "link"), "d/file");
  const std::string inode =
      std::to_string(resolve_path(*volume, "/d/file", LastSymlink::kIsWanted)->number.value());
  EXPECT_EQ(take("<" + inode + ">", LastSymlink::kIsWanted).files, 1u);
  EXPECT_EQ(text_of(out() / ("inode-" + inode)), "x");
  EXPECT_TRUE(observed_.troubles.empty());
}

TEST_F(Extract, TheDestinationIsNotTakenIfItHoldsSomething) {
  E2fsImage image = packed();
  fs::create_directories(out() / "x");
  const auto outcome = extract_from(image.bytes());
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::kExists);
}

}  // namespace
}  // namespace powercut::lab
