// The inodes that recovery would delete or truncate.
#include "reader/volume.h"

namespace powercut {

Result<void> Volume::for_each_orphan(const std::function<bool(InodeNo)>&) const {
  return fail(Errc::kUnsupported, "superblock: orphan list");
}

}  // namespace powercut
