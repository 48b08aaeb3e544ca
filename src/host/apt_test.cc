#include "host/apt.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "host/archive.h"
#include "host/test_support.h"

namespace powercut {
namespace {

using host_testing::Folder;
using host_testing::Variable;

constexpr const char* kSmall = "hostname";  // a package of 11 KiB

// apt with other settings, for the length of a test.
class AptConfig {
 public:
  explicit AptConfig(const std::string& text) {
    CHECK(write_file_atomically(folder_ / "apt.conf", text).has_value(), "a test needs a file");
    variable_.emplace("APT_CONFIG", (folder_ / "apt.conf").native());
  }

 private:
  Folder folder_;
  std::optional<Variable> variable_;
};

std::string empty_index(const Folder& folder) {
  return "Dir::State::lists \"" + (folder / "lists").native() +
         "\";\nDir::Cache::pkgcache \"\";\nDir::Cache::srcpkgcache \"\";\n";
}

// Where apt keeps no cache of its index (containers), each question takes seconds: few questions.
#define SKIP_WITHOUT_INDEX(result)                                                   \
  if (!(result) && (result).error().code == Errc::kNotFound) {                       \
    GTEST_SKIP() << (result).error().what << ": " << (result).error().detail.view(); \
  }

TEST(Apt, NamesByTheirBeginning) {
  const auto names = apt_package_names("hostn");
  SKIP_WITHOUT_INDEX(names);
  ASSERT_TRUE(names);
  EXPECT_NE(std::find(names->begin(), names->end(), kSmall), names->end());
  for (const std::string& name : *names) EXPECT_TRUE(name.starts_with("hostn")) << name;
}

TEST(Apt, TheKernelOfDebian12HasAFile) {
  const auto package = apt_candidate("linux-image-6.1.0-56-cloud-amd64-unsigned");
  SKIP_WITHOUT_INDEX(package);  // or another Debian, or another day
  ASSERT_TRUE(package);
  EXPECT_EQ(package->name, "linux-image-6.1.0-56-cloud-amd64-unsigned");
  EXPECT_TRUE(package->version.starts_with("6.1.")) << package->version;
  EXPECT_EQ(package->sha256.size(), 64u);
  EXPECT_GT(package->size_bytes, std::uint64_t{10} << 20);
}

TEST(Apt, DependenciesAreNamesOnly) {
  const auto names = apt_dependencies("e2fsprogs");
  SKIP_WITHOUT_INDEX(names);
  ASSERT_TRUE(names);
  EXPECT_NE(std::find(names->begin(), names->end(), "libc6"), names->end());
  EXPECT_GT(names->size(), 2u);
  for (const std::string& name : *names) {
    EXPECT_EQ(name.find_first_of(" (|:,"), std::string::npos) << name;
    EXPECT_EQ(std::count(names->begin(), names->end(), name), 1) << name;
  }
}

TEST(Apt, WhatIsNotThereIsNamed) {
  const auto absent = apt_candidate("powercut-no-such-package");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, Errc::kNotFound);
  if (!find_program("apt-cache")) GTEST_SKIP() << "no apt here";
  EXPECT_TRUE(absent.error().detail.view().starts_with("powercut-no-such-package"));
}

TEST(Apt, OnlyNamesReachIt) {
  const Folder folder;
  for (const char* name : {"", "-o", "--help", "Name", "a b", "a/b", "a=1", "*", "a\nb", "?x"}) {
    EXPECT_EQ(apt_candidate(name).error().code, Errc::kInvalid) << name;
    EXPECT_EQ(apt_dependencies(name).error().code, Errc::kInvalid) << name;
    EXPECT_EQ(
        apt_download({.name = name, .version = "1", .sha256 = "", .size_bytes = 0}, folder.path())
            .error()
            .code,
        Errc::kInvalid)
        << name;
  }
  EXPECT_EQ(apt_package_names("-o").error().code, Errc::kInvalid);
  EXPECT_EQ(
      apt_download({.name = "a", .version = "1 -o", .sha256 = "", .size_bytes = 0}, folder.path())
          .error()
          .code,
      Errc::kInvalid);
}

TEST(Apt, AnEmptyIndexSaysWhatToDo) {
  if (!find_program("apt-cache")) GTEST_SKIP() << "no apt here";
  const Folder folder;
  ASSERT_TRUE(make_directories(folder / "lists/partial"));
  const AptConfig config(empty_index(folder));
  // One that may be installed, one that is not, and one that is nowhere.
  for (const char* name : {kSmall, "linux-image-cloud-amd64", "powercut-no-such-package"}) {
    const auto package = apt_candidate(name);
    ASSERT_FALSE(package);
    EXPECT_EQ(package.error().code, Errc::kNotFound);
    EXPECT_NE(package.error().detail.view().find("run apt-get update"), std::string::npos)
        << package.error().detail.view();
  }
  const auto names = apt_package_names("powercut-no-such");
  ASSERT_FALSE(names);
  EXPECT_NE(names.error().detail.view().find("run apt-get update"), std::string::npos);
}

TEST(Apt, WithoutAptTheProgramIsNamed) {
  const Folder folder;
  const Variable path("PATH", folder.path().native());
  if (find_program("apt-cache")) GTEST_SKIP() << "apt is in /usr/sbin here";
  const auto names = apt_package_names("x");
  ASSERT_FALSE(names);
  EXPECT_EQ(names.error().code, Errc::kNotFound);
  EXPECT_EQ(names.error().detail.view(), "apt-cache");
}

TEST(AptDownload, FetchesChecksAndUnpacks) {
  const auto package = apt_candidate(kSmall);
  SKIP_WITHOUT_INDEX(package);
  ASSERT_TRUE(package);
  const Folder folder;
  const auto deb = apt_download(*package, folder / "new/cache");
  SKIP_WITHOUT_INDEX(deb);  // or without a network
  ASSERT_TRUE(deb) << deb.error().what << ": " << deb.error().detail.view();
  EXPECT_EQ(*sha256_of_file(*deb), package->sha256);
  ASSERT_TRUE(unpack_deb(
      *deb, folder / "into", [](std::string_view path) { return path.starts_with("bin/"); },
      std::uint64_t{1} << 20));
  EXPECT_GT(std::filesystem::file_size(folder / "into/bin/hostname"), 1000u);

  // From here apt can fetch nothing.  What is there is not fetched again, but what is there and
  // wrong is.
  ASSERT_TRUE(make_directories(folder / "lists/partial"));
  const AptConfig config(empty_index(folder));
  EXPECT_EQ(*apt_download(*package, folder / "new/cache"), *deb);
  ASSERT_TRUE(write_file_atomically(*deb, "half"));
  const auto again = apt_download(*package, folder / "new/cache");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::kNotFound);
  EXPECT_TRUE(again.error().detail.view().starts_with("hostname: ")) << again.error().detail.view();
  EXPECT_FALSE(std::filesystem::exists(*deb));
}

