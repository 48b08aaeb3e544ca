// The partitions of a disk or of an image of one, for a user who has to say which one is meant.
#pragma once

#include <string>
#include <vector>

#include "block/block_device.h"

namespace powercut::lab {

struct Partition {
  std::uint32_t number = 0;  // as the kernel counts them
  std::uint64_t offset_bytes = 0, size_bytes = 0;
  std::string type;  // "Linux filesystem", "type 0x1b"
  std::string name;  // GPT only; may be empty
};

// In the order of their table; those that do not lie in the disk are left out.  A GPT is read from
// its backup at the disk's end if the first one is damaged.  At most 1 MiB of a GPT, or 60
// logical partitions, are looked at.
// Errors: kNotFound: no partition table; kCorrupt, kChecksum, kLimit: a GPT that cannot be read;
// kIo.
Result<std::vector<Partition>> find_partitions(const BlockView& disk);

}  // namespace powercut::lab
