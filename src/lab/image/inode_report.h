// Everything of one inode: what stat(1), lsattr(1), filefrag(8) and getfattr(1) would say of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reader/volume.h"

namespace powercut::lab {

struct InodeReport {
  static constexpr std::size_t kRunsMax = 1'000'000;

  InodeNo number;
  Inode inode;
  std::string target;       // of a symlink
  bool is_written = false;  // false: all zero, as mke2fs left it
  std::vector<Xattr> xattrs;
  std::vector<FileRun> runs;  // the first kRunsMax
  std::uint64_t run_count = 0, mapped_blocks = 0;
  std::vector<BlockNo> tree_blocks;  // of the extent tree or indirect blocks; as many at most
  // What could not be read of it; the fields above hold what could.
  std::optional<Error> target_error, xattr_error, runs_error;

  bool is_damaged() const { return target_error || xattr_error || runs_error; }
};

InodeReport read_inode_report(const Volume& volume, InodeNo number, const Inode& inode);

}  // namespace powercut::lab
