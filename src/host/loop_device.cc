#include "host/loop_device.h"

#include <algorithm>
#include <cerrno>
#include <thread>

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace powercut {
namespace {

constexpr const char* kControl = "/dev/loop-control";
constexpr int kAttachesMax = 64;  // others may take the free one before us
constexpr auto kNodePause = std::chrono::milliseconds(5);

// A device whose node comes late (udev, devtmpfs) is waited for.
constexpr int kNodeLooksMax = 200;

Result<Fd> open_node(const std::string& path) {
  for (int look = 0;; ++look) {
    Fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (fd.is_open()) return fd;
    const bool may_come = errno == ENOENT || errno == ENXIO;
    if (!may_come || look == kNodeLooksMax) {
      return os_failure("cannot open a loop device", path, errno);
    }
    std::this_thread::sleep_for(kNodePause);
  }
}

Result<void> check_direct(const Fd& device) {
  loop_info64 info{};
  if (::ioctl(device.get(), LOOP_GET_STATUS64, &info) != 0) {
    return os_failure("cannot look at a loop device", "", errno);
  }
  if ((info.lo_flags & LO_FLAGS_DIRECT_IO) != 0) return {};
  return fail(Errc::kUnsupported, "the kernel gives its loop device no direct I/O here");
}

}  // namespace

Result<LoopDevice> LoopDevice::attach(int backing, const Options& options) {
  const Fd control(::open(kControl, O_RDWR | O_CLOEXEC));
  if (!control.is_open()) {
    if (errno != ENOENT && errno != ENODEV) {
      return os_failure("cannot open the control of loop devices", kControl, errno);
    }
    return fail_with(Errc::kNotFound, "no loop devices here (try: modprobe loop)", kControl);
  }
  loop_config config{};
  config.fd = static_cast<__u32>(backing);
  config.block_size = options.block_bytes;
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
  if (options.is_direct) config.info.lo_flags |= LO_FLAGS_DIRECT_IO;
  config.info.lo_offset = options.offset;
  config.info.lo_sizelimit = options.length;
  const std::string name = options.name.substr(0, sizeof config.info.lo_file_name - 1);
  std::copy(name.begin(), name.end(), config.info.lo_file_name);
  for (int attempt = 0; attempt < kAttachesMax; ++attempt) {
    const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) return os_failure("no loop device is free", kControl, errno);
    const std::string path = "/dev/loop" + std::to_string(number);
    Fd device = TRY(open_node(path));
    if (::ioctl(device.get(), LOOP_CONFIGURE, &config) == 0) {
      if (options.is_direct) TRY(check_direct(device));
      return LoopDevice(path, std::move(device));
    }
    if (errno != EBUSY) return os_failure("cannot set up a loop device", path, errno);
  }
  return fail(Errc::kLimit, "others take each loop device that is free");
}

std::string LoopDevice::number() const {
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) return {};
  return std::to_string(major(status.st_rdev)) + ":" + std::to_string(minor(status.st_rdev));
}

// A mount claims its device, and two do not claim one.
bool LoopDevice::comes_free(const Clock& clock, Nanoseconds limit) const {
  const Nanoseconds end = clock.now() + limit;
  for (;;) {
    const Fd claim(::open(path_.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));
    if (claim.is_open() || errno != EBUSY) return true;
    if (clock.now() >= end) return false;
    std::this_thread::sleep_for(kNodePause);
  }
}

}  // namespace powercut
