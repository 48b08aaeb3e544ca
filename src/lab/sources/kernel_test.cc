#include "lab/sources/kernel.h"

#include <fstream>

#include <gtest/gtest.h>

#include "base/stored_int.h"
#include "host/machine.h"
#include "host/process.h"
#include "lab/sources/kernel_cache.h"
#include "lab/sources/kernel_version.h"

namespace powercut::lab {
namespace {

std::string read_as(std::string_view text) {
  const auto spec = KernelSpec::parse(text);
  if (!spec) return "-";
  switch (spec->kind) {
    case KernelSpec::Kind::kSeries: return "series " + spec->value;
    case KernelSpec::Kind::kSuite: return "suite " + spec->value;
    case KernelSpec::Kind::kPackageFile: return "package " + spec->value;
    case KernelSpec::Kind::kImageFile: return "image " + spec->value;
  }
  return "";
}

TEST(KernelSpec, Table) {
  EXPECT_EQ(read_as("debian:6.1"), "series 6.1");
  EXPECT_EQ(read_as("debian:6.12"), "series 6.12");
  EXPECT_EQ(read_as("debian:6.1.0-50"), "series 6.1.0-50");
  EXPECT_EQ(read_as("debian:6.12.117+deb12"), "series 6.12.117+deb12");
  EXPECT_EQ(read_as("debian:bookworm"), "suite bookworm");
  EXPECT_EQ(read_as("deb:/tmp/linux.deb"), "package /tmp/linux.deb");
  EXPECT_EQ(read_as("arch/x86/boot/bzImage"), "image arch/x86/boot/bzImage");
  EXPECT_EQ(read_as("bzImage"), "image bzImage");
  EXPECT_EQ(read_as("./a:b"), "image ./a:b");
  for (const char* wrong : {"", "debian:", "debian:6", "debian:sid", "debian:../x", "debian:6.1/..",
                            "debian:6.1 6.2", "debian:0.1", "deb:", "ubuntu:22.04"}) {
    EXPECT_EQ(read_as(wrong), "-") << wrong;
  }
}

char sign_of(int order) {
  return order < 0 ? '<' : order > 0 ? '>' : '=';
}

struct VersionCase {
  const char* a;
  char order;
  const char* b;
};
constexpr VersionCase kVersions[] = {
    {"6.1.0-9", '<', "6.1.0-56"},
    {"6.12.9", '<', "6.12.117"},
    {"6.1.0-56", '=', "6.1.0-56"},
    {"6.1.0-056", '=', "6.1.0-56"},
    {"1.0~rc1", '<', "1.0"},
    {"1.0~rc1", '<', "1.0~rc2"},
    {"1.0~~", '<', "1.0~"},
    {"1.0+b1", '>', "1.0"},
    {"1.0a", '<', "1.0+"},
    {"1.0a", '>', "1.0"},
    {"2", '>', "1.999"},
    {"", '<', "1"},
    {"6.12.117-1~deb12u1", '<', "6.12.117-1"},
};

TEST(CompareDebianVersions, Table) {
  for (const VersionCase& one : kVersions) {
    EXPECT_EQ(sign_of(compare_debian_versions(one.a, one.b)), one.order) << one.a << " " << one.b;
    const char reverse = one.order == '<' ? '>' : one.order == '>' ? '<' : '=';
    EXPECT_EQ(sign_of(compare_debian_versions(one.b, one.a)), reverse) << one.b << " " << one.a;
  }
}

TEST(CompareDebianVersions, DpkgSaysTheSame) {
  if (!find_program("dpkg")) GTEST_SKIP() << "no dpkg on this machine";
  for (const VersionCase& one : kVersions) {
    if (*one.a == '\0') continue;  // dpkg has its own rule for absent versions
    const char* word = one.order == '<' ? "lt" : one.order == '>' ? "gt" : "eq";
    const auto outcome =
        run_command({.arguments = {"dpkg", "--compare-versions", one.a, word, one.b}},
                    std::chrono::seconds(60));
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(outcome->status.is_success()) << one.a << " " << word << " " << one.b;
  }
}

TEST(NewestKernelPackage, Table) {
  const std::vector<std::string> packages = {"linux-image-6.1.0-9-cloud-amd64-unsigned",
                                             "linux-image-6.1.0-56-cloud-amd64",
                                             "linux-image-6.1.0-56-cloud-amd64-unsigned",
                                             "linux-image-6.1.0-55-cloud-amd64-unsigned",
                                             "linux-image-6.1.0-99-amd64",
                                             "linux-image-6.1.0-99-cloud-amd64-dbg",
                                             "linux-image-6.12.9+deb12-cloud-amd64-unsigned",
                                             "linux-image-6.12.117+deb12-cloud-amd64-unsigned",
                                             "linux-image-cloud-amd64",
                                             "linux-image-6.5.0-1-cloud-amd64",
                                             ""};
  const auto newest = [&](std::string_view series) {
    return newest_kernel_package(packages, series).value_or("-");
  };
  EXPECT_EQ(newest("6.1"), "linux-image-6.1.0-56-cloud-amd64-unsigned");
  EXPECT_EQ(newest("6.1.0-9"), "linux-image-6.1.0-9-cloud-amd64-unsigned");
  EXPECT_EQ(newest("6.12"), "linux-image-6.12.117+deb12-cloud-amd64-unsigned");
  EXPECT_EQ(newest("6.5"), "linux-image-6.5.0-1-cloud-amd64");
  EXPECT_EQ(newest("6.2"), "-");
  EXPECT_EQ(newest(""), "-");
}

std::vector<std::uint8_t> bzimage(std::string_view release) {
  std::vector<std::uint8_t> head(8192);
  store(head, 0x1FE, Le16(0xAA55));
  store(head, 0x202, Le32(0x53726448));
  store(head, 0x206, Le16(0x020F));
  store(head, 0x20E, Le16(0x400));
  store(head, 0x236, Le16(1));
  std::copy(release.begin(), release.end(), head.begin() + 0x600);
  return head;
}

TEST(ParseBzImage, ReadsReleaseAndWidth) {
  const auto facts = parse_bzimage(bzimage("6.1.0-56-cloud-amd64 (debian-kernel@lists) #1"));
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->release, "6.1.0-56-cloud-amd64");
  EXPECT_TRUE(facts->is_64_bit);
  auto narrow = bzimage("x");
  store(narrow, 0x236, Le16(0));
  EXPECT_FALSE(parse_bzimage(narrow)->is_64_bit);
  const auto endless = parse_bzimage(bzimage(std::string(3000, 'v')));
  ASSERT_TRUE(endless);
  EXPECT_EQ(endless->release.size(), 128U);
}

TEST(ParseBzImage, RefusesDamage) {
  const auto code_with = [](std::size_t at, std::uint16_t value) {
    auto head = bzimage("6.1");
    store(head, at, Le16(value));
    const auto facts = parse_bzimage(head);
    return facts ? "read" : errc_name(facts.error().code);
  };
  EXPECT_EQ(code_with(0x1FE, 0), "damaged");
  EXPECT_EQ(code_with(0x202, 0), "damaged");
  EXPECT_EQ(code_with(0x206, 0x20B), "not supported");
  EXPECT_EQ(code_with(0x20E, 0x2000), "damaged");
  EXPECT_EQ(code_with(0x20E, 0), "read");
  for (const std::size_t length : {0U, 0x1FFU, 0x237U}) {
    EXPECT_FALSE(parse_bzimage(std::vector<std::uint8_t>(length))) << length;
  }
}

class Cache : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = TempDirectory::make("kernel-test");
    ASSERT_TRUE(made);
    folder_.emplace(std::move(made).value());
  }
  void write(const std::string& name, std::string_view content) {
    const auto path = folder_->path() / "kernels" / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary)
        .write(content.data(), static_cast<std::streamsize>(content.size()));
  }
  std::optional<TempDirectory> folder_;
};

