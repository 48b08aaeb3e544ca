// The content of files: read, written, cut, allocated; and made durable.
//
// Words
//   bound    a write of at most atomic_write_bytes() is in one transaction: after a power cut all
//   of
//            it is there or nothing.  A longer one is split into pieces of that size, in order, and
//            each is atomic
//   staged   the user's bytes, copied into blocks before anything is locked
//   tail     what is behind the end of a file in its last block: zero in the file system, made so
//            by who lets the file grow, since others do not always keep it
//
// Invariants
//   1. No memory of the user is touched with a lock or a handle held (it may lie in a mapped file).
//   2. What an operation needs of space is promised to it before it changes anything: it fails with
//      kNoSpace and nothing done.
//   3. A truncate or punch that needs several transactions sets i_size in the first, and is on the
//      orphan list until the last, so that a recovery ends it.  A punch, an allocation and the
//      zeroing of a range are done block by block, back to front or front to back, in as many
//      transactions as they need; in each the file is whole.
//
// Files without extents, and those whose content is in the inode, are read-only: kUnsupported. What
// is immutable is not changed, what is append only grows at its end alone: kNotPermitted.
//
// Threads: any.  Reads of a file run beside each other, changes have it alone.
#pragma once

#include "fs/node.h"

namespace powercut::fs {

// See above.  Depends on the journal's size.
std::uint64_t atomic_write_bytes(const Core& core);
// The largest size a file can have.
std::uint64_t file_bytes_max(const Core& core);

// Bytes from `offset` on; fewer than asked at the end of the file.  Pieces of 1 MiB are each as of
// one moment.  Errors: kUnsupported, kCorrupt, kChecksum, kIo.
Result<std::size_t> read_file(Core& core, Node& node, std::uint64_t offset, MutableBytes into);

// Returns how many bytes were written: fewer than given only if a later piece failed.
// Errors: kNoSpace; kLimit: past file_bytes_max(); kUnsupported; kReadOnly, kAborted; kCorrupt,
// kChecksum, kIo.
Result<std::size_t> write_file(Core& core, Node& node, std::uint64_t offset, Bytes from);

struct Appended {
  std::uint64_t offset = 0;  // where it was written
  std::size_t count = 0;
};
// Writes at the end, wherever that is by then; each piece so.
Result<Appended> append_file(Core& core, Node& node, Bytes from);

// Errors: as write_file(), but for kNoSpace.
Result<void> truncate_file(Core& core, const NodeRef& node, std::uint64_t size);

struct Range {
  std::uint64_t offset = 0, length = 0;  // bytes
  std::uint64_t end() const { return offset + length; }
};
// Allocates what is a hole; it reads as zeroes.  Without `keeps_size` the file reaches to the end
// of the range.  Errors: as write_file(); kInvalid: an empty range.
Result<void> allocate_range(Core& core, Node& node, Range range, bool keeps_size);
// Makes a hole of whole blocks, and zeroes at its edges.  The size stays.
Result<void> punch_range(Core& core, Node& node, Range range);
// Zeroes, allocated.
Result<void> zero_range(Core& core, Node& node, Range range, bool keeps_size);

// The first byte from `offset` on that is (not) in a hole; what is allocated and was not written
// counts as a hole; the end of the file is one.  Errors: kNotFound: at or past the end, or no data
// behind it; as read_file().
Result<std::uint64_t> seek_data(Core& core, Node& node, std::uint64_t offset);
Result<std::uint64_t> seek_hole(Core& core, Node& node, std::uint64_t offset);

// Returns when all that was done to the file is durable; of its data and what is needed to read
// it, with `data_only`.  Errors: kAborted.
Result<void> sync_file(Core& core, Node& node, bool data_only);

}  // namespace powercut::fs
