#include <gtest/gtest.h>

#include <archive.h>
#include <archive_entry.h>
#include <sys/sysmacros.h>

#include "host/archive.h"
#include "host/test_support.h"

namespace powercut {
namespace {

using host_testing::bytes_of_text;
using host_testing::Folder;

// One line an entry, as libarchive reads it back: type and mode, owner, time, path, what is in it.
std::string listing(Bytes cpio) {
  std::string text;
  ::archive* reader = ::archive_read_new();
  ::archive_read_support_format_cpio(reader);
  EXPECT_EQ(::archive_read_open_memory(reader, cpio.data(), cpio.size()), ARCHIVE_OK);
  ::archive_entry* entry = nullptr;
  int status = ARCHIVE_OK;
  while ((status = ::archive_read_next_header(reader, &entry)) == ARCHIVE_OK) {
    EXPECT_EQ(::archive_entry_uid(entry) + ::archive_entry_gid(entry), 0);
    EXPECT_EQ(::archive_entry_mtime(entry), 0);
    std::string content(static_cast<std::size_t>(::archive_entry_size(entry)), '\0');
    ::archive_read_data(reader, content.data(), content.size());
    if (::archive_entry_symlink(entry) != nullptr) content = ::archive_entry_symlink(entry);
    if (::archive_entry_filetype(entry) == AE_IFCHR) {
      const dev_t device = ::archive_entry_rdev(entry);
      content = std::to_string(major(device)) + ":" + std::to_string(minor(device));
    }
    text += std::string(::archive_entry_strmode(entry)) + ::archive_entry_pathname(entry) + " " +
            content + "\n";
  }
  EXPECT_EQ(status, ARCHIVE_EOF) << ::archive_error_string(reader);
  ::archive_read_free(reader);
  return text;
}

void add_some(CpioWriter& cpio) {
  cpio.add_file("/init", bytes_of_text("#!/bin/sh"), 0755);
  cpio.add_file("lib/modules/6.1/ext4.ko", bytes_of_text("module"), 0644);
  cpio.add_symlink("bin/sh", "busybox");
  cpio.add_directory("proc");
  cpio.add_character_device("dev/console", 5, 1);
  cpio.add_character_device("dev/null", 1, 3);
}

constexpr const char* kSome =
    "drwxr-xr-x bin \n"
    "lrwxrwxrwx bin/sh busybox\n"
    "drwxr-xr-x dev \n"
    "crw------- dev/console 5:1\n"
    "crw------- dev/null 1:3\n"
    "-rwxr-xr-x init #!/bin/sh\n"
    "drwxr-xr-x lib \n"
    "drwxr-xr-x lib/modules \n"
    "drwxr-xr-x lib/modules/6.1 \n"
    "-rw-r--r-- lib/modules/6.1/ext4.ko module\n"
    "drwxr-xr-x proc \n";

TEST(CpioWriter, IsReadBack) {
  CpioWriter cpio;
  add_some(cpio);
  const auto bytes = cpio.finish();
  ASSERT_TRUE(bytes);
  EXPECT_TRUE(std::string_view(reinterpret_cast<const char*>(bytes->data()), 6) == "070701");
  EXPECT_EQ(listing(*bytes), kSome);
  EXPECT_TRUE(cpio.has("lib/modules"));
  EXPECT_TRUE(cpio.has("/init"));
  EXPECT_FALSE(cpio.has("lib/mod"));
}

TEST(CpioWriter, EqualContentGivesEqualBytes) {
  CpioWriter one;
  add_some(one);
  CpioWriter other;
  other.add_character_device("/dev/null", 1, 3);
  other.add_directory("dev");
  other.add_file("init", bytes_of_text("first try"), 0600);
  add_some(other);
  EXPECT_EQ(*one.finish(), *other.finish());
  EXPECT_EQ(*one.finish(), *other.finish());  // finish() takes nothing away
  other.add_file("init", bytes_of_text("#!/bin/ash"), 0755);
  EXPECT_NE(*one.finish(), *other.finish());
}

TEST(CpioWriter, BusyboxReadsItToo) {
  if (!find_program("busybox")) GTEST_SKIP() << "no busybox here";
  const Folder folder;
  CpioWriter cpio;
  cpio.add_file("a/file", bytes_of_text("content"), 0640);
  cpio.add_file("a/empty", {}, 0644);
  cpio.add_symlink("a/link", "file");
  const auto bytes = cpio.finish();
  ASSERT_TRUE(bytes);
  ASSERT_TRUE(write_file_atomically(
      folder / "archive",
      std::string_view(reinterpret_cast<const char*>(bytes->data()), bytes->size())));
  const std::string in_folder = "cd " + folder.path().native() + " && ";
  EXPECT_EQ(host_testing::shell(in_folder + "busybox cpio -t < archive 2>/dev/null"),
            "a\na/empty\na/file\na/link\n");
  EXPECT_EQ(host_testing::shell(in_folder + "busybox cpio -i < archive 2>/dev/null && "
                                            "cat a/link && stat -c %a a/file"),
            "content640\n");
}

TEST(CpioWriter, TakesFilesFromDisk) {
  const Folder folder;
  const std::string big(3 << 20, 'k');
  ASSERT_TRUE(write_file_atomically(folder / "big", big));
  CpioWriter cpio;
  ASSERT_TRUE(cpio.add_file_from("boot/big", folder / "big", 0400));
  EXPECT_EQ(cpio.add_file_from("x", folder / "absent", 0400).error().code, Errc::kNotFound);
  EXPECT_EQ(listing(*cpio.finish()), "drwxr-xr-x boot \n-r-------- boot/big " + big + "\n");
}

TEST(CpioWriter, BadPathsAreRefusedAtTheEnd) {
  for (const char* path : {"", "/", "..", "../x", "a/../x", "a//b", "a/", "./a"}) {
    CpioWriter cpio;
    cpio.add_file(path, {}, 0644);
    cpio.add_file("good", {}, 0644);
    const auto bytes = cpio.finish();
    ASSERT_FALSE(bytes) << path;
    EXPECT_EQ(bytes.error().code, Errc::kInvalid) << path;
    EXPECT_EQ(bytes.error().detail.view(), path);
  }
}

TEST(CpioWriter, APathIsAFileOrAFolder) {
  CpioWriter below;
  below.add_file("a", {}, 0644);
  below.add_file("a/b", {}, 0644);
  EXPECT_EQ(below.finish().error().code, Errc::kInvalid);
  CpioWriter above;
  above.add_file("a/b", {}, 0644);
  above.add_symlink("a", "c");
  EXPECT_EQ(above.finish().error().code, Errc::kInvalid);
  CpioWriter no_target;
  no_target.add_symlink("a", "");
  EXPECT_EQ(no_target.finish().error().code, Errc::kInvalid);
}

}  // namespace
}  // namespace powercut
