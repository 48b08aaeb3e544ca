// The running kernel agrees: what the writer left, unmounted or cut off, it mounts and reads the
// same; what the kernel left is gone on with here.  Needs root and loop devices.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "fs/file.h"
#include "tests/support/loop_mount.h"
#include "tests/support/mounted_image.h"

namespace powercut::fs {
namespace {

using Bytes8 = std::vector<std::uint8_t>;

Bytes8 bytes_of_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  Bytes8 bytes(std::filesystem::file_size(path));
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

void put_file(const std::filesystem::path& path, Bytes bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

// An image in a folder, mounted by the kernel.
struct Kernel {
  Kernel(Bytes image, const std::string& options) {
    put_file(path(), image);
    mount.emplace(path(), folder.path() / "mount", options);
    EXPECT_TRUE(mount->is_mounted()) << mount->log() << mount->kernel_words();
  }
  std::filesystem::path path() const { return folder.path() / "image"; }
  std::filesystem::path file(const std::string& name) const {
    return folder.path() / "mount" / name;
  }
  // The image as it is after it was unmounted.
  Bytes8 unmounted() {
    EXPECT_TRUE(mount->unmount()) << mount->log();
    return bytes_of_file(path());
  }
  testing::TemporaryFolder folder;
  std::optional<testing::LoopMount> mount;
};

class WithLinux : public ::testing::TestWithParam<const char*> {};

// Files of several shapes; returns what each must hold.
std::map<std::string, Bytes8> fill(TestMount& disk, std::uint64_t seed) {
  std::map<std::string, Bytes8> files;
  Prng random(seed);
  Core& core = disk.core();
  for (int i = 0; i < 6; ++i) {
    const std::string name = "f" + std::to_string(seed) + "_" + std::to_string(i);
    const NodeRef node = disk.make_file(name);
    Bytes8 content;
    for (int k = 0; k < 12; ++k) {
      const std::uint64_t offset = random.below(400'000);
      const auto bytes = pattern(1 + random.below(40'000), random.next());
      EXPECT_TRUE(write_file(core, *node, offset, bytes));
      content.resize(std::max<std::size_t>(content.size(), offset + bytes.size()));
      std::ranges::copy(bytes, content.begin() + static_cast<std::ptrdiff_t>(offset));
    }
    const Range hole{random.below(300'000), 50'000};
    EXPECT_TRUE(punch_range(core, *node, hole));
    const std::size_t end = std::min<std::size_t>(content.size(), hole.end());
    if (hole.offset < end) {
      std::fill(content.begin() + static_cast<std::ptrdiff_t>(hole.offset),
                content.begin() + static_cast<std::ptrdiff_t>(end), 0);
    }
    EXPECT_TRUE(allocate_range(core, *node, {500'000, 30'000}, i % 2 == 0));
    if (i % 2 == 1) content.resize(530'000);
    EXPECT_TRUE(truncate_file(core, node, content.size() - 1234));
    content.resize(content.size() - 1234);
    files[name] = std::move(content);
  }
  return files;
}

TEST_P(WithLinux, ReadsWhatWasUnmountedHere) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_LOOP_MOUNTS();
  TestMount disk(GetParam());
  disk.mount();
  auto files = fill(disk, 1);
  disk.unmount();
  Kernel kernel(disk.device.bytes(), "data=journal");
  for (const auto& [name, content] : files) {
    EXPECT_TRUE(bytes_of_file(kernel.file(name)) == content) << name;
  }
  // The kernel goes on, and so do we.
  const auto more = pattern(123'456, 9);
  put_file(kernel.file("kernel"), more);
  files["kernel"] = more;
  std::filesystem::remove(kernel.file("f1_0"));
  files.erase("f1_0");
  TestMount again(kernel.unmounted());
  again.mount();
  for (auto& [name, content] : fill(again, 2)) files[name] = content;
  again.unmount();
  EXPECT_TRUE(is_clean(again.device.bytes()));
  for (const auto& [name, content] : files) {
    EXPECT_TRUE(content_of(again.device.bytes(), "/" + name) == content) << name;
  }
}

TEST_P(WithLinux, RecoversWhatWasCutOffHere) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_LOOP_MOUNTS();
  TestMount disk(GetParam());
  disk.mount();
  const auto files = fill(disk, 1);
  ASSERT_TRUE(disk.mounted->sync());
  Kernel kernel(disk.crashed(), "data=journal");
  for (const auto& [name, content] : files) {
    EXPECT_TRUE(bytes_of_file(kernel.file(name)) == content) << name;
  }
  EXPECT_TRUE(is_clean(kernel.unmounted()));
}

TEST_P(WithLinux, IsRecoveredWhereItWasCutOff) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_LOOP_MOUNTS();
  TestMount disk(GetParam());
  Kernel kernel(disk.device.bytes(), "data=journal");
  std::map<std::string, Bytes8> files;
  for (int i = 0; i < 5; ++i) {
    const std::string name = "k" + std::to_string(i);
    files[name] = pattern(77'777, static_cast<std::uint64_t>(i));
    put_file(kernel.file(name), files[name]);
  }
  const auto synced = testing::run_shell("sync -f " + kernel.file("k0").string());
  ASSERT_EQ(synced.status, 0) << synced.output;
  TestMount after(bytes_of_file(kernel.path()));
  EXPECT_TRUE(kernel.mount->unmount());
  after.mount();
  for (auto& [name, content] : fill(after, 3)) files[name] = content;
  ASSERT_TRUE(after.mounted->sync());
  TestMount again(after.crashed());
  again.mount();
  again.unmount();
  EXPECT_TRUE(is_clean(again.device.bytes()));
  for (const auto& [name, content] : files) {
    EXPECT_TRUE(content_of(again.device.bytes(), "/" + name) == content) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Of, WithLinux,
                         ::testing::Values("", "-b 1024", "-b 2048 -O ^metadata_csum",
                                           "-O orphan_file,metadata_csum_seed"));

}  // namespace
}  // namespace powercut::fs
