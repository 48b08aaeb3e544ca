// Operations whose meaning a random walk does not show: what is inherited, what is refused, what is
// left when an inode is open without a name, when space ends, and beside other threads.
#include "fs/operations.h"

#include <gtest/gtest.h>

#include <thread>

#include "fs/orphans.h"
#include "fs/path.h"
#include "tests/support/mounted_image.h"
#include "tests/support/tree_model.h"

namespace powercut::fs {
namespace {

constexpr std::uint32_t kImmutable = 0x10, kAppendOnly = 0x20, kNoAtime = 0x80;

class Operations : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_TOOL("mke2fs");
    disk_ = std::make_unique<TestMount>(GetParam(), "16M");
    begin();
  }
  void TearDown() override {
    if (!disk_) return;
    root_.reset();
    if (disk_->mounted) disk_->unmount();
    EXPECT_TRUE(is_clean(disk_->device.bytes()));
  }
  void begin() {
    disk_->mount();
    root_ = *core().nodes->get(kRootInode);
  }
  // The power is cut, and the disk is mounted again.
  void cut() {
    root_.reset();
    auto left = disk_->crashed();
    disk_->mounted.reset();
    disk_ = std::make_unique<TestMount>(std::move(left));
    begin();
  }
  Core& core() { return disk_->core(); }
  unsigned mode_of(const NodeRef& node) { return status_of(core(), *node).inode.mode & 07777u; }
  NodeRef file(const std::string& name) {
    const auto made = make_file(core(), *root_, name, {});
    EXPECT_TRUE(made) << error_words(made.error());
    return *made;
  }
  std::uint64_t free_blocks() { return core().groups->free_blocks(); }

  std::unique_ptr<TestMount> disk_;
  NodeRef root_;
};

