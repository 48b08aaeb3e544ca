// A file system of FUSE that is mounted nowhere.
//
// The mount is detached: only descriptors hold it, no namespace has it in its tree, no /proc/mounts
// shows it.  So there is nothing to take away after a kill -9: it ends with the last descriptor of
// it, and its server reads the end (ENODEV) from `device`.
#pragma once

#include "host/file.h"

namespace powercut {

struct FuseMount {
  Fd device;  // its requests come out here: for the server alone.  The last copy closed ends it all
  Fd root;    // its root folder, for openat(); waits until the server answers
};

// For root: the file system is its own alone.
// Errors: kNotFound: no /dev/fuse; kUnsupported: a kernel without it, or without fsopen() (before
// 5.2); kIo.
Result<FuseMount> make_fuse_mount();

}  // namespace powercut
