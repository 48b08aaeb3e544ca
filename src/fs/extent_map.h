// Where the blocks of a file lie: its extent tree, read and changed.
//
// Words
//   run     file blocks that lie one after another on the device, or a hole, or unwritten blocks
//
// Invariants
//   1. The tree is what format/ parses: sorted, without overlap, every node but the root at least
//   one
//      entry; neighbours that continue each other are merged, so large files have few extents.
//   2. i_blocks counts the tree's own blocks, too.
//   3. What is read of a tree is checked; damage is an error and changes nothing.
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

// The run or the hole that `block` lies in, from `block` on.  Reads the device if need be.
Result<MappedRun> find_run(Core& core, const Node& node, FileBlock block);

// Credits that add_run(), set_written() or remove_runs() of one run take at most at the node's
// depth, the inode itself not counted.
Credits map_credits(const Node& node);

// Maps file blocks that are a hole so far.  Errors: kNoSpace for a tree block (nothing changed).
Result<void> add_run(Core& core, Handle& handle, Node& node, FileBlock file, BlockRun run,
                     bool is_unwritten);
// Unwritten blocks that now hold data.
Result<void> set_written(Core& core, Handle& handle, Node& node, FileBlock file,
                         std::uint32_t count);
// Unmaps [from, to) and frees the blocks, back to front, as far as the handle's credits reach.
// Returns where it stopped: everything at and behind it is unmapped; `from` when it is done.  The
// tree is whole after each call.
Result<FileBlock> remove_runs(Core& core, Handle& handle, Node& node, FileBlock from, FileBlock to);

// Every run in order, holes left out.
Result<void> for_each_run(Core& core, const Node& node, FileBlock from,
                          const std::function<bool(const MappedRun&)>& visit);

}  // namespace powercut::fs
