// The first process of a namespace, or of a machine, has the children of others to reap, too.
#pragma once

#include <optional>

#include <sys/types.h>

namespace powercut {

// Reaps all children that have ended.  The exit code of `wanted` if it was among them: 128 and the
// signal's number if a signal ended it.
std::optional<int> reap_ended(pid_t wanted);

}  // namespace powercut
