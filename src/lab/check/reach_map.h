// Which blocks a transaction makes reachable as data of regular files, by what it logs of inodes
// and extent trees.
//
// The logged block is compared with the version before it, so only what changed is looked at. A
// block that moves from one place in the tree to another within the transaction is not new. Files
// with indirect blocks are left out.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "reader/volume.h"

namespace powercut::lab {

class ReachMap {
 public:
  ReachMap() = default;
  // The inode tables' places as they are now.
  static ReachMap of(const Volume& volume);

  // Takes a logged block and what it was before; both are one block long.
  void take(BlockNo block, Bytes before, Bytes now);
  // The runs that became reachable by what was taken since the last call.
  struct Run {
    BlockNo first;
    std::uint64_t count = 0;
  };
  std::vector<Run> take_new_runs();

 private:
  void take_inodes(Bytes before, Bytes now);
  void take_node(Bytes node, std::int64_t sign);
  bool is_inode_table(BlockNo block) const;

  std::map<std::uint64_t, std::uint64_t> tables_;  // first block: one past the last
  std::uint32_t inode_bytes_ = 0;
  std::map<std::uint64_t, std::int64_t> steps_;  // how many more (or fewer) reach it from there on
};

}  // namespace powercut::lab
