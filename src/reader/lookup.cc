// Names to inodes: one name in one directory, and absolute paths.
#include <algorithm>

#include "reader/volume.h"

namespace powercut {

Result<InodeNo> Volume::lookup(InodeNo directory, const Inode& inode, std::string_view name) const {
  InodeNo found;
  TRY(for_each_entry(directory, inode, [&](const DirectoryEntry& entry) {
    if (entry.name == name) found = entry.inode;
    return found.value() == 0;
  }));
  if (found.value() == 0) return fail_with(Errc::kNotFound, "path", name, directory.value());
  return found;
}

Result<InodeNo> Volume::find(std::string_view path) const {
  if (path.empty() || path.front() != '/') {
    return fail_with(Errc::kInvalid, "path: not absolute", path);
  }
  InodeNo at = kRootInode;
  std::size_t begin = 0;
  while (begin < path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view name = path.substr(begin, end - begin);
    begin = end + 1;
    if (name.empty()) continue;
    const auto directory = TRY(inode(at));
    if (!directory.is(InodeType::kDirectory)) {
      return fail_with(Errc::kNotFound, "path: passes what is no directory", path, at.value());
    }
    const auto next = lookup(at, directory, name);
    if (!next && next.error().code == Errc::kNotFound) {
      return fail_with(Errc::kNotFound, "path", path, at.value());
    }
    at = TRY(Result<InodeNo>(next));
  }
  return at;
}

}  // namespace powercut
