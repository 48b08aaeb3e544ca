// Bytes at offsets, kept somewhere: a file, an anonymous memory file, a block special file.
// The seam between block/ (which gives devices their meaning) and host/ (which alone makes system
// calls): host::File implements it, block::StoreDevice turns it into a BlockDevice.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace powercut {

class ByteStore {
 public:
  virtual ~ByteStore() = default;
  virtual std::uint64_t size_bytes() const = 0;
  // Whole or not at all.  Errors: kIo (`where` is the errno), kNoSpace.
  virtual Result<void> read_at(std::uint64_t offset, MutableBytes into) const = 0;
  virtual Result<void> write_at(std::uint64_t offset, Bytes from) = 0;
  // The same for pieces that lie one behind the other from `offset` on; after an error any part of
  // them may have been written.
  virtual Result<void> write_pieces_at(std::uint64_t offset, std::span<const Bytes> pieces) {
    for (const Bytes piece : pieces) {
      TRY(write_at(offset, piece));
      offset += piece.size();
    }
    return {};
  }
  // Makes a range read as zeroes and gives its space back where it can.
  virtual Result<void> punch(std::uint64_t offset, std::uint64_t length) = 0;
  // Returns when all completed writes are on stable storage (nothing to do for memory).
  virtual Result<void> sync() = 0;
};

}  // namespace powercut
