#include <gtest/gtest.h>

#include <csignal>

#include "host/machine.h"
#include "host/test_support.h"

namespace powercut {
namespace {

using host_testing::Folder;
using host_testing::Variable;

// Where temporary folders go for the length of a test.
class Base {
 public:
  std::size_t count() const {
    std::filesystem::directory_iterator names(folder_.path());
    return static_cast<std::size_t>(std::distance(begin(names), end(names)));
  }
  const std::filesystem::path& path() const { return folder_.path(); }
  std::filesystem::path operator/(std::string_view name) const { return folder_ / name; }

 private:
  Folder folder_;
  Variable tmpdir_{"TMPDIR", folder_.path().native()};
};

// A folder of ours with something in it, whose maker is gone without a destructor.
std::filesystem::path leave_stale(const Base& base) {
  std::array<int, 2> ends{};
  CHECK(::pipe(ends.data()) == 0, "a test needs a pipe");
  host_testing::status_in_child([&ends] {
    const auto made = TempDirectory::make("stale");
    if (!made || !make_directories(made->path() / "a/b") ||
        !write_file_atomically(made->path() / "a/b/file", "content")) {
      return 1;
    }
    const std::string path = made->path().native();
    if (::write(ends[1], path.data(), path.size()) < 0) return 1;
    return ::kill(::getpid(), SIGKILL);
  });
  ::close(ends[1]);
  std::string path(4096, '\0');
  path.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::read(ends[0], path.data(), 4096))));
  ::close(ends[0]);
  EXPECT_TRUE(path.starts_with(base.path().native())) << path;
  return path;
}

TEST(TempDirectory, GoesAwayWithAllThatIsInIt) {
  const Base base;
  {
    auto made = TempDirectory::make("work");
    ASSERT_TRUE(made);
    EXPECT_EQ(made->path().parent_path(), base.path());
    EXPECT_TRUE(made->path().filename().native().starts_with("powercut-work-"));
    ASSERT_TRUE(make_directories(made->path() / "deep/er"));
    ASSERT_TRUE(write_file_atomically(made->path() / "deep/er/file", "content"));
    TempDirectory moved = std::move(*made);
    EXPECT_TRUE(std::filesystem::exists(moved.path() / "deep/er/file"));
  }
  EXPECT_EQ(base.count(), 0u);
}

TEST(TempDirectory, AssignmentRemovesTheOldOne) {
  const Base base;
  auto first = TempDirectory::make("first");
  auto second = TempDirectory::make("second");
  ASSERT_TRUE(first && second);
  const std::filesystem::path kept = second->path();
  *first = std::move(*second);
  EXPECT_EQ(base.count(), 1u);
  EXPECT_TRUE(std::filesystem::exists(kept));
}

TEST(TempDirectory, TheNextMakeSweepsWhatAKilledProcessLeft) {
  const Base base;
  const auto stale = leave_stale(base);
  ASSERT_TRUE(std::filesystem::exists(stale / "a/b/file"));
  const auto made = TempDirectory::make("next");
  ASSERT_TRUE(made);
  EXPECT_FALSE(std::filesystem::exists(stale));
  EXPECT_EQ(base.count(), 1u);
}

TEST(TempDirectory, WhatIsHeldIsNotSwept) {
  const Base base;
  const auto held = TempDirectory::make("held");
  ASSERT_TRUE(held);
  ASSERT_EQ(host_testing::status_in_child([] {
              return TempDirectory::make("other") ? 0 : 1;  // sweeps, in another process
            }),
            0);
  ASSERT_TRUE(TempDirectory::make("third"));
  EXPECT_TRUE(std::filesystem::exists(held->path()));
}

TEST(TempDirectory, WhatIsNotOursIsNotSwept) {
  const Folder outside;
  const Base base;
  const auto stale = leave_stale(base);
  // A folder of the user's own that only looks like ours.
  ASSERT_TRUE(make_directories(base / "powercut-source"));
  ASSERT_TRUE(write_file_atomically(base / "powercut-source/precious", ""));
  // A link to what would be stale, were it not outside.
  std::filesystem::copy(stale, outside / "folder", std::filesystem::copy_options::recursive);
  std::filesystem::create_directory_symlink(outside / "folder", base / "powercut-link");
  // A lock file that is a link.
  ASSERT_TRUE(make_directories(base / "powercut-linked-lock"));
  std::filesystem::create_symlink(outside / "folder/.powercut-lock",
                                  base / "powercut-linked-lock/.powercut-lock");
  // Another name.
  std::filesystem::copy(stale, base / "other", std::filesystem::copy_options::recursive);
  ASSERT_TRUE(TempDirectory::make("sweep"));
  EXPECT_FALSE(std::filesystem::exists(stale));
  EXPECT_TRUE(std::filesystem::exists(base / "powercut-source/precious"));
  EXPECT_TRUE(std::filesystem::exists(outside / "folder/a/b/file"));
  EXPECT_TRUE(std::filesystem::exists(base / "powercut-linked-lock"));
  EXPECT_TRUE(std::filesystem::exists(base / "other/a/b/file"));
}

TEST(TempDirectory, LinksInsideAreRemovedNotFollowed) {
  const Folder outside;
  const Base base;
  ASSERT_TRUE(write_file_atomically(outside / "precious", ""));
  const auto stale = leave_stale(base);
  std::filesystem::create_directory_symlink(outside.path(), stale / "link");
  std::filesystem::create_directory_symlink(outside.path(), stale / "a/link");
  ASSERT_TRUE(TempDirectory::make("sweep"));
  EXPECT_FALSE(std::filesystem::exists(stale));
  EXPECT_TRUE(std::filesystem::exists(outside / "precious"));
}

TEST(TempDirectory, AFolderTooDeepIsLeftWithItsLock) {
  const Base base;
  const auto stale = leave_stale(base);
  std::filesystem::path deep = stale;
  for (int i = 0; i < 80; ++i) deep /= "d";
  ASSERT_TRUE(make_directories(deep));
  ASSERT_TRUE(TempDirectory::make("sweep"));
  EXPECT_TRUE(std::filesystem::exists(stale / ".powercut-lock"));
}

TEST(TempDirectory, NoPlaceIsAnErrorThatNamesIt) {
  const Variable tmpdir("TMPDIR", "/no/such/folder");
  const auto made = TempDirectory::make("x");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::kNotFound);
  EXPECT_TRUE(made.error().detail.view().starts_with("/no/such/folder/powercut-x-"));
}

}  // namespace
}  // namespace powercut
