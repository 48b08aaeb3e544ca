// Names in directories: linear and htree, looked up, added, removed, listed.
//
// Words
//   place   what a look found out about one name: where it is, or where it would be put
//
// Invariants
//   1. A directory that outgrows its first block becomes an htree if the file system has dir_index;
//      names of an htree lie in the leaf of their hash.
//   2. A change touches only blocks that its look found and holds, so it needs no device; and what
//      it may run out of (blocks) it takes before its first change.
//   3. A cookie of list_names() stays valid while names are added and removed: no entry that is
//      there the whole time is passed over.  None is given twice, but names of one cookie (62 bits
//      of hash alike) are given again together if the listing stopped among them.
//   4. What is not understood (encrypted or folded names, SipHash) is refused by name; a directory
//      inside an inode (inline_data) can be looked at, and is refused for changes.
//
// Threads: REQUIRES the directory's lock: shared to look, exclusive from the look of a place until
// the change at it.  Changing the names of a directory makes other places in it invalid, but for
// set_place() and, for places that were found, take_place() of another record.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "fs/directory_index.h"

namespace powercut::fs {

struct FoundName {
  InodeNo inode;
  std::uint8_t file_type = 0;  // as the directory says
};

struct NamePlace {
  std::string name;
  std::optional<FoundName> found;

  // Where it is, if found: the block, and there the record and the one in front of it.
  BufferRef buffer;
  std::uint32_t at = 0, before = 0;
  bool is_in_root = false;  // "." or ".." of an htree

  // Where it would be put: the record with room, if there is one; else the directory has to grow.
  BufferRef room_buffer;  // of an htree: the leaf, also without room
  std::optional<std::uint32_t> room_at;
  bool has_room_packed = false;    // there is room if the block's records are moved together
  std::optional<IndexPath> index;  // of an htree
  std::uint32_t new_blocks = 0;    // that adding it takes; prepare_add() claims them
  SpaceClaim claim;
};

inline bool is_dots(std::string_view name) {
  return name == "." || name == "..";
}

// Errors: kLimit: a name longer than 255 bytes; kInvalid: empty, or with '/' or zero.
Result<void> check_name(std::string_view name);

// Errors: kNotFound, and those of check_name(); kNotDirectory.
Result<FoundName> find_name(Core& core, const Node& directory, std::string_view name)
    REQUIRES_SHARED(directory.lock);
// A place for a change; the name need not be there.  Errors: kUnsupported.
Result<NamePlace> look_for_name(Core& core, const Node& directory, std::string_view name)
    REQUIRES_SHARED(directory.lock);
// Loads what add_name() will need beside the blocks of the place, and says whether it can be done.
// Errors: kNoSpace (also: the index can grow no more).
Result<void> prepare_add(Core& core, const Node& directory, NamePlace& place)
    REQUIRES_SHARED(directory.lock);

// Credits for add_name() after prepare_add(), the directory's inode not counted.
Credits add_name_credits(const Core& core, const Node& directory, const NamePlace& place)
    REQUIRES_SHARED(directory.lock);
// One block: what set_place() and take_place() change.
inline constexpr Credits kPlaceCredits{1};

// The name must not be there.  Errors: kNoSpace and those of the device (nothing changed).
Result<void> add_name(Core& core, Handle& handle, Node& directory, NamePlace& place, InodeNo inode,
                      std::uint8_t file_type) REQUIRES(directory.lock);
// Takes the name away.  REQUIRES: found.
void take_place(Core& core, Handle& handle, Node& directory, const NamePlace& place)
    REQUIRES(directory.lock);
// Lets the name (also "..") stand for another inode.  REQUIRES: found.
void set_place(Core& core, Handle& handle, Node& directory, const NamePlace& place, InodeNo inode,
               std::uint8_t file_type) REQUIRES(directory.lock);

// Credits for begin_directory(), the inode not counted.
Credits begin_directory_credits(const Core& core, const Node& directory)
    REQUIRES_SHARED(directory.lock);
// What a new directory in `parent` needs.  Errors: kNoSpace, kIo.
Result<SpaceClaim> claim_first_block(const Core& core, const Node& parent);
// The first block of a new directory: "." and "..".  The node is new and has no blocks yet.
// Errors: those of the device (nothing changed).
Result<void> begin_directory(Core& core, Handle& handle, Node& directory, InodeNo parent,
                             SpaceClaim& claim) REQUIRES(directory.lock);
Result<bool> is_empty_directory(Core& core, const Node& directory) REQUIRES_SHARED(directory.lock);

struct ListedName {
  std::string name;
  InodeNo inode;
  std::uint8_t file_type = 0;
  std::uint64_t next_cookie = 0;  // to go on behind this one
};
using NameVisitor = std::function<bool(const ListedName&)>;
// Entries from `cookie` on (0: all, "." and ".." first) until `visit` returns false.
Result<void> list_names(Core& core, const Node& directory, std::uint64_t cookie,
                        const NameVisitor& visit) REQUIRES_SHARED(directory.lock);

}  // namespace powercut::fs
