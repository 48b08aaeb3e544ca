#include "host/new_file.h"

#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "host/test_support.h"

namespace powercut {
namespace {

using host_testing::bytes_of_text;
using host_testing::Folder;
using host_testing::status_in_child;

bool is_empty(const Folder& folder) {
  return std::filesystem::is_empty(folder.path());
}

TEST(NewFile, HasItsNameWhenItIsWhole) {
  const Folder folder;
  {
    auto made = NewFile::make(folder / "disk", 1 << 20);
    ASSERT_TRUE(made);
    ASSERT_TRUE(made->file().write_at(5000, bytes_of_text("hello")));
    EXPECT_FALSE(std::filesystem::exists(folder / "disk"));
    ASSERT_TRUE(made->publish());
  }
  const auto file = File::open(folder / "disk", File::Access::kRead);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->size_bytes(), 1u << 20);
  EXPECT_LT(*file->allocated_bytes(), 1u << 20);
  std::vector<std::uint8_t> there(5);
  ASSERT_TRUE(file->read_at(5000, there));
  EXPECT_EQ(std::string(there.begin(), there.end()), "hello");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(NewFile, NothingIsLeftOfOneThatWasGivenUp) {
  const Folder folder;
  { ASSERT_TRUE(NewFile::make(folder / "disk", 100)); }
  EXPECT_TRUE(is_empty(folder));
}

TEST(NewFile, NothingIsLeftAfterAKill) {
  const Folder folder;
  const int status = status_in_child([&] {
    auto made = NewFile::make(folder / "disk", 100);
    if (!made) return 1;
    ::raise(SIGKILL);
    return 2;
  });
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  if (!is_empty(folder)) GTEST_SKIP() << "no files without names in " << folder.path();
}

TEST(NewFile, NeverTakesTheNameOfAnother) {
  const Folder folder;
  auto made = NewFile::make(folder / "disk", 100);
  ASSERT_TRUE(made);
  std::ofstream(folder / "disk") << "mine";
  const auto late = made->publish();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Errc::kExists);
  EXPECT_EQ(*read_text_file(folder / "disk", 100), "mine");
  const auto early = NewFile::make(folder / "disk", 100);
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, Errc::kExists);
  std::filesystem::create_symlink("nowhere", folder / "link");
  EXPECT_FALSE(NewFile::make(folder / "link", 100));
}

TEST(NewFile, AFolderThatIsNotThere) {
  const Folder folder;
  const auto made = NewFile::make(folder / "no/disk", 100);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::kNotFound);
}

TEST(File, OneOfUsWritesAtATime) {
  const Folder folder;
  ASSERT_TRUE(File::create(folder / "disk", 100));
  {
    const auto first = File::open(folder / "disk", File::Access::kExclusive);
    ASSERT_TRUE(first);
    const auto second = File::open(folder / "disk", File::Access::kExclusive);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::kInUse);
    EXPECT_TRUE(File::open(folder / "disk", File::Access::kRead));
  }
  EXPECT_TRUE(File::open(folder / "disk", File::Access::kExclusive));
}

}  // namespace
}  // namespace powercut
