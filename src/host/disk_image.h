// A file that a disk is kept on.
#pragma once

#include "host/file.h"

namespace powercut {

// Opens a file in an open folder, for reading and writing past the page cache (O_DIRECT).
Result<Fd> open_direct(const Fd& folder, const char* name);

// Takes the storage for all of it now.  Errors: kNoSpace; kIo: also where it cannot be taken ahead.
Result<void> allocate(const File& file);

}  // namespace powercut
