// The blocks that one inode claims: its extent tree or its indirect blocks, as far as they can be
// read.
//
// A walk ends whatever is stored: the subtrees of one extent node lie in windows of file blocks
// that do not meet, each level of indirect blocks goes down one, and no more blocks are visited or
// mapped than the file system has.  What is damaged is left out and leaves a flaw; the rest counts.
#pragma once

#include "lab/check/structure_facts.h"

namespace powercut::lab {

struct MappedRun {
  FileBlock file;
  BlockNo device;
  std::uint32_t count = 0;  // blocks
  bool is_unwritten = false;
  friend bool operator==(const MappedRun&, const MappedRun&) = default;
};

struct BlockMap {
  std::vector<MappedRun> runs;  // in ascending order of file blocks
  std::vector<BlockNo> nodes;   // of the tree, or indirect blocks
  std::uint64_t mapped = 0;     // blocks in the runs
  std::vector<Flaw> flaws;
};

// By its flags an extent tree or indirect blocks.
BlockMap read_block_map(const ReadContext& context, InodeNo number, const Inode& inode);

// The device's block for each of the first `count` file blocks; 0 where none is mapped.
std::vector<BlockNo> blocks_of(const std::vector<MappedRun>& runs, std::uint64_t count);

// File blocks up to the last that is mapped.
std::uint64_t mapped_end(const std::vector<MappedRun>& runs);

}  // namespace powercut::lab