TEST_F(Cache, TakesOnlyWholeKernels) {
  const auto head = bzimage("6.1.0-7-cloud-amd64");
  const std::string_view image(reinterpret_cast<const char*>(head.data()), head.size());
  // Without the number of the set of modules: what was unpacked before guests needed all of it.
  const std::string old_facts =
      "package=linux-image-6.1.0-7-cloud-amd64\nversion=6.1.20-1\nsha256=ab\n"
      "release=6.1.0-7-cloud-amd64\n";
  const std::string facts = old_facts + "module-set=2\n";
  write("whole/kernel.txt", facts);
  write("whole/vmlinuz", image);
  write("old/kernel.txt", old_facts);
  write("old/vmlinuz", image);
  write("no-facts/vmlinuz", image);
  write("no-image/kernel.txt", facts);
  write("half-image/kernel.txt", facts);
  write("half-image/vmlinuz", image.substr(0, 0x210));
  write(".unpacking-killed/kernel.txt", facts);
  write(".unpacking-killed/vmlinuz", image);
  const KernelCache cache(folder_->path());
  EXPECT_EQ(cache.all().size(), 1U);
  EXPECT_TRUE(cache.find("whole"));
  for (const char* id : {"old", "no-facts", "no-image", "half-image", "absent"}) {
    EXPECT_FALSE(cache.find(id)) << id;
  }
  const auto scratch = cache.make_scratch();
  ASSERT_TRUE(scratch);
  EXPECT_FALSE(std::filesystem::exists(folder_->path() / "kernels/.unpacking-killed"));
  const auto second = cache.make_scratch();
  ASSERT_TRUE(second);
  EXPECT_TRUE(std::filesystem::exists(scratch->path()));
}

