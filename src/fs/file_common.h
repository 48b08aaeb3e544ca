// What the operations on files share.  Private to them.
#pragma once

#include "fs/extent_map.h"
#include "fs/file.h"

namespace powercut::fs {

// Whether the content may be changed here.  Errors: kUnsupported, kInvalid (no regular file);
// kNotPermitted: immutable.
Result<void> check_content_writable(const Node& node) REQUIRES_SHARED(node.lock);
// Whether that may touch what is there already.  Errors: kNotPermitted: append only.
Result<void> check_content_replaceable(const Node& node) REQUIRES_SHARED(node.lock);

// The block in which the file's bytes from `at` on, up to the end of that block, are to be zero.
// Nothing to do: no buffer.
struct TailToZero {
  BufferRef buffer;
  std::uint32_t from = 0, to = 0;  // bytes in the block
};
// Looks whether bytes [from, to) of the file, which lie in one block, are not zero there already.
Result<TailToZero> look_at_tail(Core& core, const Node& node, std::uint64_t from, std::uint64_t to)
    REQUIRES_SHARED(node.lock);
// One credit.
void zero_tail(Handle& handle, const TailToZero& tail);

// Content changed: i_mtime and i_ctime, and the inode stored.  One credit.
void store_changed(Core& core, Handle& handle, Node& node) REQUIRES(node.lock);

inline std::uint64_t blocks_up(const Core& core, std::uint64_t bytes) {
  return (bytes + core.block_bytes() - 1) / core.block_bytes();
}

}  // namespace powercut::fs
