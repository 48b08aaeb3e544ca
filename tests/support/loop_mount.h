// An image mounted by the running kernel through a loop device, for tests that have root.
//
// errors=remount-ro is forced, so that a damaged image cannot harm the machine.  The loop device is
// detached when the mount ends (autoclear), also if the test is killed and the mount is undone by
// hand.
#pragma once

#include <filesystem>
#include <string>

namespace powercut::testing {

// Why this machine cannot mount images through loop devices; empty if it can.  The first call
// tries it, with a file system of its own.
std::string no_loop_mounts();

class LoopMount {
 public:
  // Mounts `image` on `folder`, which is made, with `-o errors=remount-ro,OPTIONS`.
  LoopMount(const std::filesystem::path& image, const std::filesystem::path& folder,
            const std::string& options = "");
  ~LoopMount();
  LoopMount(const LoopMount&) = delete;
  LoopMount& operator=(const LoopMount&) = delete;
  bool is_mounted() const { return is_mounted_; }
  // What mount(8) said, if it failed.
  const std::string& log() const { return log_; }
  // Ends the mount; false (with log()) if the kernel refuses.
  bool unmount();

 private:
  std::filesystem::path folder_;
  bool is_mounted_ = false;
  std::string log_;
};

}  // namespace powercut::testing

// Skips the test by name where images cannot be mounted.
#define SKIP_WITHOUT_LOOP_MOUNTS()                                        \
  do {                                                                    \
    const std::string reason = ::powercut::testing::no_loop_mounts();     \
    if (!reason.empty()) GTEST_SKIP() << "needs loop mounts: " << reason; \
  } while (false)
