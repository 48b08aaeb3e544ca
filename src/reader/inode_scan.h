// The inodes in use of one group.
#pragma once

#include "reader/volume.h"

namespace powercut {

// How an inode is known to be in use.
enum class InUse : std::uint8_t {
  kByBitmap,   // the inode bitmap says so
  kByContent,  // it has a type, and a link or no time of deletion: for damaged bitmaps
};

// Called with what became of reading and checking the inode; false stops the scan.
using InodeScanVisitor = std::function<bool(InodeNo, const Result<Inode>&)>;

// Visits the group's inodes in ascending order; reserved inodes without a type are left out, and so
// are the parts of the table that are known to be unused.  Returns false if the visitor stopped it.
// Errors: as Volume::group; kChecksum: inode bitmap (kByBitmap only); kIo.
Result<bool> scan_group(const Volume& volume, std::uint32_t group, InUse how,
                        const InodeScanVisitor& visit);

}  // namespace powercut