TEST_P(Operations, OpenWithoutANameUntilItsClose) {
  const std::uint64_t before = free_blocks();
  const NodeRef node = file("gone");
  ASSERT_TRUE(open_node(*node));
  ASSERT_TRUE(write_file(core(), *node, 0, pattern(50'000, 1)));
  ASSERT_TRUE(remove_file(core(), *root_, "gone"));
  EXPECT_EQ(core().orphans->count(), 1u);
  std::vector<std::uint8_t> back(50'000);
  EXPECT_EQ(*read_file(core(), *node, 0, back), 50'000u);
  EXPECT_EQ(back, pattern(50'000, 1));
  EXPECT_LT(free_blocks(), before);
  ASSERT_TRUE(close_node(core(), node));
  EXPECT_EQ(core().orphans->count(), 0u);
  EXPECT_EQ(free_blocks(), before);
  EXPECT_EQ(open_node(*node).error().code, Errc::kNotFound);
}

TEST_P(Operations, OrphansAreDeletedByTheNextMount) {
  const std::uint64_t before = free_blocks();
  std::vector<NodeRef> held;
  for (int i = 0; i < 6; ++i) {
    held.push_back(file("f" + std::to_string(i)));
    ASSERT_TRUE(open_node(*held.back()));
    ASSERT_TRUE(write_file(core(), *held.back(), 0, pattern(5'000, 2)));
    ASSERT_TRUE(remove_file(core(), *root_, "f" + std::to_string(i)));
  }
  // One from the middle of the list, and the newest.
  ASSERT_TRUE(close_node(core(), held[2]));
  ASSERT_TRUE(close_node(core(), held[5]));
  ASSERT_TRUE(disk_->mounted->sync());
  held.clear();
  cut();
  EXPECT_EQ(core().orphans->count(), 0u);
  EXPECT_EQ(free_blocks(), before);
}

TEST_P(Operations, DirectoriesGiveTheirGroupAndFlags) {
  const NodeRef parent = *make_directory(core(), *root_, "d", {.permissions = 02775, .gid = 77});
  ASSERT_TRUE(set_flags(core(), *parent, flags_of(*parent) | kNoAtime));
  const NodeRef below = *make_directory(core(), *parent, "below", {.permissions = 0755});
  EXPECT_EQ(mode_of(below), 02755u);
  EXPECT_EQ(status_of(core(), *below).inode.gid, 77u);
  const NodeRef inside = *make_file(core(), *below, "f", {});
  EXPECT_EQ(status_of(core(), *inside).inode.gid, 77u);
  EXPECT_NE(flags_of(*inside) & kNoAtime, 0u);
}

TEST_P(Operations, ImmutableAndAppendOnly) {
  const NodeRef node = file("fixed");
  const std::uint32_t flags = flags_of(*node);
  ASSERT_TRUE(set_flags(core(), *node, flags | kImmutable));
  EXPECT_EQ(remove_file(core(), *root_, "fixed").error().code, Errc::kNotPermitted);
  EXPECT_EQ(rename(core(), {*root_, "fixed"}, {*root_, "other"}, RenameHow::kReplace).error().code,
            Errc::kNotPermitted);
  EXPECT_EQ(make_link(core(), node, *root_, "other").error().code, Errc::kNotPermitted);
  EXPECT_EQ(change_status(core(), *node, {.permissions = 0}).error().code, Errc::kNotPermitted);
  ASSERT_TRUE(set_flags(core(), *node, flags));
  EXPECT_FALSE(set_flags(core(), *node, flags ^ 0x80000)) << "no longer extents";
  const NodeRef directory = *make_directory(core(), *root_, "log", {});
  ASSERT_TRUE(make_file(core(), *directory, "old", {}));
  ASSERT_TRUE(set_flags(core(), *directory, flags_of(*directory) | kAppendOnly));
  EXPECT_TRUE(make_file(core(), *directory, "new", {}));
  EXPECT_EQ(remove_file(core(), *directory, "old").error().code, Errc::kNotPermitted);
  ASSERT_TRUE(set_flags(core(), *directory, flags_of(*directory) & ~kAppendOnly));
}

TEST_P(Operations, OwnersAndTimes) {
  const NodeRef node = *make_file(core(), *root_, "f", {.permissions = 06755});
  ASSERT_TRUE(change_status(core(), *node, {.uid = 70'000, .gid = 80'000}));
  Status status = status_of(core(), *node);
  EXPECT_EQ(status.inode.uid, 70'000u);
  EXPECT_EQ(status.inode.gid, 80'000u);
  EXPECT_EQ(mode_of(node), 0755u);
  const Timestamp time{12'345, 678};
  ASSERT_TRUE(change_status(core(), *node, {.access_time = time, .modify_time = time}));
  status = status_of(core(), *node);
  EXPECT_EQ(status.inode.access_time.seconds, 12'345);
  EXPECT_EQ(status.inode.modify_time.seconds, 12'345);
}

TEST_P(Operations, DevicesAndPaths) {
  const NodeRef directory = *make_directory(core(), *root_, "dev", {});
  using enum InodeType;
  ASSERT_TRUE(make_special(core(), *directory, "null", kCharacterDevice, {1, 3}, {}));
  ASSERT_TRUE(make_special(core(), *directory, "big", kBlockDevice, {300, 70'000}, {}));
  ASSERT_TRUE(make_symlink(core(), *root_, "there", "/dev/../dev", {}));
  const NodeRef null = *find_path(core(), "/there/null", LastSymlink::kFollow);
  EXPECT_EQ(status_of(core(), *null).device.minor, 3u);
  const NodeRef big = *find_path(core(), "dev/./big", LastSymlink::kFollow);
  EXPECT_EQ(status_of(core(), *big).device.major, 300u);
  EXPECT_EQ(status_of(core(), *big).device.minor, 70'000u);
  EXPECT_EQ((*find_path(core(), "/there", LastSymlink::kFollow)).get(), directory.get());
  EXPECT_EQ(*read_symlink(core(), **find_path(core(), "/there", LastSymlink::kKeep)),
            "/dev/../dev");
  EXPECT_EQ(find_path(core(), "/dev/null/x", LastSymlink::kKeep).error().code, Errc::kNotDirectory);
  ASSERT_TRUE(make_symlink(core(), *root_, "round", "round", {}));
  EXPECT_EQ(find_path(core(), "/round", LastSymlink::kFollow).error().code, Errc::kLimit);
  const auto parent = find_parent(core(), "/there/new");
  ASSERT_TRUE(parent);
  EXPECT_EQ(parent->directory.get(), directory.get());
  EXPECT_EQ(parent->name, "new");
}

TEST_P(Operations, ADirectoryThatWasRemovedTakesNoNames) {
  const NodeRef gone = *make_directory(core(), *root_, "gone", {});
  ASSERT_TRUE(open_node(*gone));
  ASSERT_TRUE(remove_directory(core(), *root_, "gone"));
  EXPECT_EQ(make_file(core(), *gone, "f", {}).error().code, Errc::kNotFound);
  const NodeRef node = file("f");
  EXPECT_EQ(make_link(core(), node, *gone, "f").error().code, Errc::kNotFound);
  EXPECT_EQ(rename(core(), {*root_, "f"}, {*gone, "f"}, RenameHow::kReplace).error().code,
            Errc::kNotFound);
  ASSERT_TRUE(close_node(core(), gone));
}

TEST_P(Operations, NoSpaceChangesNothing) {
  const NodeRef filler = file("filler");
  const auto piece = pattern(64 * 1024, 3);
  for (std::uint64_t at = 0;; at += piece.size()) {
    const auto written = write_file(core(), *filler, at, piece);
    if (!written || *written < piece.size()) break;
  }
  const NodeRef directory = root_;
  int made = 0, directories = 0;
  std::optional<Errc> ended;
  for (; made < 5000 && !ended; ++made) {
    const auto node = make_file(core(), *directory, "f" + std::to_string(made), {});
    if (!node) ended = node.error().code;
  }
  for (; directories < 5000; ++directories) {
    const auto node = make_directory(core(), *root_, "d" + std::to_string(directories), {});
    if (node) continue;
    EXPECT_EQ(node.error().code, Errc::kNoSpace);
    break;
  }
  EXPECT_EQ(ended, Errc::kNoSpace);
  ended.reset();
  for (int i = 0; i < 5000 && !ended; ++i) {
    const auto node =
        make_symlink(core(), *root_, "l" + std::to_string(i), std::string(900, 't'), {});
    if (!node) ended = node.error().code;
  }
  EXPECT_EQ(ended, Errc::kNoSpace);
  ASSERT_TRUE(remove_file(core(), *root_, "filler"));
  EXPECT_TRUE(make_file(core(), *root_, "after", {}));
}

TEST_P(Operations, ManyThreadsInOneTree) {
  constexpr int kThreads = 4, kRounds = 300;
  const NodeRef a = *make_directory(core(), *root_, "a", {});
  const NodeRef b = *make_directory(core(), *root_, "b", {});
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Prng random(static_cast<std::uint64_t>(t));
      const auto any = [&] { return "n" + std::to_string(random.below(12)); };
      for (int i = 0; i < kRounds; ++i) {
        Node& from = random.chance(1, 2) ? *a : *b;
        Node& to = random.chance(1, 2) ? *a : *b;
        const auto outcome = [&]() -> Result<void> {
          switch (random.below(6)) {
            case 0: TRY(make_file(core(), from, any(), {})); return {};
            case 1: TRY(make_directory(core(), from, any(), {})); return {};
            case 2: return remove_file(core(), from, any());
            case 3: return remove_directory(core(), from, any());
            case 4: return rename(core(), {from, any()}, {to, any()}, RenameHow::kExchange);
            default: return rename(core(), {from, any()}, {to, any()}, RenameHow::kReplace);
          }
        }();
        if (!outcome) {
          EXPECT_NE(outcome.error().code, Errc::kCorrupt) << error_words(outcome.error());
          EXPECT_NE(outcome.error().code, Errc::kIo) << error_words(outcome.error());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(core().orphans->count(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Forms, Operations,
                         ::testing::Values("-b 1024 -N 8192", "-b 4096 -N 8192 -O orphan_file",
                                           "-b 1024 -N 8192 -O ^metadata_csum"));

}  // namespace
}  // namespace powercut::fs
