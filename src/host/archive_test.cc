#include "host/archive.h"

#include <gtest/gtest.h>

#include <optional>

#include <archive.h>
#include <archive_entry.h>

#include "base/prng.h"
#include "host/test_support.h"

namespace powercut {
namespace {

using host_testing::Folder;

const auto kEverything = [](std::string_view) { return true; };
constexpr std::uint64_t kMuch = 1 << 20;

struct Member {
  std::string path;
  std::string content{};
  std::string symlink{};
  std::string hardlink{};
  unsigned type = AE_IFREG;
  unsigned mode = 0644;
};

void write_member(::archive* to, const Member& member) {
  ::archive_entry* entry = ::archive_entry_new();
  ::archive_entry_set_pathname(entry, member.path.c_str());
  ::archive_entry_set_filetype(entry, member.type);
  ::archive_entry_set_perm(entry, static_cast<__LA_MODE_T>(member.mode));
  ::archive_entry_set_size(entry, static_cast<la_int64_t>(member.content.size()));
  if (!member.symlink.empty()) ::archive_entry_set_symlink(entry, member.symlink.c_str());
  if (!member.hardlink.empty()) ::archive_entry_set_hardlink(entry, member.hardlink.c_str());
  EXPECT_EQ(::archive_write_header(to, entry), ARCHIVE_OK) << ::archive_error_string(to);
  ::archive_write_data(to, member.content.data(), member.content.size());
  ::archive_entry_free(entry);
}

extern "C" la_ssize_t append_to_string(::archive*, void* context, const void* bytes,
                                       std::size_t length) {
  static_cast<std::string*>(context)->append(static_cast<const char*>(bytes), length);
  return static_cast<la_ssize_t>(length);
}

std::string make_archive(const std::vector<Member>& members, int (*set_format)(::archive*),
                         int (*add_filter)(::archive*)) {
  std::string bytes;
  ::archive* to = ::archive_write_new();
  EXPECT_EQ(set_format(to), ARCHIVE_OK);
  EXPECT_EQ(add_filter(to), ARCHIVE_OK);
  ::archive_write_set_bytes_in_last_block(to, 1);
  ::archive_write_open(to, &bytes, nullptr, &append_to_string, nullptr);
  for (const Member& member : members) write_member(to, member);
  EXPECT_EQ(::archive_write_free(to), ARCHIVE_OK);
  return bytes;
}

std::string compressed(const std::string& content, int (*add_filter)(::archive*)) {
  return make_archive({{.path = "data", .content = content}}, ::archive_write_set_format_raw,
                      add_filter);
}

std::string make_deb(const std::vector<Member>& members,
                     int (*add_filter)(::archive*) = ::archive_write_add_filter_zstd,
                     const std::string& data_name = "data.tar") {
  const std::string data =
      make_archive(members, ::archive_write_set_format_pax_restricted, add_filter);
  const std::string control =
      make_archive({{.path = "./control", .content = "Package: x\n"}},
                   ::archive_write_set_format_ustar, ::archive_write_add_filter_gzip);
  return make_archive({{.path = "debian-binary", .content = "2.0\n"},
                       {.path = "control.tar.gz", .content = control},
                       {.path = data_name, .content = data}},
                      ::archive_write_set_format_ar_svr4, ::archive_write_add_filter_none);
}

Result<void> unpack(const Folder& folder, const std::string& deb,
                    const std::function<bool(std::string_view)>& wanted = kEverything,
                    std::uint64_t bytes_max = kMuch) {
  TRY(write_file_atomically(folder / "x.deb", deb));
  return unpack_deb(folder / "x.deb", folder / "into", wanted, bytes_max);
}

std::string content_of(const std::filesystem::path& path) {
  const auto content = read_text_file(path, kMuch);
  return content ? *content : std::string("absent");
}

TEST(UnpackDeb, EveryCompressionOfDebian) {
  struct Case {
    const char* name;
    int (*add_filter)(::archive*);
  };
  const Case cases[] = {{"data.tar", ::archive_write_add_filter_none},
                        {"data.tar.gz", ::archive_write_add_filter_gzip},
                        {"data.tar.xz", ::archive_write_add_filter_xz},
                        {"data.tar.zst", ::archive_write_add_filter_zstd}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Folder folder;
    const std::string big(300'000, 'b');
    const std::string deb = make_deb({{.path = "./", .type = AE_IFDIR},
                                      {.path = "./boot/", .type = AE_IFDIR},
                                      {.path = "./boot/vmlinuz", .content = big},
                                      {.path = "./sbin/tool", .content = "t", .mode = 04755}},
                                     c.add_filter, c.name);
    ASSERT_TRUE(unpack(folder, deb));
    EXPECT_EQ(content_of(folder / "into/boot/vmlinuz"), big);
    const auto mode = std::filesystem::status(folder / "into/sbin/tool").permissions();
    EXPECT_EQ(static_cast<unsigned>(mode), 0755u);  // no set-user-ID
  }
}

TEST(UnpackDeb, OnlyWhatIsWanted) {
  const Folder folder;
  std::vector<std::string> asked;
  const auto wanted = [&asked](std::string_view path) {
    asked.emplace_back(path);
    return path == "a/wanted";
  };
  ASSERT_TRUE(unpack(folder,
                     make_deb({{.path = "./a/wanted", .content = "1"},
                               {.path = "./a/other", .content = "2"},
                               {.path = "/abs//file", .content = "3"},
                               {.path = "./a/link", .symlink = "wanted", .type = AE_IFLNK},
                               {.path = "./a/pipe", .type = AE_IFIFO}}),
                     wanted, 1));
  EXPECT_EQ(asked, (std::vector<std::string>{"a/wanted", "a/other", "abs/file"}));
  EXPECT_EQ(content_of(folder / "into/a/wanted"), "1");
  std::filesystem::recursive_directory_iterator names(folder / "into");
  EXPECT_EQ(std::distance(begin(names), end(names)), 2);
}

TEST(UnpackDeb, LeavesTheFolderUnderNoPath) {
  for (const char* path : {"../evil", "./../evil", "a/../../evil", "a/..", "/../evil", ".."}) {
    SCOPED_TRACE(path);
    const Folder folder;
    const auto outcome = unpack(folder, make_deb({{.path = path, .content = "x"}}));
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Errc::kCorrupt);
    EXPECT_FALSE(std::filesystem::exists(folder / "evil"));
  }
}

TEST(UnpackDeb, LeavesTheFolderThroughNoLink) {
  const Folder folder;
  ASSERT_TRUE(make_directories(folder / "outside"));
  // A link of the archive is passed over: the folder of its name is a real one.
  const std::string deb =
      make_deb({{.path = "d", .symlink = (folder / "outside").native(), .type = AE_IFLNK},
                {.path = "d/file", .content = "x"}});
  ASSERT_TRUE(unpack(folder, deb));
  EXPECT_EQ(content_of(folder / "into/d/file"), "x");
  // A link that was there before is not followed.
  std::filesystem::remove_all(folder / "into/d");
  std::filesystem::create_directory_symlink(folder / "outside", folder / "into/d");
  EXPECT_FALSE(unpack(folder, deb));
  // Nor is one in the place of a file.
  ASSERT_TRUE(write_file_atomically(folder / "outside/precious", "mine"));
  std::filesystem::create_symlink(folder / "outside/precious", folder / "into/file");
  ASSERT_TRUE(unpack(folder, make_deb({{.path = "file", .content = "theirs"}})));
  EXPECT_EQ(content_of(folder / "outside/precious"), "mine");
  EXPECT_EQ(content_of(folder / "into/file"), "theirs");
  // Nor does a hard link reach out.
  ASSERT_FALSE(unpack(folder, make_deb({{.path = "e", .hardlink = "../outside/precious"}})));
  ASSERT_FALSE(unpack(folder, make_deb({{.path = "e", .hardlink = "d/precious"}})));
  std::filesystem::directory_iterator names(folder / "outside");
  EXPECT_EQ(std::distance(begin(names), end(names)), 1);
}

TEST(UnpackDeb, HardLinksToWhatWasUnpackedAreMade) {
  const std::string deb = make_deb(
      {{.path = "./a/first", .content = "x"}, {.path = "./b/second", .hardlink = "./a/first"}});
  const Folder both;
  ASSERT_TRUE(unpack(both, deb));
  EXPECT_EQ(content_of(both / "into/b/second"), "x");
  const Folder one;
  const auto outcome = unpack(one, deb, [](std::string_view path) { return path == "b/second"; });
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::kUnsupported);
  EXPECT_EQ(outcome.error().detail.view(), "b/second -> a/first");
}

TEST(UnpackDeb, BytesAreBounded) {
  const std::string deb = make_deb({{.path = "a", .content = std::string(6000, 'a')},
                                    {.path = "b", .content = std::string(4000, 'b')}});
  EXPECT_TRUE(unpack(Folder(), deb, kEverything, 10'000));
  EXPECT_EQ(unpack(Folder(), deb, kEverything, 9'999).error().code, Errc::kLimit);
  EXPECT_TRUE(unpack(
      Folder(), deb, [](std::string_view path) { return path == "a"; }, 6000));
}

TEST(UnpackDeb, WhatIsNoDebIsNamed) {
  const Folder folder;
  const std::string good = make_deb({{.path = "a", .content = std::string(200'000, 'a')}},
                                    ::archive_write_add_filter_none);
  struct Case {
    const char* what;
    std::string bytes;
  };
  const Case cases[] = {
      {"empty", ""},
      {"text", "this is no archive"},
      {"only the magic", "!<arch>\n"},
      {"cut in its data", good.substr(0, 100'000)},
      {"no data.tar",
       make_archive({{.path = "debian-binary", .content = "2.0\n"}},
                    ::archive_write_set_format_ar_svr4, ::archive_write_add_filter_none)},
      {"its data is no tar",
       make_archive({{.path = "data.tar.xz", .content = std::string(4096, 'x')}},
                    ::archive_write_set_format_ar_svr4, ::archive_write_add_filter_none)},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    const auto outcome = unpack(folder, c.bytes);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Errc::kCorrupt) << outcome.error().detail.view();
    EXPECT_NE(outcome.error().detail.view().find("x.deb"), std::string::npos);
  }
  EXPECT_EQ(unpack_deb(folder / "absent", folder / "into", kEverything, 1).error().code,
            Errc::kNotFound);
  EXPECT_EQ(unpack_deb(folder.path(), folder / "into", kEverything, 1).error().code,
            Errc::kInvalid);
}

TEST(UnpackDeb, NoDamageLeavesTheFolder) {
  const std::string good = make_deb(
      {{.path = "aa/file", .content = "x"}, {.path = "bb/file", .content = std::string(2000, 'y')}},
      ::archive_write_add_filter_none);
  Prng prng(5);
  for (int round = 0; round < 60; ++round) {
    const Folder folder;
    std::string bad = good;
    for (int i = 0; i < 4; ++i) bad[prng.below(bad.size())] = static_cast<char>(prng.next());
    ignore_error(unpack(folder, bad), "damage may be anywhere");
    std::filesystem::directory_iterator names(folder.path());
    ASSERT_LE(std::distance(begin(names), end(names)), 2) << round;  // x.deb and into
  }
}

TEST(UnpackDeb, WhatDpkgBuilds) {
  if (!find_program("dpkg-deb")) GTEST_SKIP() << "no dpkg-deb here";
  const Folder folder;
  ASSERT_TRUE(make_directories(folder / "tree/DEBIAN"));
  ASSERT_TRUE(make_directories(folder / "tree/usr/share/x"));
  ASSERT_TRUE(write_file_atomically(folder / "tree/usr/share/x/file", "content"));
  ASSERT_TRUE(write_file_atomically(folder / "tree/DEBIAN/control",
                                    "Package: x\nVersion: 1\nArchitecture: all\n"
                                    "Maintainer: x <x@example.org>\nDescription: x\n"));
  for (const char* compression : {"xz", "zstd", "gzip", "none"}) {
    SCOPED_TRACE(compression);
    const std::string built = host_testing::shell(
        std::string("dpkg-deb -Z") + compression + " --root-owner-group --build " +
        (folder / "tree").native() + " " + (folder / compression).native());
    ASSERT_TRUE(std::filesystem::exists(folder / compression)) << built;
    const auto into = folder / (std::string(compression) + "-into");
    ASSERT_TRUE(unpack_deb(folder / compression, into, kEverything, kMuch));
    EXPECT_EQ(content_of(into / "usr/share/x/file"), "content");
  }
}

TEST(ReadCompressedFile, PlainAndCompressed) {
  const Folder folder;
  std::string content;
  for (int i = 0; i < 30'000; ++i) content += std::to_string(i);
  struct Case {
    const char* name;
    std::string bytes;
  };
  const Case cases[] = {
      {"plain", content},
      {"gz", compressed(content, ::archive_write_add_filter_gzip)},
      {"xz", compressed(content, ::archive_write_add_filter_xz)},
      {"zst", compressed(content, ::archive_write_add_filter_zstd)},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    ASSERT_TRUE(write_file_atomically(folder / "file", c.bytes));
    const auto read = read_compressed_file(folder / "file", content.size());
    ASSERT_TRUE(read) << read.error().detail.view();
    EXPECT_TRUE(*read == content);
    EXPECT_EQ(read_compressed_file(folder / "file", content.size() - 1).error().code, Errc::kLimit);
    if (c.bytes == content) continue;
    ASSERT_LT(c.bytes.size(), content.size());
    ASSERT_TRUE(write_file_atomically(folder / "cut", c.bytes.substr(0, c.bytes.size() / 2)));
    const auto cut = read_compressed_file(folder / "cut", content.size());
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().code, Errc::kCorrupt);
  }
}

TEST(ReadCompressedFile, EmptyAbsentAndFolder) {
  const Folder folder;
  ASSERT_TRUE(write_file_atomically(folder / "empty", ""));
  EXPECT_EQ(*read_compressed_file(folder / "empty", 0), "");
  EXPECT_EQ(read_compressed_file(folder / "absent", 1).error().code, Errc::kNotFound);
  EXPECT_EQ(read_compressed_file(folder.path(), 1).error().code, Errc::kInvalid);
}

}  // namespace
}  // namespace powercut
