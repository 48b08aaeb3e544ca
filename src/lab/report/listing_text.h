// Directories of an image as `ls` and `tree` show them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lab/image/listing.h"
#include "lab/image/tree_walk.h"

namespace powercut::lab {

struct ListTextOptions {
  bool is_long = false;
  bool has_inode = false;
  bool has_header = false;       // the directory's path, before its names
  bool is_raw = false;           // names as bytes, each line ended by a zero byte
  bool has_whole_paths = false;  // names with the path of their directory
};
std::string listing_text(const Listing& listing, const ListTextOptions& options);

struct TreeCounts {
  std::uint64_t directories = 0;  // without the start
  std::uint64_t files = 0, symlinks = 0, others = 0;
  std::uint64_t unreadable = 0;
  std::uint64_t bytes = 0;  // sizes of the files
  void add(const Inode* inode);
};
// "3 directories, 12 files, 1 symlink, 0 others; 1,234 bytes".
std::string tree_counts_text(const TreeCounts& counts);

// Draws a tree line by line; for a walk in the order kByName.
class TreeDrawing final : public TreeVisitor {
 public:
  using Print = std::function<void(std::string_view)>;
  using Trouble = std::function<void(const std::string&, const Error&)>;
  TreeDrawing(const Volume& volume, Print print, Trouble trouble)
      : volume_(volume), print_(std::move(print)), trouble_(std::move(trouble)) {}
  const TreeCounts& counts() const { return counts_; }

  Result<bool> enter(const TreeWalk& walk, const WalkedName& directory) override;
  Result<bool> visit(const TreeWalk& walk, const WalkedName& name) override;
  Result<void> leave(const TreeWalk& walk, const WalkedName& directory) override;
  void trouble(const std::string& path, const Error& error) override { trouble_(path, error); }

 private:
  const Volume& volume_;
  const Print print_;
  const Trouble trouble_;
  TreeCounts counts_;
  bool is_last_ = false;  // the name shown last
  std::string prefix_;    // of the names in the directory entered last
  std::vector<std::size_t> prefix_sizes_;
};

}  // namespace powercut::lab
