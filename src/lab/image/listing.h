// The names in a directory of an image, with what `ls` shows of them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lab/image/image_path.h"
#include "reader/volume.h"

namespace powercut::lab {

struct ListedName {
  std::string name;  // bytes
  InodeNo number;
  std::uint8_t file_type = 0;       // as the directory has it
  std::optional<Inode> inode = {};  // nothing: it could not be read
  std::string target = {};          // of a symlink
  std::vector<Xattr> xattrs = {};
};

// One directory, or (is_single) one name that was asked for itself.  A large directory comes in
// several parts.
struct Listing {
  std::string path;
  bool is_single = false;
  bool is_continued = false;           // the part before this one was of the same directory
  std::vector<ListedName> names = {};  // by name, as bytes
};

struct ListOptions {
  bool has_hidden = false;    // names that begin with a dot, "." and ".." too
  bool is_recursive = false;  // a listing for each directory below, too
  bool is_itself = false;     // a directory's own name, not those in it
  bool has_targets = false;   // where symlinks point to is looked up
  bool has_xattrs = false;
};

struct ListSinks {
  std::function<void(const Listing&)> listing;
  // What could not be read, and why.
  std::function<void(const std::string& path, const Error&)> trouble;
};

// Lists `from`, which is called `path`.  Memory: what a TreeWalk holds, and one part of a listing.
void list(const Volume& volume, const PathTarget& from, const std::string& path,
          const ListOptions& options, const ListSinks& sinks);

}  // namespace powercut::lab
