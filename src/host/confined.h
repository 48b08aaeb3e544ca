// A command that runs in namespaces of its own, so that its end is the end of all that it started.
//
//   keeper        enters a new PID namespace (for its children) and starts ->
//    `- first     process 1 in there: the parent of all orphans; its end ends all others
//        `- command
//
// The command sees its own processes only, and its own copy of the mounts: what it mounts is gone
// with it.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace powercut {

// The children that this process starts from here on are in a new PID namespace: the first one is
// its process 1, and no other can be started once that has ended.  Errors: kIo.
Result<void> enter_new_processes();

// What process 1 does: own mounts, a /proc that shows the namespace, then `command` in `directory`,
// until that ends.  SIGTERM is passed on to all processes.  When our standard output has lost its
// reader, the keeper is gone, and we go.
// Returns the command's status as a shell does: 128 + signal; 126 if the way there failed and 127
// if there is no such program, with the reason on standard output.
int run_as_first(const std::vector<std::string>& command, const std::string& directory);

}  // namespace powercut
