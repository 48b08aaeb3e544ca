#include "host/tree_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "host/machine.h"
#include "host/test_support.h"

namespace powercut {
namespace {

namespace fs = std::filesystem;
using host_testing::bytes_of_text;
using host_testing::Folder;
using host_testing::status_in_child;

HostAttributes plain(std::uint32_t mode) {
  HostAttributes attributes;
  attributes.mode = mode;
  attributes.access_time = {1'000'000'001, 5};
  attributes.modify_time = {981'173'106, 789'000'001};
  return attributes;
}

struct stat status_of(const fs::path& path) {
  struct stat status {};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
  return status;
}

std::string text_of(const fs::path& path) {
  const auto text = read_text_file(path, 1 << 20);
  return text ? *text : "unreadable";
}

Result<MadeName> write_file(TreeWriter& writer, const std::string& name, std::string_view content) {
  auto file = TRY(writer.make_file(name, content.size()));
  TRY(file.write_at(0, bytes_of_text(content)));
  const MadeName made = file.made();
  file.finish(plain(0644));
  return made;
}

TEST(TreeWriter, WhatIsMadeIsAsItWasAsked) {
  const Folder folder;
  const fs::path top = folder / "out";
  auto writer = TreeWriter::open(top);
  ASSERT_TRUE(writer) << error_words(writer.error());
  ASSERT_TRUE(writer->enter("a"));
  {
    auto file = writer->make_file("file", 1 << 20);
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write_at(500'000, bytes_of_text("hello")));
    EXPECT_EQ(status_of(top / "a" / "file").st_mode & 07777u, 0600u) << "before it is finished";
    EXPECT_TRUE(file->finish(plain(0640)).empty());
  }
  EXPECT_TRUE(writer->make_symlink("link", "../nowhere", plain(0777)));
  EXPECT_TRUE(writer->make_special("fifo", {FileKind::kFifo}, plain(0622)));
  EXPECT_TRUE(writer->make_special("socket", {FileKind::kSocket}, plain(0600)));
  EXPECT_EQ(status_of(top / "a").st_mode & 07777u, 0700u) << "before it is left";
  EXPECT_EQ(writer->depth(), 1u);
  ASSERT_TRUE(writer->leave(plain(01755)));
  ASSERT_TRUE(writer->leave(plain(0711)));

  const auto file = status_of(top / "a" / "file");
  EXPECT_EQ(file.st_mode, S_IFREG | 0640u);
  EXPECT_EQ(file.st_size, 1 << 20);
  EXPECT_LT(file.st_blocks, 64) << "the rest is a hole";
  EXPECT_EQ(file.st_atim.tv_sec, 1'000'000'001);
  EXPECT_EQ(file.st_atim.tv_nsec, 5);
  EXPECT_EQ(file.st_mtim.tv_sec, 981'173'106);
  EXPECT_EQ(file.st_mtim.tv_nsec, 789'000'001);
  EXPECT_EQ(fs::read_symlink(top / "a" / "link"), "../nowhere");
  EXPECT_EQ(status_of(top / "a" / "link").st_mtim.tv_nsec, 789'000'001);
  EXPECT_EQ(status_of(top / "a" / "fifo").st_mode, S_IFIFO | 0622u);
  EXPECT_EQ(status_of(top / "a" / "socket").st_mode, S_IFSOCK | 0600u);
  EXPECT_EQ(status_of(top / "a").st_mode, S_IFDIR | 01755u);
  EXPECT_EQ(status_of(top / "a").st_mtim.tv_sec, 981'173'106);
  EXPECT_EQ(status_of(top).st_mode, S_IFDIR | 0711u);
}

TEST(TreeWriter, TheDestinationIsNewOrEmpty) {
  const Folder folder;
  fs::create_directory(folder / "empty");
  fs::create_directories(folder / "full" / "x");
  std::ofstream(folder / "file").flush();
  fs::create_directory_symlink(folder / "empty", folder / "link");
  fs::create_symlink(folder / "nowhere", folder / "dangling");
  EXPECT_TRUE(TreeWriter::open(folder / "empty"));
  EXPECT_TRUE(TreeWriter::open(folder / "link")) << "the user named it";
  struct Case {
    const char* name;
    Errc code;
  };
  for (const Case& each : {Case{"full", Errc::kExists}, Case{"file", Errc::kExists},
                           Case{"dangling", Errc::kNotFound}, Case{"no/where", Errc::kNotFound}}) {
    const auto writer = TreeWriter::open(folder / each.name);
    ASSERT_FALSE(writer) << each.name;
    EXPECT_EQ(writer.error().code, each.code) << each.name << error_words(writer.error());
  }
}

TEST(TreeWriter, NamesThatNoDirectoryCanHaveAreRefused) {
  const Folder folder;
  auto writer = TreeWriter::open(folder / "out");
  ASSERT_TRUE(writer);
  const auto made = write_file(*writer, "first", "1");
  ASSERT_TRUE(made);
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("/"),
        std::string("../up"), std::string("zero\0byte", 9), std::string(256, 'x')}) {
    EXPECT_FALSE(writer->enter(name)) << name;
    EXPECT_FALSE(writer->make_file(name, 0)) << name;
    EXPECT_FALSE(writer->make_symlink(name, "x", plain(0777))) << name;
    EXPECT_FALSE(writer->make_special(name, {FileKind::kFifo}, plain(0600))) << name;
    EXPECT_FALSE(writer->make_link(name, *made)) << name;
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "out"), {}), 1);
}

// Whatever stands in the way, a symlink above all, is left alone.
TEST(TreeWriter, WhatIsThereIsNeverFollowedOrChanged) {
  const Folder folder;
  fs::create_directory(folder / "victim");
  std::ofstream(folder / "victim" / "file") << "precious";
  auto writer = TreeWriter::open(folder / "out");
  ASSERT_TRUE(writer);
  fs::create_directory_symlink(folder / "victim", folder / "out" / "directory");
  fs::create_symlink(folder / "victim" / "file", folder / "out" / "file");
  fs::create_symlink(folder / "victim" / "new", folder / "out" / "new");
  for (const char* name : {"directory", "file", "new"}) {
    const auto entered = writer->enter(name);
    ASSERT_FALSE(entered) << name;
    EXPECT_EQ(entered.error().code, Errc::kExists) << name;
    const auto file = writer->make_file(name, 10);
    ASSERT_FALSE(file) << name;
    EXPECT_EQ(file.error().code, Errc::kExists) << name;
    EXPECT_FALSE(writer->make_symlink(name, "x", plain(0777))) << name;
    EXPECT_FALSE(writer->make_special(name, {FileKind::kFifo}, plain(0600))) << name;
  }
  EXPECT_EQ(writer->depth(), 0u);
  EXPECT_EQ(text_of(folder / "victim" / "file"), "precious");
  EXPECT_FALSE(fs::exists(folder / "victim" / "new"));
}

TEST(TreeWriter, LinksAreMadeToWhatWasMadeAndToNothingElse) {
  const Folder folder;
  const fs::path top = folder / "out";
  auto writer = TreeWriter::open(top);
  ASSERT_TRUE(writer);
  ASSERT_TRUE(writer->enter("a"));
  ASSERT_TRUE(writer->enter("b"));
  const auto first = write_file(*writer, "first", "one");
  ASSERT_TRUE(first);
  EXPECT_TRUE(writer->make_link("beside", *first));
  ASSERT_TRUE(writer->leave(plain(0755)));
  ASSERT_TRUE(writer->leave(plain(0755)));
  ASSERT_TRUE(writer->enter("c"));
  EXPECT_TRUE(writer->make_link("second", *first));
  EXPECT_TRUE(fs::equivalent(top / "a/b/first", top / "c/second"));
  EXPECT_EQ(status_of(top / "a/b/first").st_nlink, 3u);

  // Another file in the place of the first link.
  fs::create_directory(folder / "victim");
  std::ofstream(folder / "victim" / "first") << "precious";
  fs::rename(top / "a/b/first", folder / "kept");
  fs::copy_file(folder / "victim" / "first", top / "a/b/first");
  const auto exchanged = writer->make_link("exchanged", *first);
  ASSERT_FALSE(exchanged);
  EXPECT_EQ(exchanged.error().code, Errc::kAborted);
  EXPECT_FALSE(fs::exists(top / "c/exchanged"));
  fs::remove(top / "a/b/first");
  fs::rename(folder / "kept", top / "a/b/first");
  EXPECT_TRUE(writer->make_link("again", *first));

  // A symlink in the place of a directory on the way.
  fs::rename(top / "a/b", folder / "elsewhere");
  fs::create_directory_symlink(folder / "elsewhere", top / "a/b");
  const auto through = writer->make_link("through", *first);
  EXPECT_FALSE(through) << "the same file, but by a symlink";
  EXPECT_FALSE(fs::exists(top / "c/through"));
}

TEST(TreeWriter, DeepTreesNeedFewDescriptorsAndAreComeBackTo) {
  const Folder folder;
  constexpr std::size_t kDepth = 500;
  const int status = status_in_child([&] {
    const struct rlimit limit {
      .rlim_cur = TreeWriter::kOpenMax + 16, .rlim_max = TreeWriter::kOpenMax + 16
    };
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
    auto writer = TreeWriter::open(folder / "out");
    if (!writer) return 2;
    for (std::size_t i = 0; i < kDepth; ++i) {
      if (!writer->enter("d")) return 3;
      if (!write_file(*writer, "f", "x")) return 4;
    }
    for (std::size_t i = 0; i < kDepth; ++i) {
      if (!writer->leave(plain(0751))) return 5;
      if (!write_file(*writer, "after", "y")) return 6;
    }
    return writer->depth() == 0 ? 0 : 7;
  });
  EXPECT_EQ(WEXITSTATUS(status), 0);
  const auto words = host_testing::shell("cd '" + (folder / "out").string() +
                                         "' && find . -type d -perm 0751 | wc -l; "
                                         "find . -name after | wc -l; find . -name f | wc -l");
  EXPECT_EQ(words, "500\n500\n500\n");
}

// The way back leads to the directory that was left, or nowhere.
TEST(TreeWriter, ADirectoryThatWasMovedIsNotComeBackTo) {
  const Folder folder;
  const fs::path top = folder / "out";
  auto writer = TreeWriter::open(top);
  ASSERT_TRUE(writer);
  const std::size_t depth = TreeWriter::kOpenMax + 4;
  fs::path deep = top;
  for (std::size_t i = 0; i < depth; ++i) {
    ASSERT_TRUE(writer->enter("d"));
    deep /= "d";
  }
  fs::path second = top / "d" / "d";
  fs::create_directory(folder / "victim");
  fs::rename(second / "d", folder / "victim" / "d");
  Result<AttributeRefusals> left = AttributeRefusals{};
  std::size_t steps = 0;
  for (; steps < depth && left; ++steps) left = writer->leave(plain(0755));
  ASSERT_FALSE(left);
  EXPECT_EQ(left.error().code, Errc::kAborted) << error_words(left.error());
  EXPECT_TRUE(ends_all_writing(left.error()));
  EXPECT_EQ(steps, depth - 2);
  EXPECT_FALSE(write_file(*writer, "x", "y") && fs::exists(folder / "victim" / "x"));
}

TEST(TreeWriter, AFileThatIsNotFinishedIsGone) {
  const Folder folder;
  auto writer = TreeWriter::open(folder / "out");
  ASSERT_TRUE(writer);
  {
    auto file = writer->make_file("part", 100);
    ASSERT_TRUE(file);
    auto moved = std::move(*file);
    EXPECT_TRUE(fs::exists(folder / "out" / "part"));
  }
  EXPECT_FALSE(fs::exists(folder / "out" / "part"));
}

TEST(TreeWriter, AttributesOfThisMachine) {
  const Folder folder;
  auto writer = TreeWriter::open(folder / "out");
  ASSERT_TRUE(writer);
  auto attributes = plain(06755);
  attributes.xattrs = {{"user.mime", {'t', 'e', 'x', 't'}}, {"wrong.name", {1}}};
  auto file = writer->make_file("file", 0);
  ASSERT_TRUE(file);
  const auto refusals = file->finish(attributes);
  std::vector<std::string> refused;
  for (const auto& each : refusals) refused.push_back(each.attribute);
  EXPECT_NE(std::ranges::find(refused, "wrong.name"), refused.end());
  if (std::ranges::find(refused, "user.mime") == refused.end()) {
    char value[16];
    EXPECT_EQ(::getxattr((folder / "out" / "file").c_str(), "user.mime", value, sizeof(value)), 4);
  }
  EXPECT_EQ(status_of(folder / "out" / "file").st_mode & 07777u, 0755u)
      << "no set-user-id bit without an owner";
}

TEST(TreeWriter, OwnersAndDevicesNeedRoot) {
  const Folder folder;
  const fs::path top = folder / "out";
  fs::permissions(folder.path(), fs::perms::all);
  const auto make = [&](uid_t as) {
    return status_in_child([&, as] {
      if (as != 0 && ::setuid(as) != 0) return 1;
      auto writer = TreeWriter::open(top);
      if (!writer) return 2;
      auto attributes = plain(04755);
      attributes.owner = HostAttributes::Owner{12, 34};
      auto file = writer->make_file("file", 0);
      if (!file) return 3;
      const bool is_owner_refused = !file->finish(attributes).empty();
      const auto device =
          writer->make_special("null", {FileKind::kCharacterDevice, 1, 3}, attributes);
      const bool is_device_refused =
          !device && device.error().where == EPERM && !ends_all_writing(device.error());
      if (!writer->make_symlink("link", "x", attributes)) return 4;
      return (is_owner_refused ? 16 : 0) + (is_device_refused ? 32 : 0);
    });
  };
  if (!is_root()) {
    EXPECT_EQ(WEXITSTATUS(make(0)), 48);
    EXPECT_EQ(status_of(top / "file").st_mode & 07777u, 0755u);
    return;
  }
  EXPECT_EQ(WEXITSTATUS(make(0)), 0);
  EXPECT_EQ(status_of(top / "file").st_uid, 12u);
  EXPECT_EQ(status_of(top / "file").st_gid, 34u);
  EXPECT_EQ(status_of(top / "file").st_mode & 07777u, 04755u);
  EXPECT_EQ(status_of(top / "link").st_uid, 12u);
  EXPECT_EQ(status_of(top / "null").st_rdev, makedev(1, 3));
  EXPECT_EQ(status_of(top / "null").st_mode, S_IFCHR | 04755u);
  fs::remove_all(top);
  EXPECT_EQ(WEXITSTATUS(make(65534)), 48);
  EXPECT_EQ(status_of(top / "file").st_mode & 07777u, 0755u);
  EXPECT_FALSE(fs::exists(top / "null"));
}

TEST(TreeWriter, WhatEndsAllWriting) {
  const auto error = [](int number) { return os_failure("x", "", number).error; };
  for (const int number : {ENOSPC, EDQUOT, EROFS, EIO, EMFILE}) {
    EXPECT_TRUE(ends_all_writing(error(number))) << number;
  }
  for (const int number : {EEXIST, EPERM, EACCES, EFBIG, ENAMETOOLONG, EMLINK, ENOENT}) {
    EXPECT_FALSE(ends_all_writing(error(number))) << number;
  }
}

}  // namespace
}  // namespace powercut
