#include "tests/support/loop_mount.h"

#include "tests/support/e2fs_image.h"

namespace powercut::testing {
namespace {

std::string try_it() {
  if (run_shell("id -u").output != "0\n") return "not root";
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

LoopMount::LoopMount(const std::filesystem::path& image, const std::filesystem::path& folder,
                     const std::string& options)
    : folder_(folder) {
  std::error_code ignored;
  std::filesystem::create_directories(folder_, ignored);
  const std::string words = options.empty() ? "" : "," + options;
  const auto outcome = run_shell("mount -t ext4 -o loop,errors=remount-ro" + words + " '" +
                                 image.string() + "' '" + folder_.string() + "'");
  is_mounted_ = outcome.status == 0;
  log_ = outcome.output;
}

LoopMount::~LoopMount() {
  if (is_mounted_ && !unmount()) run_shell("umount -l '" + folder_.string() + "'");
}

bool LoopMount::unmount() {
  const auto outcome = run_shell("umount '" + folder_.string() + "'");
  is_mounted_ = outcome.status != 0;
  log_ = outcome.output;
  return !is_mounted_;
}

}  // namespace powercut::testing