TEST_F(Cache, UnpacksAPackage) {
  if (!find_program("dpkg-deb")) GTEST_SKIP() << "no dpkg-deb on this machine";
  const auto root = folder_->path() / "package";
  std::filesystem::create_directories(root / "DEBIAN");
  std::filesystem::create_directories(root / "boot");
  std::ofstream(root / "DEBIAN/control") << "Package: linux-test\nVersion: 1\nArchitecture: amd64\n"
                                            "Maintainer: nobody <nobody@example.com>\n"
                                            "Description: a kernel for a test\n";
  const auto head = bzimage("9.9.9-test");
  std::ofstream(root / "boot/vmlinuz-9.9.9-test", std::ios::binary)
      .write(reinterpret_cast<const char*>(head.data()), static_cast<std::streamsize>(head.size()));
  const std::string deb = (folder_->path() / "linux-test.deb").string();
  const auto outcome =
      run_command({.arguments = {"dpkg-deb", "-b", root.string(), deb}}, std::chrono::seconds(60));
  ASSERT_TRUE(outcome && outcome->status.is_success());
  const auto spec = KernelSpec::parse("deb:" + deb);
  ASSERT_TRUE(spec);
  for (int round = 0; round < 2; ++round) {  // the second time from the cache
    const auto image = obtain_kernel(*spec, {}, folder_->path() / "cache", {});
    if (!image && image.error().code == Errc::kUnsupported) GTEST_SKIP() << image.error().what;
    ASSERT_TRUE(image) << image.error().what << image.error().detail.view();
    EXPECT_EQ(image->release, "9.9.9-test");
    EXPECT_EQ(image->package, "linux-test.deb");
    EXPECT_EQ(image->name, "deb:" + deb);
    EXPECT_TRUE(std::filesystem::exists(image->vmlinuz));
  }
}

TEST(ObtainKernel, SaysWhatIsNotThere) {
  for (const char* name : {"deb:/nowhere/linux.deb", "/nowhere/bzImage"}) {
    const auto image = obtain_kernel(*KernelSpec::parse(name), {}, "/nowhere/cache", {});
    ASSERT_FALSE(image);
    EXPECT_TRUE(image.error().code == Errc::kNotFound || image.error().code == Errc::kUnsupported)
        << name;
  }
}

}  // namespace
}  // namespace powercut::lab
