// From names to nodes that are locked: names are looked up first without, since nodes are locked by
// number; so what was found is compared once more under the locks.
#pragma once

#include "fs/directory.h"
#include "fs/node.h"

namespace powercut::fs {

// How often an operation begins anew because a name came to stand for another inode meanwhile.
inline constexpr int kTriesMax = 1000;

// The node that the name stands for at the moment.  Errors: as find_name(), NodeTable::get(); an
// entry of an inode in no use, of none, or of one that the file system keeps for itself is
// kCorrupt.
Result<NodeRef> node_of_name(Core& core, Node& directory, std::string_view name);

// Whether the place, looked up under the locks, still stands for that node.
inline bool stands_for(const NamePlace& place, const Node* node) {
  return node == nullptr ? !place.found : place.found && place.found->inode == node->number;
}

// False if the inode of that number is another one meanwhile.
Result<bool> is_current(Core& core, const Node& node) REQUIRES_SHARED(node.lock);

inline Failure always_changing(const Node& directory) {
  return fail(Errc::kInUse, "name: stands for another inode each time it is looked at",
              directory.number.value());
}

}  // namespace powercut::fs
