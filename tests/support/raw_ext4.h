// An ext4 image in memory and the shortest steps from its bytes to its structures, for tests that
// look at or damage single structures.  No code of the reader.
#pragma once

#include "format/ext4.h"

namespace powercut::testing {

struct RawExt4 {
  std::vector<std::uint8_t> bytes;
  Superblock superblock;

  static Result<RawExt4> open(std::vector<std::uint8_t> bytes);

  // The bytes of a structure, in place.
  MutableBytes at(std::uint64_t offset, std::size_t length);
  MutableBytes block(BlockNo number);
  MutableBytes descriptor(std::uint32_t group);
  MutableBytes inode(InodeNo number);
  // Where such bytes lie on the disk.
  std::size_t offset_of(MutableBytes part) const;
  // An inode's first extent; a mistake of the caller if there is none.
  Extent first_extent(InodeNo number);
};

}  // namespace powercut::testing
