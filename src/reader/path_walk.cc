#include "reader/path_walk.h"

#include <deque>
#include <unordered_map>

#include "reader/directory_walk.h"

namespace powercut {
namespace {

constexpr std::uint32_t kDepthMax = 2048;

class PathWalk {
 public:
  PathWalk(const Volume& volume, Budget& budget) : volume_(volume), budget_(budget) {}

  std::string path_of(InodeNo target) {
    if (target == kRootInode) return "/";
    parents_.emplace(kRootInode.value(), Parent{0, 0});
    queue_.push_back(kRootInode);
    while (!queue_.empty() && !budget_.is_spent()) {
      const InodeNo directory = queue_.front();
      queue_.pop_front();
      const std::string name = look_in(directory, target, true);
      if (!name.empty()) return path_of_directory(directory) + "/" + name;
    }
    return {};
  }

 private:
  struct Parent {
    std::uint32_t inode = 0;
    std::uint32_t depth = 0;
  };

  // The name of `target` in `directory`, empty if it is not there.  Subdirectories met on the way
  // are queued when `descends`.
  std::string look_in(InodeNo directory, InodeNo target, bool descends) {
    std::string name;
    const auto inode = volume_.inode(directory);
    if (!inode || !inode->is(InodeType::kDirectory)) return name;
    const auto one = [&](const DirectoryEntry& entry) {
      if (!budget_.spend()) return false;
      if (entry.name == "." || entry.name == "..") return true;
      if (entry.inode == target) name = entry.name;
      if (descends) queue(entry, directory);
      return name.empty();
    };
    const auto block = [&](BlockNo) { return budget_.spend(); };
    ignore_error(walk_directory(volume_, directory, *inode, one, block),
                 "a damaged directory hides its names, not those of others");
    return name;
  }

  // An entry whose type is not stored is queued too: look_in() sees whether it is a directory.
  void queue(const DirectoryEntry& entry, InodeNo directory) {
    if (entry.file_type != 0 && entry.file_type != kDirectoryFileType) return;
    const std::uint32_t depth = parents_.at(directory.value()).depth + 1;
    if (depth >= kDepthMax) return;
    const bool is_new =
        parents_.emplace(entry.inode.value(), Parent{directory.value(), depth}).second;
    if (is_new) queue_.push_back(entry.inode);
  }

  // Without the slash at its end; empty for the root.
  std::string path_of_directory(InodeNo directory) {
    std::string path;
    while (directory != kRootInode) {
      const InodeNo parent(parents_.at(directory.value()).inode);
      path = "/" + look_in(parent, directory, false) + path;
      directory = parent;
    }
    return path;
  }

  const Volume& volume_;
  Budget& budget_;
  std::unordered_map<std::uint32_t, Parent> parents_;  // every directory seen
  std::deque<InodeNo> queue_;
};

}  // namespace

std::string path_of(const Volume& volume, InodeNo target, Budget& budget) {
  return PathWalk(volume, budget).path_of(target);
}

}  // namespace powercut
