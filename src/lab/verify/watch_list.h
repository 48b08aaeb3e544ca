// The bytes of a file system on which the place of its journal depends: parts of the superblock,
// one group descriptor, one inode, the blocks of one extent tree.  When a write changes any of them
// the journal has to be looked for again; when it only rewrites them as they are (each checkpoint
// does) it has not.
#pragma once

#include <vector>

#include "lab/record/request.h"
#include "reader/volume.h"

namespace powercut::lab {

class WatchList {
 public:
  // Watches nothing but the place of the superblock: for a disk without a file system yet.
  static WatchList of_superblock_only();
  // What the journal's place depends on, as it is now; one that is not inside the file system lies
  // on the second device of `volume`'s disk.  Errors: as Volume; kNotFound: there is neither.
  static Result<WatchList> of_journal(const Volume& volume, const DeviceSplit& split = {});

  // Whether a write to [offset, offset + length) could matter; quick.
  bool touches(std::uint64_t offset, std::uint64_t length) const;
  // Whether any watched byte is different now.  Errors: kIo.
  Result<bool> has_changed(const BlockView& view) const;

 private:
  struct Piece {
    std::uint64_t offset = 0;
    std::vector<std::uint8_t> bytes;
  };
  Result<void> add(const BlockView& view, std::uint64_t offset, std::uint64_t length);
  std::vector<Piece> pieces_;
};

}  // namespace powercut::lab
