// The index of an htree directory: which leaf has the names of a hash.
//
// Words
//   slot    an entry of an index block: names from its hash on are in its block, up to the next
//           slot's.  Its lowest bit says that names of this hash began in the block before
//   frame   one index block on the way to a leaf, and the slot that was chosen there
//   path    the frames from the root to above the leaf
//
// Invariants
//   1. A path is as long as the root says (2 at most, 3 with large_dir), so no search goes round.
//   2. A slot leads to a block of the directory that is not its first; anything else is damage.
//
// Threads: REQUIRES the directory's lock, shared to look, exclusive (and a handle) to change.
#pragma once

#include "fs/directory_block.h"
#include "fs/node.h"

namespace powercut::fs {

inline constexpr std::uint32_t kContinues = 1;    // the lowest bit of a slot's hash
inline constexpr std::uint32_t kNodeSlotsAt = 8;  // in an index block that is not the root

struct IndexFrame {
  BufferRef buffer;
  std::uint32_t slots_at = 0;  // bytes from the start of the block
  std::uint32_t count = 0, limit = 0;
  std::uint32_t chosen = 0;

  bool is_full() const { return count == limit; }
};

struct IndexPath {
  std::vector<IndexFrame> frames;
  DirectoryHash hash_version{};
  NameHash hash;
  std::uint64_t leaves_left = 0;               // how often to_next_leaf() may go on
  std::uint32_t leaf_from = 0, leaf_to = ~0u;  // hashes that its leaf may have: set_leaf_range()

  const IndexFrame& lowest() const { return frames.back(); }
};

DirectoryForm form_of(const Core& core, const Node& directory) REQUIRES_SHARED(directory.lock);
std::uint64_t block_count_of(const Core& core, const Node& directory)
    REQUIRES_SHARED(directory.lock);
// The block, read if need be.  Errors: kCorrupt: a hole, or unwritten; kIo.
Result<BufferRef> read_directory_block(Core& core, const Node& directory, FileBlock block)
    REQUIRES_SHARED(directory.lock);

// The path to the leaf with the names of `hash` (its first, if there are several).
// Errors: kCorrupt, kChecksum, kIo; kUnsupported: a hash that is not known.
Result<IndexPath> path_to_hash(Core& core, const Node& directory, std::uint32_t hash)
    REQUIRES_SHARED(directory.lock);
// The same, of a name's hash.
Result<IndexPath> path_to_name(Core& core, const Node& directory, std::string_view name)
    REQUIRES_SHARED(directory.lock);
// The leaf that the path leads to.
Result<BufferRef> read_leaf(Core& core, const Node& directory, const IndexPath& path)
    REQUIRES_SHARED(directory.lock);

struct NextLeaf {
  bool is_there = false;         // else the path was at the last
  std::uint32_t hash = 0;        // where it begins, without the lowest bit
  bool is_continuation = false;  // names of that hash began in the leaf before
};
// What follows the leaf of the path.
Result<NextLeaf> peek_next_leaf(Core& core, const Node& directory, const IndexPath& path)
    REQUIRES_SHARED(directory.lock);
// Says which hashes the leaf of the path may have, both ends included.
Result<void> set_leaf_range(Core& core, const Node& directory, IndexPath& path)
    REQUIRES_SHARED(directory.lock);
// Moves the path there; false if it was at the last leaf.  Errors: as path_to_hash().
Result<bool> to_next_leaf(Core& core, const Node& directory, IndexPath& path)
    REQUIRES_SHARED(directory.lock);

// How names of a new htree are hashed here, or of one whose root says `stored_version`.
// Errors: kUnsupported.
Result<DirectoryHash> known_hash(std::uint8_t stored_version, const Superblock& shape);

// How many blocks the directory needs beside a new leaf, so that the index can take its slot.
// Errors: kNoSpace: the index can grow no more.
Result<std::uint32_t> index_blocks_needed(const Core& core, const IndexPath& path);
// Puts a slot for `leaf` behind the chosen one.  `grown`: as many new blocks of the directory as
// were needed, with their places in the file; taken from the back.  The index's blocks are changed
// through `handle`.
struct GrownBlock {
  FileBlock file;
  BufferRef buffer;
};
void insert_slot(Core& core, Handle& handle, const DirectoryForm& form, IndexPath& path,
                 HtreeEntry slot, std::vector<GrownBlock>& grown);

}  // namespace powercut::fs
