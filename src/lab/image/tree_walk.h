// Walks the names below a directory of an image, safe on hostile images.
//
// Words
//   start      the directory that the walk began with
//   entered    a directory whose names are shown: the start, then those that a visitor asked for
//
// Invariants
//   1. A directory is entered once: one that is met again (a loop, or a second name) is trouble.
//   2. Directories are entered at most kDepthMax deep.
//   3. Memory: the names of each directory on the way, at most kHeldBytesMax in all; and four bytes
//      or so for each directory that was entered.
//   4. What cannot be read is told and passed over; the rest of the tree is still walked.
// Threads: one at a time.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "reader/volume.h"

namespace powercut::lab {

struct WalkedName {
  std::string_view name;  // bytes; empty for the start
  InodeNo number;
  const Inode* inode = nullptr;  // null: it could not be read, and trouble() was told so
  std::uint8_t file_type = 0;    // as the directory has it
  bool is_last = false;          // of its directory
};

enum class WalkOrder : std::uint8_t {
  kByName,            // as bytes; a directory's names follow it
  kByNameLevelwise,   // as bytes; first all names of a directory, then what is below them
  kByInodeLevelwise,  // the same by inode number: near to the order on the disk
};

struct WalkOptions {
  WalkOrder order = WalkOrder::kByName;
  bool has_dots = false;  // "." and ".." are shown, too
  // Directories so many levels below the start are shown, not entered; at least 1.
  std::uint32_t depth_max = ~0u;
};

class TreeWalk;

// An error that a function returns ends the walk, and comes out of it.
class TreeVisitor {
 public:
  virtual ~TreeVisitor() = default;
  // The names of this directory follow.  False: it is passed over, and not left either.
  virtual Result<bool> enter(const TreeWalk& walk, const WalkedName& directory) = 0;
  // A name in the directory entered last.  True: to be entered, if it is a directory.
  virtual Result<bool> visit(const TreeWalk& walk, const WalkedName& name) = 0;
  virtual Result<void> leave(const TreeWalk& walk, const WalkedName& directory) = 0;
  // `path` is what could not be read.
  virtual void trouble(const std::string& path, const Error& error) = 0;
};

class TreeWalk {
 public:
  static constexpr std::uint32_t kDepthMax = 2048;
  static constexpr std::uint64_t kHeldBytesMax = std::uint64_t{1} << 30;

  // `start_path` is how the start is called in paths.
  TreeWalk(const Volume& volume, std::string start_path, const WalkOptions& options = {})
      : volume_(volume), start_path_(std::move(start_path)), options_(options) {}

  // Errors: kInvalid: the start is no directory; what a visitor returned.
  Result<void> run(InodeNo number, const Inode& inode, TreeVisitor& visitor);

  // Inside a visitor: how deep the directory entered last is (the start: 0), and the path of a name
  // in it, or (without one) its own.
  std::uint32_t depth() const { return static_cast<std::uint32_t>(levels_.size()) - 1; }
  std::string path_of(std::string_view name = {}) const;

 private:
  // The names of one directory: their bytes one after another, so that many fit.
  struct Listed {
    std::uint64_t at = 0;  // in `text`
    InodeNo number;
    std::uint8_t length = 0;
    std::uint8_t file_type = 0;
  };
  struct Level {
    std::string name;
    InodeNo number;
    Inode inode = {};
    std::string text = {};
    std::vector<Listed> listed = {};
    std::size_t next = 0;        // of `listed`
    std::size_t kept_count = 0;  // for the second pass, at the front of `listed`
    bool is_second_pass = false;
    std::uint64_t held_bytes = 0;
    std::string_view name_of(const Listed& entry) const {
      return std::string_view(text).substr(entry.at, entry.length);
    }
  };
  void list(Level& level, TreeVisitor& visitor);
  void sort(Level& level) const;
  Result<void> descend(std::string_view name, InodeNo number, const Inode& inode,
                       TreeVisitor& visitor);
  Result<void> step(TreeVisitor& visitor);
  Result<bool> show(const Listed& entry, bool is_last, TreeVisitor& visitor);
  Result<void> enter_listed(const Listed& entry, TreeVisitor& visitor);
  Result<void> end_pass(TreeVisitor& visitor);
  void hold(Level& level);

  const Volume& volume_;
  const std::string start_path_;
  const WalkOptions options_;
  std::vector<Level> levels_;
  std::unordered_set<std::uint32_t> entered_;
  std::uint64_t held_bytes_ = 0;
};

// One name behind a path: "/" + "a" = "/a".
std::string joined_path(std::string_view path, std::string_view name);

}  // namespace powercut::lab