TEST(AptDownload, WhatTheIndexDidNotSayIsRefusedAndRemoved) {
  auto package = apt_candidate(kSmall);
  SKIP_WITHOUT_INDEX(package);
  ASSERT_TRUE(package);
  for (const bool is_sum_wrong : {true, false}) {
    SCOPED_TRACE(is_sum_wrong);
    PackageVersion wrong = *package;
    if (is_sum_wrong) {
      wrong.sha256[0] = wrong.sha256[0] == '0' ? '1' : '0';
    } else {
      ++wrong.size_bytes;
    }
    const Folder folder;
    const auto deb = apt_download(wrong, folder.path());
    ASSERT_FALSE(deb);
    SKIP_WITHOUT_INDEX(deb);  // or without a network
    EXPECT_EQ(deb.error().code, Errc::kChecksum);
    std::filesystem::directory_iterator names(folder.path());
    EXPECT_EQ(std::distance(begin(names), end(names)), 0);
  }
}

TEST(AptDownload, NoRoomIsSaidBefore) {
  const Folder folder;
  const PackageVersion package{
      .name = "big", .version = "1", .sha256 = "", .size_bytes = std::uint64_t{1} << 60};
  EXPECT_EQ(apt_download(package, folder.path()).error().code, Errc::kNoSpace);
}

TEST(Sha256, KnownValues) {
  const Folder folder;
  ASSERT_TRUE(write_file_atomically(folder / "abc", "abc"));
  ASSERT_TRUE(write_file_atomically(folder / "back\\slash\nline", ""));
  EXPECT_EQ(*sha256_of_file(folder / "abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(*sha256_of_file(folder / "back\\slash\nline"),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_of_file(folder / "absent").error().code, Errc::kNotFound);
}

}  // namespace
}  // namespace powercut
