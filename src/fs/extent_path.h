// A way down an extent tree, from the root in the inode to a leaf, and the changes of a leaf that a
// tree takes: the part of extent_map.h that knows nodes.  Private to it.
//
// Words
//   level   a node on the way; 0 is the root, the last one the leaf
//   at      in an inner level the child taken; in the leaf how many extents begin at or before the
//           block that was looked for
//   end     no file block in or below a level is at or behind it
#pragma once

#include <vector>

#include "fs/extent_map.h"

namespace powercut::fs {

class ExtentPath {
 public:
  struct Level {
    BufferRef buffer;  // null: the root
    ExtentNode node;
    std::size_t at = 0;
    FileBlock end;
    bool is_new = false, is_changed = false;
  };

  // Errors: kUnsupported: no extents; kCorrupt, kChecksum, kIo.
  static Result<ExtentPath> open(const Core& core, const Node& node, FileBlock block)
      REQUIRES_SHARED(node.lock);

  const ExtentNode& leaf() const { return levels_.back().node; }
  std::size_t at() const { return levels_.back().at; }
  std::size_t depth() const { return levels_.size() - 1; }
  // The extent that begins last at or before the block; null: none in this leaf.
  const Extent* before() const { return at() == 0 ? nullptr : &leaf().extents[at() - 1]; }
  // Where the next extent behind it begins; kFileBlocksMax if there is none.
  FileBlock next() const;
  FileBlock leaf_end() const { return levels_.back().end; }

  // Puts `extents` in the place of the leaf's [first, last), and writes what changes.  Nodes that
  // would be too full are split; the blocks for that are allocated before anything changes.  A leaf
  // without extents is given up.  Afterwards the path is of no use.  Errors: as add_run().
  Result<void> replace(Core& core, Handle& handle, Node& node, BitRun range,
                       const std::vector<Extent>& extents, SpaceClaim* claim) REQUIRES(node.lock);

 private:
  static Result<ExtentPath> read(const Core& core, const Node& node, FileBlock block)
      REQUIRES_SHARED(node.lock);
  std::size_t blocks_to_split() const;
  void split(std::size_t level, BufferRef block, const Core& core);
  void grow_root(BufferRef block, const Core& core);
  void drop_empty(Core& core, Handle& handle, Node& node) REQUIRES(node.lock);
  void pull_up(Core& core, Handle& handle, Node& node) REQUIRES(node.lock);
  void fix_keys();
  void give_back(Core& core, Handle& handle, Node& node, BlockNo block) REQUIRES(node.lock);
  void write_changed(Core& core, Handle& handle, Node& node) REQUIRES(node.lock);

  std::vector<Level> levels_;
  std::vector<Level> beside_;  // nodes that a split made, off the way
};

}  // namespace powercut::fs
