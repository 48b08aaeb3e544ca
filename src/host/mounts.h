// Mounts that nobody else sees and that end with us.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace powercut {

// From here on this process and its children have a mount namespace of their own: what they mount
// is theirs, and is gone when the last of them is.  What others unmount goes away here too, so
// nothing of theirs is kept busy.  Errors: kIo.
Result<void> enter_own_mounts();

inline constexpr unsigned long kMountReadOnly = 1;  // MS_RDONLY

struct MountRequest {
  std::string source;
  std::string place;  // a folder
  std::string type;
  unsigned long flags = 0;  // MS_*
  std::string options;      // for the file system, joined by commas
};
// Errors: kIo, with the kernel's errno in `where`.
Result<void> mount_file_system(const MountRequest& request);

// Waits while it is busy, at most `limit`; then it is taken out of sight, and ends when it can.
// Errors: kInUse: it was still busy; kIo.
Result<void> unmount(const std::string& place, const Clock& clock, Nanoseconds limit);

}  // namespace powercut
