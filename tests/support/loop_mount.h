// An image mounted by the running kernel through a loop device, for tests that have root.
//
// errors=remount-ro is forced, so that a damaged image cannot harm the machine.  The loop device is
// detached when the mount ends (autoclear): also after a mount that failed, and if the test is
// killed and the mount is undone by hand.
#pragma once

#include <filesystem>
#include <string>

namespace powercut::testing {

// Why this machine cannot mount images through loop devices; empty if it can.  The first call
// tries it, with a file system of its own.
std::string no_loop_mounts();

class LoopMount {
 public:
  // Mounts `image` on `folder`, which is made, with `-o errors=remount-ro,OPTIONS`.  Of the options
  // only "ro" is not ext4's own.
  LoopMount(const std::filesystem::path& image, const std::filesystem::path& folder,
            const std::string& options = "");
  ~LoopMount();
  LoopMount(const LoopMount&) = delete;
  LoopMount& operator=(const LoopMount&) = delete;
  bool is_mounted() const { return is_mounted_; }
  // What failed, and the kernel's reason.
  const std::string& log() const { return log_; }
  // The errno of the kernel's refusal; 0 if there was none.
  int error() const { return error_; }
  // "loop3": as the kernel's messages name it.  Empty if no loop device could be had.
  const std::string& device() const { return device_; }
  // What the kernel said while it mounted, a message a line; empty where that may not be read.
  const std::string& kernel_words() const { return kernel_words_; }
  // Ends the mount; false (with log()) if the kernel refuses.
  bool unmount();

 private:
  void mount(const std::filesystem::path& image, const std::string& options);
  void fail(const std::string& what);
  std::filesystem::path folder_;
  bool is_mounted_ = false;
  std::string log_, device_, kernel_words_;
  int error_ = 0;
};

}  // namespace powercut::testing

// Skips the test by name where images cannot be mounted.
#define SKIP_WITHOUT_LOOP_MOUNTS()                                        \
  do {                                                                    \
    const std::string reason = ::powercut::testing::no_loop_mounts();     \
    if (!reason.empty()) GTEST_SKIP() << "needs loop mounts: " << reason; \
  } while (false)
