// Which process holds a file's lock, for the words of an error: as /proc/locks tells it.
#pragma once

#include <optional>
#include <string>

#include <sys/stat.h>
#include <sys/types.h>

#include "host/in_use.h"

namespace powercut {

struct LockHolder {
  pid_t process = 0;  // 0: one that cannot be seen from here
  bool is_writer = false;
  std::string words;  // "process 1234 (powercut)"
};

// Of a lock of flock(2) on that file: a writer, else any reader.  Nothing if none is seen: there is
// none, or the file system gives its files other numbers here than there.
std::optional<LockHolder> lock_holder(const struct stat& file, const SystemFolders& system = {});

}  // namespace powercut
