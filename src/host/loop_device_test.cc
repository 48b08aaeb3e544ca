#include "host/loop_device.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "host/machine.h"
#include "host/test_support.h"

namespace powercut {
namespace {

TEST(LoopDevice, HasItsBlockAndGoesAwayByItself) {
  if (!is_root()) GTEST_SKIP() << "loop devices need root";
  const host_testing::Folder folder;
  ASSERT_TRUE(File::create(folder / "image", 1 << 20));
  const Fd backing(::open((folder / "image").c_str(), O_RDWR | O_CLOEXEC | O_DIRECT));
  if (!backing.is_open()) GTEST_SKIP() << "no direct I/O on the file system of " << folder.path();
  auto device = LoopDevice::attach(backing, {.block_bytes = 4096, .name = "powercut-test"});
  if (!device && device.error().code == Errc::kNotFound) GTEST_SKIP() << device.error().what;
  ASSERT_TRUE(device) << error_words(device.error());
  const SteadyClock clock;
  const std::string path = device->path();
  {
    const Fd looked(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    int block_bytes = 0;
    EXPECT_EQ(::ioctl(looked.get(), BLKSSZGET, &block_bytes), 0);
    EXPECT_EQ(block_bytes, 4096);
    const Fd claim(::open(path.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));
    EXPECT_FALSE(device->comes_free(clock, std::chrono::milliseconds(20)));
  }
  EXPECT_TRUE(device->comes_free(clock, std::chrono::seconds(20)));
  device->release();
  const std::string name = path.substr(path.rfind('/') + 1);
  const auto text = read_text_file("/sys/block/" + name + "/loop/backing_file", 4096);
  EXPECT_EQ((text ? *text : std::string()).find(folder.path().native()), std::string::npos);
}

}  // namespace
}  // namespace powercut
