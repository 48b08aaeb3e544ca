#include "host/file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/prng.h"
#include "host/test_support.h"

namespace powercut {
namespace {

using host_testing::bytes_of_text;
using host_testing::Folder;
using host_testing::status_in_child;

std::vector<std::uint8_t> content_of(const File& file) {
  std::vector<std::uint8_t> content(file.size_bytes());
  EXPECT_TRUE(file.read_at(0, content));
  return content;
}

TEST(File, BytesComeBackAndTheRestIsHoles) {
  const Folder folder;
  auto file = File::create(folder / "disk", 1 << 20);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->size_bytes(), 1u << 20);
  EXPECT_EQ(*file->allocated_bytes(), 0u);
  ASSERT_TRUE(file->write_at(70'000, bytes_of_text("hello")));
  ASSERT_TRUE(file->sync());
  const auto again = File::open(folder / "disk", File::Access::kRead);
  ASSERT_TRUE(again);
  std::vector<std::uint8_t> expected(1 << 20);
  std::copy_n("hello", 5, expected.begin() + 70'000);
  EXPECT_EQ(content_of(*again), expected);
}

// More pieces than one call takes, some of them empty, at an odd offset.
TEST(File, ManyPiecesAreOneBehindTheOther) {
  constexpr std::size_t kPieces = 3000, kOffset = 333;
  auto file = File::in_memory("pieces", 1 << 20);
  ASSERT_TRUE(file);
  Prng prng(5);
  std::vector<std::vector<std::uint8_t>> kept(kPieces);
  std::vector<Bytes> pieces;
  std::vector<std::uint8_t> expected(1 << 20);
  std::size_t end = kOffset;
  for (auto& piece : kept) {
    piece.resize(prng.below(300));
    prng.fill(piece);
    pieces.push_back(piece);
    std::copy(piece.begin(), piece.end(), expected.begin() + static_cast<std::ptrdiff_t>(end));
    end += piece.size();
  }
  ASSERT_TRUE(file->write_pieces_at(kOffset, pieces));
  EXPECT_EQ(content_of(*file), expected);
  ASSERT_TRUE(file->write_pieces_at(0, {}));
  EXPECT_EQ(file->write_pieces_at((1 << 20) - 100, pieces).error().code, Errc::kNoSpace);
  EXPECT_EQ(content_of(*file), expected);
}

TEST(File, WhatCannotBeOpenedIsNamed) {
  const Folder folder;
  ASSERT_TRUE(File::create(folder / "there", 1));
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  struct Case {
    const char* what;
    Result<File> result;
    Errc code;
    const char* named;
  };
  const Case cases[] = {
      {"absent", File::open(folder / "absent", File::Access::kRead), Errc::kNotFound, "absent"},
      {"taken", File::create(folder / "there", 1), Errc::kExists, "there"},
      {"no folder", File::create(folder / "no/file", 1), Errc::kNotFound, "no/file"},
      {"a folder", File::open(folder.path(), File::Access::kRead), Errc::kInvalid, "host-test"},
      {"a fifo", File::open(folder / "fifo", File::Access::kRead), Errc::kInvalid, "fifo"},
      {"a character device", File::open("/dev/full", File::Access::kReadWrite), Errc::kInvalid,
       "/dev/full"},
      {"too long", File::create(folder / "long", ~std::uint64_t{0}), Errc::kLimit, "long"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    ASSERT_FALSE(c.result);
    EXPECT_EQ(c.result.error().code, c.code);
    EXPECT_NE(c.result.error().detail.view().find(c.named), std::string::npos)
        << c.result.error().detail.view();
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "long"));
}

TEST(File, NothingOutsideItsSizeIsTouched) {
  auto file = File::in_memory("small", 100);
  ASSERT_TRUE(file);
  std::vector<std::uint8_t> buffer(10);
  EXPECT_TRUE(file->read_at(90, buffer));
  EXPECT_TRUE(file->write_at(100, {}));
  EXPECT_EQ(file->read_at(91, buffer).error().code, Errc::kIo);
  EXPECT_EQ(file->read_at(~std::uint64_t{0}, buffer).error().code, Errc::kIo);
  EXPECT_EQ(file->write_at(91, buffer).error().code, Errc::kNoSpace);
  EXPECT_EQ(file->write_at(~std::uint64_t{0} - 4, buffer).error().code, Errc::kNoSpace);
  EXPECT_EQ(file->punch(50, 51).error().code, Errc::kNoSpace);
  EXPECT_EQ(file->size_bytes(), 100u);
  EXPECT_EQ(File::adopt(Fd(::dup(file->fd())))->size_bytes(), 100u);
}

TEST(File, AFileThatBecameShorterIsAnErrorNotZeroes) {
  auto file = File::in_memory("shrinking", 8192);
  ASSERT_TRUE(file);
  ASSERT_EQ(::ftruncate(file->fd(), 4096), 0);
  std::vector<std::uint8_t> buffer(8192);
  const auto outcome = file->read_at(0, buffer);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::kIo);
  EXPECT_NE(outcome.error().detail.view().find("shrinking"), std::string::npos);
}

TEST(File, WritingToAFileOpenedForReadingFails) {
  const Folder folder;
  ASSERT_TRUE(File::create(folder / "file", 4096));
  auto file = File::open(folder / "file", File::Access::kRead);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->write_at(0, bytes_of_text("x")).error().where, std::uint64_t{EBADF});
  EXPECT_FALSE(file->punch(0, 4096));
}

TEST(File, PunchedRangesReadAsZeroesAndGiveTheirSpaceBack) {
  const Folder folder;
  const std::vector<std::uint8_t> ones(1 << 20, 1);
  auto on_disk = File::create(folder / "disk", ones.size());
  auto in_memory = File::in_memory("disk", ones.size());
  for (File* file : {&*on_disk, &*in_memory}) {
    ASSERT_TRUE(file->write_at(0, ones));
    ASSERT_TRUE(file->sync());
    const std::uint64_t full = *file->allocated_bytes();
    ASSERT_TRUE(file->punch(100, 700'000));
    ASSERT_TRUE(file->punch(5, 0));
    std::vector<std::uint8_t> expected = ones;
    std::fill_n(expected.begin() + 100, 700'000, std::uint8_t{0});
    EXPECT_EQ(content_of(*file), expected);
    EXPECT_EQ(file->size_bytes(), ones.size());
    EXPECT_LT(*file->allocated_bytes(), full / 2);
  }
}

TEST(File, InMemoryIsNotInheritedByAccident) {
  const auto file = File::in_memory("private", 1);
  ASSERT_TRUE(file);
  EXPECT_NE(::fcntl(file->fd(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(CopySparse, HolesStayHolesAndZeroesBecomeHoles) {
  const Folder folder;
  auto from = File::create(folder / "from", 64 << 20);
  ASSERT_TRUE(from);
  ASSERT_TRUE(from->write_at(5'000'001, bytes_of_text("in the middle")));
  ASSERT_TRUE(from->write_at(20 << 20, std::vector<std::uint8_t>(8 << 20)));  // zeroes, as data
  ASSERT_TRUE(from->write_at((64 << 20) - 4, bytes_of_text("last")));
  ASSERT_GT(*from->allocated_bytes(), 8u << 20);
  ASSERT_TRUE(copy_sparse(*from, folder / "to"));
  const auto to = File::open(folder / "to", File::Access::kRead);
  ASSERT_TRUE(to);
  EXPECT_EQ(content_of(*to), content_of(*from));
  EXPECT_LT(*to->allocated_bytes(), 1u << 20);
}

TEST(CopySparse, AnyContentIsCopied) {
  const Folder folder;
  Prng prng(20);
  for (int round = 0; round < 24; ++round) {
    SCOPED_TRACE(round);
    const std::uint64_t size = prng.below(3'000'000);
    auto from = File::in_memory("from", size);
    ASSERT_TRUE(from);
    for (int i = 0; i < 12 && size > 0; ++i) {
      std::vector<std::uint8_t> piece(prng.below(std::min<std::uint64_t>(size, 20'000)) + 1);
      if (prng.chance(2, 3)) prng.fill(piece);
      ASSERT_TRUE(from->write_at(prng.below(size - piece.size() + 1), piece));
    }
    const auto path = folder / std::to_string(round);
    ASSERT_TRUE(copy_sparse(*from, path));
    EXPECT_EQ(content_of(*File::open(path, File::Access::kRead)), content_of(*from));
  }
}

TEST(CopySparse, AFailedCopyLeavesNothingAndAnOldFileAlone) {
  const Folder folder;
  auto from = File::in_memory("from", 3 << 20);
  ASSERT_TRUE(from);
  ASSERT_TRUE(from->write_at(0, std::vector<std::uint8_t>(3 << 20, 7)));
  ASSERT_TRUE(write_file_atomically(folder / "old", "mine"));
  EXPECT_EQ(copy_sparse(*from, folder / "old").error().code, Errc::kExists);
  EXPECT_EQ(*read_text_file(folder / "old", 100), "mine");
  ASSERT_EQ(::ftruncate(from->fd(), 1 << 20), 0);  // the source ends too early
  EXPECT_EQ(copy_sparse(*from, folder / "new").error().code, Errc::kIo);
  EXPECT_FALSE(std::filesystem::exists(folder / "new"));
}

void write_proc(const char* path, const std::string& text) {
  const Fd fd(::open(path, O_WRONLY | O_CLOEXEC));
  static_cast<void>(!::write(fd.get(), text.data(), text.size()));  // the mount fails then
}

// A mount namespace of the calling process's own, with a user namespace if it takes one.
bool enter_mount_namespace() {
  if (::unshare(CLONE_NEWNS) == 0) return true;
  const std::string user = std::to_string(::geteuid());
  const std::string group = std::to_string(::getegid());
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  write_proc("/proc/self/setgroups", "deny");
  write_proc("/proc/self/uid_map", user + " " + user + " 1");
  write_proc("/proc/self/gid_map", group + " " + group + " 1");
  return true;
}

// A file system of 1 MiB for the calling process alone; false where that is not allowed.
bool mount_small_disk(const std::filesystem::path& at) {
  if (!enter_mount_namespace()) return false;
  ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  return ::mount("small", at.c_str(), "tmpfs", 0, "size=1M") == 0;
}

// 0: right; 77: not allowed here; else the number of the step that was wrong.
int fill_small_disk(const std::filesystem::path& at) {
  if (!mount_small_disk(at)) return 77;
  const std::vector<std::uint8_t> much(2 << 20, 7);
  if (!write_file_atomically(at / "kept", "old")) return 1;
  const auto replaced = write_file_atomically(at / "kept", std::string(much.size(), 'x'));
  if (replaced || replaced.error().code != Errc::kNoSpace) return 2;
  if (*read_text_file(at / "kept", 100) != "old") return 3;
  auto source = File::in_memory("source", much.size());
  if (!source->write_at(0, much)) return 4;
  const auto copied = copy_sparse(*source, at / "copy");
  if (copied || copied.error().code != Errc::kNoSpace) return 5;
  auto file = File::create(at / "file", much.size());
  if (!file) return 6;
  const auto written = file->write_at(0, much);
  if (written || written.error().code != Errc::kNoSpace) return 7;
  if (written.error().detail.view().find("file") == std::string::npos) return 8;
  std::filesystem::directory_iterator names(at);
  if (std::distance(begin(names), end(names)) != 2) return 9;  // "kept" and "file", no leftovers
  return 0;
}

TEST(File, AFullDiskIsNoSpaceAndNothingHalfWrittenIsLeft) {
  const Folder folder;
  const int status = status_in_child([&folder] { return fill_small_disk(folder.path()); });
  ASSERT_TRUE(WIFEXITED(status)) << status;
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no mount namespace allowed here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(OsFailure, Table) {
  struct Case {
    int os_error;
    Errc code;
  };
  const Case cases[] = {{ENOSPC, Errc::kNoSpace},  {EDQUOT, Errc::kNoSpace},
                        {ENOENT, Errc::kNotFound}, {EEXIST, Errc::kExists},
                        {EROFS, Errc::kReadOnly},  {EIO, Errc::kIo},
                        {EACCES, Errc::kIo}};
  for (const Case& c : cases) {
    const Error error = os_failure("what", "/a/path", c.os_error).error;
    EXPECT_EQ(error.code, c.code) << c.os_error;
    EXPECT_EQ(error.where, static_cast<std::uint64_t>(c.os_error));
    EXPECT_TRUE(error.detail.view().starts_with("/a/path: ")) << error.detail.view();
  }
  EXPECT_EQ(os_failure("what", "/a/path", EACCES).error.detail.view(),
            "/a/path: Permission denied");
}

TEST(OsFailure, ALongPathKeepsItsEndAndTheReason) {
  const std::string path = "/" + std::string(300, 'a') + "/the-file";
  const Error error = os_failure("what", path, EACCES).error;
  EXPECT_TRUE(error.detail.view().starts_with("...aaa")) << error.detail.view();
  EXPECT_TRUE(error.detail.view().ends_with("/the-file: Permission denied")) << error.detail.view();
}

TEST(TextFile, IsReadUpToItsLimit) {
  const Folder folder;
  ASSERT_TRUE(write_file_atomically(folder / "text", std::string(100'000, 'x')));
  EXPECT_EQ(read_text_file(folder / "text", 100'000)->size(), 100'000u);
  EXPECT_EQ(read_text_file(folder / "text", 99'999).error().code, Errc::kLimit);
  EXPECT_EQ(read_text_file("/dev/zero", 1 << 20).error().code, Errc::kLimit);
  EXPECT_GT(read_text_file("/proc/self/status", 1 << 20)->size(), 0u);
  EXPECT_EQ(read_text_file(folder / "absent", 1).error().code, Errc::kNotFound);
  EXPECT_EQ(read_text_file(folder.path(), 1).error().code, Errc::kIo);
}

TEST(TextFile, IsReplacedWhole) {
  const Folder folder;
  ASSERT_TRUE(write_file_atomically(folder / "text", "old"));
  ASSERT_TRUE(write_file_atomically(folder / "text", "new"));
  EXPECT_EQ(*read_text_file(folder / "text", 10), "new");
  EXPECT_EQ(write_file_atomically(folder / "no/text", "new").error().code, Errc::kNotFound);
  std::filesystem::create_directory(folder / "taken");
  EXPECT_FALSE(write_file_atomically(folder / "taken", "new"));
  std::filesystem::directory_iterator names(folder.path());
  EXPECT_EQ(std::distance(begin(names), end(names)), 2);
}

TEST(MakeDirectories, MakesAllOfAPathAndRefusesAFile) {
  const Folder folder;
  EXPECT_TRUE(make_directories(folder / "a/b/c"));
  EXPECT_TRUE(make_directories(folder / "a/b/c"));
  ASSERT_TRUE(write_file_atomically(folder / "file", ""));
  EXPECT_FALSE(make_directories(folder / "file"));
  EXPECT_FALSE(make_directories(folder / "file/below"));
}

TEST(Fd, ClosesOnceAndMovesWhole) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  Fd first(ends[0]);
  Fd second(ends[1]);
  second = std::move(first);
  EXPECT_FALSE(first.is_open());
  EXPECT_EQ(second.get(), ends[0]);
  EXPECT_EQ(::fcntl(ends[1], F_GETFD), -1);
  second.reset();
  EXPECT_EQ(::fcntl(ends[0], F_GETFD), -1);
}

}  // namespace
}  // namespace powercut
