// What a process does that serves a disk to the kernel it runs on.
//
// The kernel may write to the disk because it wants memory back.  If serving that write waited for
// memory that only the write can free, or for the file system on the disk, nothing would go on.
#pragma once

#include <string>

namespace powercut {

// Called once, when all that is needed is open and allocated.  `name` is what `ps` shows.  Returns
// what of it this system did not permit, in words; empty if all is well.
//   PR_SET_IO_FLUSHER   memory is had without writing to any file system
//   mlockall            our pages, of now and later, stay in memory
//   oom_score_adj       others are killed first when memory is short
std::string become_disk_process(const char* name);

}  // namespace powercut
