// Where the blocks of a file lie: its extent tree, read and changed.
//
// Words
//   run     file blocks that lie one after another on the device, or a hole, or unwritten blocks
//
// Invariants
//   1. The tree is what format/ parses: sorted, without overlap, every node but the root at least
//   one
//      entry; the key of a node is the first file block in it.  Neighbours in a leaf that continue
//      each other are one entry, so large files have few extents.  A tree that fits into the inode
//      is in the inode.
//   2. i_blocks counts the tree's own blocks, too.
//   3. What is read of a tree is checked; damage is an error and changes nothing.
//   4. A function that fails has changed nothing of the tree.
//
// The inode itself is the caller's to store, in the same handle.
//
// Threads: REQUIRES the node's lock, shared to read, exclusive (and a handle) to change.
#pragma once

#include <functional>

#include "fs/groups.h"
#include "fs/node.h"

namespace powercut::fs {

struct MappedRun {
  FileBlock file;
  std::uint64_t count = 0;  // blocks, to the end of the run or the hole
  BlockNo device;           // meaningless in a hole
  enum class Kind : std::uint8_t { kHole, kUnwritten, kWritten } kind = Kind::kHole;
};

// One past the largest file block that an extent tree can map.
inline constexpr std::uint64_t kFileBlocksMax = (std::uint64_t{1} << 32) - 1;

// The run or the hole that `block` lies in, from `block` on.  Reads the device if need be.
// Errors: kUnsupported: content in the inode; kCorrupt, kChecksum, kIo.
Result<MappedRun> find_run(const Core& core, const Node& node, FileBlock block)
    REQUIRES_SHARED(node.lock);

// Every run in order from the one that `from` lies in, holes left out; until `visit` says no.
Result<void> for_each_run(const Core& core, const Node& node, FileBlock from,
                          const std::function<bool(const MappedRun&)>& visit)
    REQUIRES_SHARED(node.lock);

// Where a block that is a hole would best lie: behind what comes before it, else near the inode.
struct BlockGoal {
  BlockNo block;
  bool continues = false;  // the block before it is this file's, and just before in the file
};
Result<BlockGoal> goal_of(const Core& core, const Node& node, FileBlock block)
    REQUIRES_SHARED(node.lock);

// Credits, and tree blocks, that add_run(), set_written() or one step of remove_runs() take at most
// at the node's depth; the inode itself and add_run()'s data blocks not counted.
Credits map_credits(const Node& node) REQUIRES_SHARED(node.lock);
std::uint32_t tree_blocks_max(const Node& node) REQUIRES_SHARED(node.lock);
// The same of mapping up to `runs` runs, one after the other.
Credits map_credits(const Core& core, const Node& node, std::uint64_t runs)
    REQUIRES_SHARED(node.lock);
std::uint64_t tree_blocks_max(const Core& core, const Node& node, std::uint64_t runs)
    REQUIRES_SHARED(node.lock);

// Maps file blocks that are a hole so far.  `claim`: tree blocks come from it; else from what is
// available.  Errors: kNoSpace for a tree block; kLimit: a tree too deep; kCorrupt, kChecksum, kIo.
Result<void> add_run(Core& core, Handle& handle, Node& node, FileBlock file, BlockRun run,
                     bool is_unwritten, SpaceClaim* claim = nullptr) REQUIRES(node.lock);
// Unwritten blocks of one run that now hold data.  Errors: as add_run().
Result<void> set_written(Core& core, Handle& handle, Node& node, FileBlock file,
                         std::uint32_t count, SpaceClaim* claim = nullptr) REQUIRES(node.lock);
// Unmaps [from, to) and frees the blocks, back to front, as far as the handle's credits reach.
// Returns where it stopped: everything at and behind it is unmapped; `from` when it is done.  The
// tree is whole after each call.  A handle of remove_credits() gets at least a step further.
// Errors: as add_run(), and as Groups::release().
// `spared`: credits that are left to the caller.
Result<FileBlock> remove_runs(Core& core, Handle& handle, Node& node, FileBlock from, FileBlock to,
                              Credits spared = Credits(0)) REQUIRES(node.lock);
Credits remove_credits(const Node& node) REQUIRES_SHARED(node.lock);

// Blocks to and from i_blocks.  Errors: kLimit: more than it can say without huge_file.
Result<void> count_blocks(const Core& core, Node& node, std::int64_t blocks) REQUIRES(node.lock);

}  // namespace powercut::fs
