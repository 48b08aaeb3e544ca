// A tree of files that has a bit of everything, made from a seed: in a folder for mke2fs to pack,
// or on a mounted file system for a kernel to write.
#pragma once

#include <cstdint>
#include <filesystem>

namespace powercut::testing {

struct TreeSpec {
  std::uint64_t seed = 1;
  int wide_names = 4000;    // in one directory, of 1 to 255 bytes
  int spread_files = 6000;  // in 200 directories, mostly small
  int deep_levels = 60;     // one directory in another
  int pieces = 3000;        // of 4 KiB, each with a hole of 4 KiB before it, in one file
  std::uint64_t big_bytes = std::uint64_t{16} << 20;
  bool has_xattrs = true;       // user.*, on some hundred files; left out where they are refused
  bool grows_in_turns = false;  // two files take turns, so that neither gets long extents
};

struct TreeCounts {
  int files = 0, folders = 0, symlinks = 0, hard_links = 0, xattrs = 0, others = 0;
};

// Fills `root`, which exists.  Throws what std::filesystem throws: a test cannot go on without it.
TreeCounts make_big_tree(const std::filesystem::path& root, const TreeSpec& spec);

// Changes a tree that make_big_tree made, as programs do in the life of a file system: removes,
// renames, truncates, appends, punches.
void churn_tree(const std::filesystem::path& root, std::uint64_t seed);

}  // namespace powercut::testing
