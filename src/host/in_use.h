// Who else uses a file or a block device that holds a file system.
//
// Words
//   use      something of the kernel's that may write to it at any time: a loop device, a mount,
//            swap, a device built on top of it (device mapper, md); or another of us that has it
//            open to write (File::Access::kExclusive)
//
// What is not looked for: other programs that have it open, and mounts of other mount namespaces
// (a block device that is mounted there cannot be opened exclusively, which File can ask for).
// Without root it says what /sys and /proc let anyone see, which is all of it but for the name of a
// loop device's file that another mount namespace gave it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace powercut {

enum class UseKind : std::uint8_t { kLoop, kMount, kSwap, kHolder, kProcess };

struct ImageUse {
  UseKind kind = UseKind::kMount;
  // "attached to /dev/loop0", "/dev/loop0p1 is mounted on /mnt", "process 1234 (powercut) has it
  // open to write"
  std::string who;
};

// Where the kernel tells of itself; others than these are for tests.
struct SystemFolders {
  std::filesystem::path sys = "/sys";
  std::filesystem::path proc = "/proc";
  std::filesystem::path dev = "/dev";
};

// All uses of `image` (a file or a block device) that can be seen: of itself, of the loop devices
// that have it behind them, of their partitions, and of what is built on any of these.
// Errors: kNotFound, kIo: it cannot be looked at.  What /sys or /proc do not show is no error.
Result<std::vector<ImageUse>> uses_of(const std::filesystem::path& image,
                                      const SystemFolders& system = {});

}  // namespace powercut
