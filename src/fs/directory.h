// Names in directories: linear and htree, looked up, added, removed, listed.
//
// Invariants
//   1. A directory that outgrows its first block becomes an htree if the file system has dir_index;
//      names of an htree lie in the leaf of their hash.
//   2. A change touches only blocks that looking found, in one handle, and cannot fail after its
//      first change.
//   3. A cookie of list() stays valid while names are added and removed: no entry that is there
//      the whole time is passed over or given twice.
//
// Threads: REQUIRES the directory's lock, shared to look, exclusive (and a handle) to change.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "fs/node.h"

namespace powercut::fs {

struct FoundName {
  InodeNo inode;
  std::uint8_t file_type = 0;  // as the directory says
};

// Errors: kNotFound; kLimit: a name longer than 255 bytes; kInvalid: empty, or with '/' or zero.
Result<FoundName> find_name(Core& core, const Node& directory, std::string_view name);

// Credits for add_name() at most, the directory's inode not counted.
Credits add_name_credits(const Node& directory);
// Errors: kExists; kNoSpace (nothing changed).
Result<void> add_name(Core& core, Handle& handle, Node& directory, std::string_view name,
                      InodeNo inode, std::uint8_t file_type);
// Errors: kNotFound.
Result<void> remove_name(Core& core, Handle& handle, Node& directory, std::string_view name);
// Lets a name (also "..") stand for another inode.  Errors: kNotFound.
Result<void> change_name(Core& core, Handle& handle, Node& directory, std::string_view name,
                         InodeNo inode, std::uint8_t file_type);
// The first block of a new directory: "." and "..".  The node is new and has no blocks yet.
Result<void> begin_directory(Core& core, Handle& handle, Node& directory, InodeNo parent);
Result<bool> is_empty_directory(Core& core, const Node& directory);

struct ListedName {
  std::string name;
  InodeNo inode;
  std::uint8_t file_type = 0;
  std::uint64_t next_cookie = 0;  // to go on behind this one
};
// Entries from `cookie` on (0: all, "." and ".." first) until `visit` returns false.
Result<void> list_names(Core& core, const Node& directory, std::uint64_t cookie,
                        const std::function<bool(const ListedName&)>& visit);

}  // namespace powercut::fs
