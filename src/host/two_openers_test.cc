// Two who want one file to write, and the words by which the second is refused.
#include <gtest/gtest.h>

#include <csignal>
#include <optional>

#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/in_use.h"
#include "host/test_support.h"

namespace powercut {
namespace {

using host_testing::Folder;
using host_testing::status_in_child;

// A process that has the file open, or ended with its exit code; it ends with this object, by -9.
class OtherOpener {
 public:
  explicit OtherOpener(const std::filesystem::path& path) {
    int ends[2] = {-1, -1};
    CHECK(::pipe2(ends, O_CLOEXEC) == 0, "a test needs a pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      const auto file = File::open(path, File::Access::kExclusive);
      const char is_open = file ? 'y' : 'n';
      if (::write(ends[1], &is_open, 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    char is_open = 'n';
    CHECK(::read(ends[0], &is_open, 1) == 1, "the other process says what it did");
    has_it_ = is_open == 'y';
    ::close(ends[0]);
    ::close(ends[1]);
  }
  ~OtherOpener() { kill(); }
  OtherOpener(const OtherOpener&) = delete;
  OtherOpener& operator=(const OtherOpener&) = delete;
  bool has_it() const { return has_it_; }
  pid_t pid() const { return pid_; }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  bool has_it_ = false;
};

std::string refused(const std::filesystem::path& path) {
  const auto file = File::open(path, File::Access::kExclusive);
  if (file) return "opened";
  EXPECT_EQ(file.error().code, Errc::kInUse);
  return error_words(file.error());
}

bool has_word(const std::string& text, const std::string& word) {
  return text.find(word) != std::string::npos;
}

TEST(TwoOpeners, OfOneProcessByAnyName) {
  const Folder folder;
  ASSERT_TRUE(File::create(folder / "disk", 4096));
  std::filesystem::create_hard_link(folder / "disk", folder / "hard");
  std::filesystem::create_symlink(folder / "disk", folder / "soft");
  {
    const auto first = File::open(folder / "disk", File::Access::kExclusive);
    ASSERT_TRUE(first);
    for (const char* name : {"disk", "hard", "soft", "../disk"}) {
      const auto path = std::string(name).starts_with("..")
                            ? folder.path() / ".." / folder.path().filename() / "disk"
                            : folder / name;
      const std::string words = refused(path);
      EXPECT_TRUE(has_word(words, "end its user first")) << words;
    }
    EXPECT_TRUE(File::open(folder / "disk", File::Access::kRead)) << "who reads is not kept out";
  }
  EXPECT_EQ(refused(folder / "hard"), "opened");
}

TEST(TwoOpeners, OfTwoProcessesTheSecondIsToldWho) {
  const Folder folder;
  ASSERT_TRUE(File::create(folder / "disk", 4096));
  OtherOpener other(folder / "disk");
  ASSERT_TRUE(other.has_it());
  const std::string number = std::to_string(other.pid());
  const std::string words = refused(folder / "disk");
  const auto uses = uses_of(folder / "disk");
  ASSERT_TRUE(uses);
  if (has_word(words, "another program")) GTEST_SKIP() << "/proc/locks does not show this file";
  EXPECT_TRUE(has_word(words, "process " + number)) << words;
  ASSERT_EQ(uses->size(), 1u);
  EXPECT_EQ(uses->front().kind, UseKind::kProcess);
  EXPECT_TRUE(has_word(uses->front().who, "process " + number)) << uses->front().who;
}

TEST(TwoOpeners, OneThatWasKilledLeavesNothing) {
  const Folder folder;
  ASSERT_TRUE(File::create(folder / "disk", 4096));
  OtherOpener other(folder / "disk");
  ASSERT_TRUE(other.has_it());
  EXPECT_NE(refused(folder / "disk"), "opened");
  other.kill();
  EXPECT_EQ(refused(folder / "disk"), "opened");
  EXPECT_TRUE(uses_of(folder / "disk")->empty());
}

// A child has the descriptor, too: it may not open the file once more, and its end frees nothing.
TEST(TwoOpeners, AForkedChildIsTheSecond) {
  const Folder folder;
  ASSERT_TRUE(File::create(folder / "disk", 4096));
  const auto first = File::open(folder / "disk", File::Access::kExclusive);
  ASSERT_TRUE(first);
  const int status = status_in_child([&] {
    const auto second = File::open(folder / "disk", File::Access::kExclusive);
    return !second && second.error().code == Errc::kInUse ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
  EXPECT_NE(refused(folder / "disk"), "opened");
}

TEST(TwoOpeners, ReadersShareAndKeepWritersOut) {
  const Folder folder;
  ASSERT_TRUE(File::create(folder / "disk", 4096));
  {
    const auto first = File::open(folder / "disk", File::Access::kShared);
    const auto second = File::open(folder / "disk", File::Access::kShared);
    ASSERT_TRUE(first && second);
    EXPECT_NE(refused(folder / "disk"), "opened");
  }
  const auto writer = File::open(folder / "disk", File::Access::kExclusive);
  ASSERT_TRUE(writer);
  const auto reader = File::open(folder / "disk", File::Access::kShared);
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, Errc::kInUse);
}

// The child holds the descriptor still.
TEST(TwoOpeners, WhatIsClosedIsFreeThoughAChildWasForkedMeanwhile) {
  const Folder folder;
  ASSERT_TRUE(File::create(folder / "disk", 4096));
  std::optional<File> first(File::open(folder / "disk", File::Access::kExclusive).value());
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  ASSERT_GT(child, 0);
  EXPECT_NE(refused(folder / "disk"), "opened");
  first.reset();
  EXPECT_EQ(refused(folder / "disk"), "opened");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace powercut
