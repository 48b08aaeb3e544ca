// By system calls: mount(8) costs fifty times as much, and there are hundreds of mounts.
#include "tests/support/loop_mount.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <sstream>

#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/support/e2fs_image.h"

namespace powercut::testing {
namespace {

class Descriptor {
 public:
  explicit Descriptor(const std::string& path) : fd_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

// Attaches `image` to the loop device `number`, which goes when `loop` and its mount are gone.
bool attach(const Descriptor& loop, const Descriptor& image) {
  loop_config config = {};
  config.fd = static_cast<std::uint32_t>(image.get());
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
  return ::ioctl(loop.get(), LOOP_CONFIGURE, &config) == 0;
}

// What the kernel says between here and there.  Its words on journals do not name the device, so
// tests mount one at a time: a lock between processes.
class KernelLog {
 public:
  KernelLog()
      : lock_(::open("/dev/shm/powercut-kernel-log.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600)),
        log_(::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {
    if (lock_ >= 0) ::flock(lock_, LOCK_EX);
    if (log_ >= 0) ::lseek(log_, 0, SEEK_END);
  }
  ~KernelLog() {
    if (log_ >= 0) ::close(log_);
    if (lock_ >= 0) ::close(lock_);
  }
  KernelLog(const KernelLog&) = delete;
  KernelLog& operator=(const KernelLog&) = delete;

  // One message a line, without its stamp.
  std::string rest() {
    std::string text;
    std::array<char, 8192> record{};
    while (log_ >= 0) {
      const ssize_t count = ::read(log_, record.data(), record.size());
      if (count < 0 && errno == EPIPE) continue;  // messages were overwritten
      if (count <= 0) break;
      const std::string line(record.data(), static_cast<std::size_t>(count));
      const auto begin = line.find(';');
      if (begin == std::string::npos) continue;
      text += line.substr(begin + 1, line.find('\n') - begin);
    }
    return text;
  }

 private:
  int lock_, log_;
};

struct MountWords {
  unsigned long flags = MS_NODEV | MS_NOSUID;
  std::string data = "errors=remount-ro";
};

MountWords parse_options(const std::string& options) {
  MountWords words;
  std::istringstream stream(options);
  for (std::string option; std::getline(stream, option, ',');) {
    if (option == "ro") {
      words.flags |= MS_RDONLY;
    } else {
      words.data += "," + option;
    }
  }
  return words;
}

// Mounts of this process and its children only: they end with the last of these, whatever ends it.
void keep_mounts_to_ourselves() {
  static const bool is_done = ::unshare(CLONE_NEWNS) == 0 &&
                              ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  static_cast<void>(is_done);
}

std::string try_it() {
  if (::geteuid() != 0) return "not root";
  const E2fsImage image({.size = "4M"});
  if (!image.is_made()) return "mke2fs: " + image.log();
  const TemporaryFolder folder;
  const LoopMount mount(image.path(), folder.path() / "mount", "ro");
  return mount.is_mounted() ? "" : mount.log();
}

}  // namespace

std::string no_loop_mounts() {
  static const std::string reason = try_it();
  return reason;
}

void LoopMount::fail(const std::string& what) {
  error_ = errno;
  log_ = what + ": " + std::strerror(error_);
}

LoopMount::LoopMount(const std::filesystem::path& image, const std::filesystem::path& folder,
                     const std::string& options)
    : folder_(folder) {
  keep_mounts_to_ourselves();
  std::error_code ignored;
  std::filesystem::create_directories(folder_, ignored);
  mount(image, options);
}

void LoopMount::mount(const std::filesystem::path& image, const std::string& options) {
  const Descriptor control("/dev/loop-control"), file(image.string());
  if (control.get() < 0 || file.get() < 0) return fail("/dev/loop-control, or the image");
  const MountWords words = parse_options(options);
  // Another process may take the free device first.
  for (int attempt = 0; attempt < 100; ++attempt) {
    const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) return fail("no free loop device");
    const std::string name = "loop" + std::to_string(number), path = "/dev/" + name;
    const Descriptor loop(path);
    if (loop.get() < 0) return fail(path);
    if (!attach(loop, file)) {
      if (errno == EBUSY) continue;
      return fail(path);
    }
    device_ = name;
    KernelLog kernel;
    is_mounted_ =
        ::mount(path.c_str(), folder_.c_str(), "ext4", words.flags, words.data.c_str()) == 0;
    if (!is_mounted_) fail("mount " + path);
    kernel_words_ = kernel.rest();
    return;
  }
  errno = EBUSY;
  fail("every free loop device was taken by others");
}

LoopMount::~LoopMount() {
  if (is_mounted_ && !unmount()) ::umount2(folder_.c_str(), MNT_DETACH);
}

bool LoopMount::unmount() {
  // Busy for a moment where somebody looks at all mounts (a desktop's daemons do).
  for (int attempt = 0; attempt < 100; ++attempt) {
    is_mounted_ = ::umount2(folder_.c_str(), 0) != 0;
    if (!is_mounted_ || errno != EBUSY) break;
    ::usleep(10'000);
  }
  if (is_mounted_) fail("umount " + folder_.string());
  return !is_mounted_;
}

}  // namespace powercut::testing
