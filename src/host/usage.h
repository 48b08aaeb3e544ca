// What this process has used so far.
#pragma once

namespace powercut {

// User plus system time of this process, in seconds.
double own_cpu_seconds();

}  // namespace powercut
