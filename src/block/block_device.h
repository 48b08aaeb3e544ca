// A disk, and a look at one.
//
// Words
//   BlockView    bytes at offsets that can be read: a disk, a file, a disk as it would be after a
//                recovery
//   BlockDevice  a view that can also be written, with the promises of a disk
//
// Durability: a completed write may be lost, or torn at the device's atomic size, until a later
// flush() completes, unless it was made with kFua.  Writes between two flushes may become durable
// in any order.  These are the only promises; the crash explorer takes every other freedom.
//
// Offsets and lengths are in bytes, of any alignment unless an implementation says otherwise.  The
// public functions check the range once, for all implementations: a range past the end is kInvalid.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace powercut {

class BlockView {
 public:
  virtual ~BlockView() = default;
  virtual std::uint64_t size_bytes() const = 0;
  // Fills all of `into`, or fails.
  Result<void> read(std::uint64_t offset, MutableBytes into) const;

 protected:
  Result<void> check_range(std::uint64_t offset, std::uint64_t length) const;

 private:
  virtual Result<void> do_read(std::uint64_t offset, MutableBytes into) const = 0;
};

enum class Durability : std::uint8_t {
  kCached,  // durable after the next flush
  kFua,     // durable when the write completes (forced unit access)
};

// One of several writes that are given to a device together.
struct BlockWrite {
  std::uint64_t offset = 0;
  Bytes from;  // stays as it is until the writes are complete
  Durability durability = Durability::kCached;
};

class BlockDevice : public BlockView {
 public:
  Result<void> write(std::uint64_t offset, Bytes from, Durability = Durability::kCached);
  Result<void> write_zeroes(std::uint64_t offset, std::uint64_t length,
                            Durability = Durability::kCached);
  // All of them in flight together, completed in any order; returns when all are complete.  They do
  // not overlap.  Each range is checked before the first is written; after any other error any part
  // of them may have been written.
  Result<void> write_all(std::span<const BlockWrite> writes);
  // The range reads as zeroes or as before, until written again.
  Result<void> discard(std::uint64_t offset, std::uint64_t length);
  Result<void> flush() { return do_flush(); }

 private:
  virtual Result<void> do_write(std::uint64_t offset, Bytes from, Durability) = 0;
  // One by one, where a device knows nothing better.
  virtual Result<void> do_write_all(std::span<const BlockWrite> writes);
  virtual Result<void> do_write_zeroes(std::uint64_t offset, std::uint64_t length, Durability) = 0;
  virtual Result<void> do_discard(std::uint64_t offset, std::uint64_t length) = 0;
  virtual Result<void> do_flush() = 0;
};

}  // namespace powercut
