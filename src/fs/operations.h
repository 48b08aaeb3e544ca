// Operations on names and inodes: each atomic, in one transaction (but for what deletes a large
// file or directory: orphans.h).
//
// Order of each (core.h): look without locks which nodes take part; lock them by number; look again
// and begin anew if that has changed; start a handle with the credits of all parts; change.
//
// Invariants
//   1. An operation that fails has changed nothing.
//   2. Who may do what is the caller's to check; what nobody may (an immutable inode, a name in a
//      directory that was removed) is refused here.
//   3. An inode whose last name goes is deleted when its last open ends, at once if it has none.
//   4. Reading changes no time.
//
// Errors of all of them, beside their own: kReadOnly: mounted so; kAborted: the journal stopped;
// kCorrupt, kChecksum: damage that was met; kIo; kUnsupported, by name.
//
// Threads: any.  No node is locked, and no handle open, when they are called.
#pragma once

#include <optional>
#include <string>

#include "fs/directory.h"
#include "fs/node.h"
#include "fs/xattr.h"

namespace powercut::fs {

// ---- inodes by names

// Errors: kNotFound, kNotDirectory, kLimit (name).
Result<NodeRef> lookup(Core& core, Node& directory, std::string_view name);
// list_names() under the directory's lock.  `visit` must call nothing here.
Result<void> read_directory(Core& core, Node& directory, std::uint64_t cookie,
                            const NameVisitor& visit);

// What a new inode is to be.  Its type is the operation's.
struct NewInode {
  std::uint16_t permissions = 0644;  // with setuid, setgid, sticky
  std::uint16_t umask = 0;           // not looked at if the directory has a default ACL
  std::uint32_t uid = 0, gid = 0;
};
struct DeviceNumber {
  std::uint32_t major = 0, minor = 0;
};
// All of them: errors: kExists, kNotFound (the directory was removed), kNotDirectory, kLimit,
// kNoSpace, kNotPermitted.
Result<NodeRef> make_file(Core& core, Node& directory, std::string_view name, const NewInode& what);
Result<NodeRef> make_directory(Core& core, Node& directory, std::string_view name,
                               const NewInode& what);
// Errors: also kInvalid: an empty target; kLimit: a target that fills more than a block.
Result<NodeRef> make_symlink(Core& core, Node& directory, std::string_view name,
                             std::string_view target, const NewInode& what);
// `type`: a fifo, a socket or a device.
Result<NodeRef> make_special(Core& core, Node& directory, std::string_view name, InodeType type,
                             DeviceNumber device, const NewInode& what);
// Another name.  Errors: also kNotPermitted: a directory; kLimit: 65,000 links.
Result<void> make_link(Core& core, const NodeRef& node, Node& directory, std::string_view name);

// Errors: kNotFound, kIsDirectory, kNotPermitted.
Result<void> remove_file(Core& core, Node& directory, std::string_view name);
// Errors: kNotFound, kNotDirectory, kNotEmpty, kNotPermitted; kInvalid: "." or "..".
Result<void> remove_directory(Core& core, Node& directory, std::string_view name);

enum class RenameHow : std::uint8_t {
  kReplace,    // over what is there: a file over a file, a directory over an empty one
  kNoReplace,  // kExists if something is there
  kExchange,   // both are there
};
struct RenamePlace {
  Node& directory;
  std::string_view name;
};
// Errors: kNotFound, kExists, kNotEmpty, kIsDirectory, kNotDirectory, kNotPermitted; kInvalid: into
// itself, "." or ".."; kLimit (links); kNoSpace.
Result<void> rename(Core& core, RenamePlace from, RenamePlace to, RenameHow how);

// ---- inodes

// An open: the inode stays until as many closes.  Errors: kNotFound: it was deleted.
Result<void> open_node(Node& node);
// Errors: those of the deletion, if it was the last; the inode is an orphan then.
Result<void> close_node(Core& core, const NodeRef& node);

struct Status {
  InodeNo number;
  Inode inode;          // as it is
  DeviceNumber device;  // of a device
  std::uint64_t allocated_bytes = 0;
};
Status status_of(const Core& core, Node& node);

struct StatusChange {
  std::optional<std::uint16_t> permissions = std::nullopt;  // with setuid, setgid, sticky
  std::optional<std::uint32_t> uid = std::nullopt, gid = std::nullopt;
  std::optional<Timestamp> access_time = std::nullopt, modify_time = std::nullopt;
};
// Permissions go into an access ACL, too.  A new owner takes setuid and setgid from what is no
// directory.  Errors: kNotFound: it was deleted; kNotPermitted: immutable or append only.
Result<void> change_status(Core& core, Node& node, const StatusChange& change);
// Errors: kInvalid: no symlink; kCorrupt.
Result<std::string> read_symlink(Core& core, Node& node);

// The flags of chattr(1) that are shown, and those that can be set.
inline constexpr std::uint32_t kVisibleFlags = 0x705BDFFF;
inline constexpr std::uint32_t kSettableFlags = 0x2003C0FB;
std::uint32_t flags_of(Node& node);
// The settable ones become those of `flags`.  Errors: kUnsupported: others would change; kNotFound.
Result<void> set_flags(Core& core, Node& node, std::uint32_t flags);

// ---- attributes, by whole names (xattr.h)

Result<std::vector<std::uint8_t>> get_xattr(Core& core, Node& node, std::string_view name);
Result<std::vector<std::string>> list_xattrs(Core& core, Node& node);
// An access ACL changes the mode.  Errors: kExists, kNotFound (by `mode`), kNoSpace, kLimit,
// kInvalid (an ACL that is none), kNotPermitted (user.* of what is no file or directory; an
// immutable inode; a default ACL of what is no directory).
Result<void> set_xattr(Core& core, Node& node, std::string_view name, Bytes value, SetMode mode);
Result<void> remove_xattr(Core& core, Node& node, std::string_view name);

}  // namespace powercut::fs
