// The guest's process 1.
//
// Order of steps (docs/guest.md): proc, sysfs, devtmpfs, tmpfs on /dev/shm and /tmp; `booted`;
// modules; the device appears; kernel settings; ext4 mounted; commands; everything killed, synced,
// unmounted; `off`; power off.  A step that fails is said; a failed mount goes on at `off`.
//
// Every wait is bounded; whatever happens, the machine powers off at the end.
#pragma once

namespace powercut::lab {

// Does not return: process 1 ends with its machine.
[[noreturn]] void run_init();

}  // namespace powercut::lab
