// Compares a tree of the host with one in an image, both ways: every name, all that stat(2) says,
// every byte of every file, every target, every attribute "user.*".
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "reader/volume.h"

namespace powercut::testing {

enum class Likeness {
  kPacked,   // by mke2fs -d: times to the second; no directory sizes, no block counts
  kMounted,  // the same file system as the kernel shows it: everything
};

struct TreeComparison {
  std::uint64_t entries = 0, bytes = 0, xattrs = 0, runs = 0;
  std::vector<std::string> differences;  // the first ones; each names its path
  bool is_equal() const { return differences.empty(); }
  std::string text() const;
};

// `root` on the host against the root directory of `volume`; /lost+found is passed over.
TreeComparison compare_trees(const std::filesystem::path& root, const Volume& volume,
                             Likeness likeness);

}  // namespace powercut::testing
