// Makes a recording shorter: the oldest events are dropped, and what they did to the disk becomes
// part of what it held at first.
//
// The new file is written beside the old one and takes its name when it is whole and durable, so
// there is a readable recording of that name at every moment; of a fold that was interrupted
// nothing is left (new_file.h).
#pragma once

#include <filesystem>

#include "host/file.h"

namespace powercut::lab {

struct FoldLimits {
  std::uint64_t kept_bytes = 0;  // frames at the end that stay as they are: at most so long
  std::uint64_t bytes_max = 0;   // of the new file
};

struct Folded {
  File file;  // to go on with
  std::uint64_t folded_events = 0;
};

// `old` is a recording of format 2, at `path`.  `next_number`: for contents that the fold makes,
// each higher than all that the file has or will get in another way; is moved on.
// Errors: kLimit: the new file would be too long; kCorrupt, kChecksum: the old one is damaged;
// kNoSpace, kIo.  Then the old file is there as it was.
Result<Folded> fold_recording(const File& old, const std::filesystem::path& path,
                              const FoldLimits& limits, std::uint32_t& next_number);

}  // namespace powercut::lab
