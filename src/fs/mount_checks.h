// What the writer keeps of ext4, and so what it mounts.  Pure.
#pragma once

#include "format/ext4.h"

namespace powercut::fs {

// Whether the writer can change a file system of that shape.
// Errors, each naming the feature:
//   kReadOnly     one that Linux, too, would mount read-only if it did not know it (ro_compat)
//   kUnsupported  one that may be read, but that the writer does not keep; no journal; blocks over
//                 4 KiB; revision 0
Result<void> check_writable(const Superblock& shape);

}  // namespace powercut::fs
