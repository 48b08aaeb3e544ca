// The structure judge on what the running kernel leaves when a file system is cut off in the middle
// of a load, with open files that have no name: recovered by us, each state agrees with itself; so
// it does after the kernel's own mount, and e2fsck agrees.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/memory_device.h"
#include "lab/check/structure_test_walker.h"
#include "reader/volume.h"
#include "recovery/recovery.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/files.h"
#include "tests/support/long_form.h"
#include "tests/support/loop_mount.h"

namespace powercut::lab {
namespace {

namespace fs = std::filesystem;
using structure_testing::contents_of;
using structure_testing::Walker;
using structure_testing::words_of_image;
using testing::E2fsImage;
using testing::LoopMount;
using testing::TemporaryFolder;

// Ends a mount as a power cut would: nothing more is written (EXT4_IOC_SHUTDOWN, without the log).
void cut_off(const fs::path& root) {
  constexpr unsigned long kShutdown = 0x8004587D;
  const std::uint32_t without_log = 2;
  const int fd = ::open(root.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(::ioctl(fd, kShutdown, &without_log), 0);
  ::close(fd);
}

// Makes, grows, cuts, renames and removes; some files stay open without a name.
class Load {
 public:
  Load(fs::path root, std::uint64_t seed) : root_(std::move(root)), prng_(seed) {}
  ~Load() {
    for (const int fd : open_) ::close(fd);
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  void run(int steps) {
    for (int i = 0; i < steps; ++i) step();
  }

 private:
  fs::path any() {
    const auto number = prng_.below(250);
    return root_ / fmt::format("f{}{}", number, std::string(number % 50, 'y'));
  }
  void write(std::uint64_t offset, std::size_t length, bool syncs) {
    const int fd = ::open(any().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return;
    const std::vector<std::uint8_t> bytes(length, 'w');
    static_cast<void>(!::pwrite(fd, bytes.data(), length, static_cast<off_t>(offset)));
    if (syncs) ::fsync(fd);
    ::close(fd);
  }
  void step() {
    std::error_code ignored;
    switch (prng_.below(9)) {
      case 0:
      case 1: return write(0, prng_.below(40'000), false);
      case 2: return write(prng_.below(3'000'000), 5000, prng_.below(2) == 0);
      case 3: return static_cast<void>(fs::remove(any(), ignored));
      case 4: return remove_open();
      case 5: return static_cast<void>(::truncate(any().c_str(), 100));
      case 6: return fs::rename(any(), any(), ignored);
      case 7: return fs::create_hard_link(any(), any(), ignored);
      default: return make_folder();
    }
  }
  void remove_open() {
    const fs::path path = any();
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    open_.push_back(fd);
    ::unlink(path.c_str());
  }
  void make_folder() {
    const fs::path folder = root_ / fmt::format("d{}", prng_.below(40));
    if (::mkdir(folder.c_str(), 0700) != 0) ::rmdir(folder.c_str());
    ::symlink(std::string(prng_.below(150) + 1, 't').c_str(),
              (folder / fmt::format("s{}", prng_.below(100))).c_str());
  }

  const fs::path root_;
  Prng prng_;
  std::vector<int> open_;
};

struct MountKind {
  const char* name;
  const char* mke2fs;
  std::uint32_t block_bytes;
  const char* mount;
};

class StructureKernel : public ::testing::TestWithParam<MountKind> {
 protected:
  // What the disk holds when the mount of `bytes` is cut off in a load.
  std::vector<std::uint8_t> cut(const std::vector<std::uint8_t>& bytes, std::uint64_t seed) {
    const fs::path image = written(bytes);
    {
      LoopMount mount(image, folder_.path() / "mount", GetParam().mount);
      EXPECT_TRUE(mount.is_mounted()) << mount.log();
      Load load(folder_.path() / "mount", seed);
      load.run(600);
      cut_off(folder_.path() / "mount");
    }
    return taken(image);
  }
  std::vector<std::uint8_t> mounted_once(const std::vector<std::uint8_t>& bytes) {
    const fs::path image = written(bytes);
    {
      LoopMount mount(image, folder_.path() / "mount");
      EXPECT_TRUE(mount.is_mounted()) << mount.log();
    }
    const auto outcome = testing::run_shell("e2fsck -fn '" + image.string() + "'");
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    return taken(image);
  }
  static std::vector<std::uint8_t> recovered(const std::vector<std::uint8_t>& bytes) {
    const MemoryDevice source(bytes);
    MemoryDevice target(bytes);
    const auto map = locate_journal(Volume::open(source).value()).value();
    const auto plan = plan_recovery(source, map).value();
    EXPECT_TRUE(apply_recovery(plan, source, map, target));
    std::vector<std::uint8_t> after(bytes.size());
    EXPECT_TRUE(target.read(0, after));
    return after;
  }
  static int orphans_of(const std::vector<std::uint8_t>& bytes) {
    const MemoryDevice device(bytes);
    int count = 0;
    EXPECT_TRUE(Volume::open(device)->for_each_orphan([&](InodeNo) { return ++count > 0; }));
    return count;
  }

 private:
  // Each image is a file of its own: a loop device may live on a little after its mount.
  fs::path written(const std::vector<std::uint8_t>& bytes) {
    const fs::path path = folder_.path() / fmt::format("image-{}", ++images_);
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    return path;
  }
  static std::vector<std::uint8_t> taken(const fs::path& image) {
    auto bytes = testing::read_file(image);
    fs::remove(image);
    return bytes;
  }

  TemporaryFolder folder_;
  int images_ = 0;
};

TEST_P(StructureKernel, EveryRecoveredStateAgreesWithItself) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_LOOP_MOUNTS();
  const std::uint32_t block_bytes = GetParam().block_bytes;
  const E2fsImage made({.mke2fs = GetParam().mke2fs, .size = "48M"});
  ASSERT_TRUE(made.is_made()) << made.log();
  const auto first = recovered(cut(made.bytes(), 1));
  EXPECT_EQ(words_of_image(first, block_bytes), "clean\n");
  EXPECT_GT(orphans_of(first), 0);
  const auto mounted = mounted_once(first);
  EXPECT_EQ(words_of_image(mounted, block_bytes), "clean\n");
  const auto second = recovered(cut(mounted, 2));
  EXPECT_EQ(words_of_image(second, block_bytes), "clean\n");
  ContentPool pool(block_bytes, std::uint64_t{1} << 30);
  Walker walker(pool, contents_of(pool, first), contents_of(pool, second), true);
  EXPECT_EQ(walker.walk(3, testing::is_long_form() ? 25 : 8), "");
}

INSTANTIATE_TEST_SUITE_P(
    All, StructureKernel,
    ::testing::Values(
        MountKind{"ordered", "-b 4096", 4096, "data=ordered"},
        MountKind{"journal_small_blocks", "-b 1024", 1024, "data=journal"},
        MountKind{"orphan_file", "-b 4096 -O orphan_file,metadata_csum_seed", 4096, ""},
        MountKind{"inline_data", "-b 1024 -O inline_data", 1024, ""},
        MountKind{"indirect", "-b 4096 -O ^extent,^64bit,^metadata_csum", 4096, "data=writeback"}),
    [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace powercut::lab
