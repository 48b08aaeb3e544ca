// Paths to nodes.
//
// A path begins at the root, with or without a slash; "." and ".." work.  Symlinks on the way are
// followed, absolute ones from the root; at most 40 in one path.
//
// Threads: any; the tree may change meanwhile, step by step.
#pragma once

#include <string>
#include <string_view>

#include "fs/node.h"

namespace powercut::fs {

enum class LastSymlink : std::uint8_t { kFollow, kKeep };

// Errors: kNotFound, kNotDirectory; kLimit: too many symlinks, or a name too long; as lookup().
Result<NodeRef> find_path(Core& core, std::string_view path, LastSymlink last);

// The directory that a path's last name is in, and that name ("" for the root itself).
struct ParentAndName {
  NodeRef directory;
  std::string name;
};
// Errors: as find_path(), of the directory.
Result<ParentAndName> find_parent(Core& core, std::string_view path);

}  // namespace powercut::fs
