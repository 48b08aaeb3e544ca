// POSIX access control lists, which ext4 keeps as values of the attributes
// "system.posix_acl_access" and "system.posix_acl_default".
//
// Three forms
//   stored  ext4's: version 1, ids only for named users and groups.  An Xattr's value.
//   kernel  what getxattr(2) gives and setxattr(2) takes: version 2, an id in every entry.
//   text    what `getfacl -n` prints, in one line: "user::rw-,user:1000:r--,group::r--,mask::r--,
//           other::r--"
//
// Invariant: a parsed list is one that Linux lets be set: the owner, named users, the owning group,
// named groups, the mask (if anybody is named), the others; in this order, named ones in any order.
// (Linux reads lists that break it, and gives them out as they are.)
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"

namespace powercut {

enum class AclTag : std::uint16_t {  // stored
  kOwner = 0x1,                      // ACL_USER_OBJ
  kUser = 0x2,                       // ACL_USER
  kOwningGroup = 0x4,                // ACL_GROUP_OBJ
  kGroup = 0x8,                      // ACL_GROUP
  kMask = 0x10,                      // ACL_MASK
  kOther = 0x20,                     // ACL_OTHER
};

struct AclEntry {
  AclTag tag = AclTag::kOther;
  std::uint8_t permissions = 0;  // 4 read, 2 write, 1 execute
  std::uint32_t id = 0;          // kUser, kGroup; else 0
  friend bool operator==(const AclEntry&, const AclEntry&) = default;
};

struct Acl {
  std::vector<AclEntry> entries;

  // `value` is in the stored form.
  // Errors: kUnsupported (version); kCorrupt; `where` is a byte of `value`, or the entry that is
  // out of order.
  static Result<Acl> parse(Bytes value);
  std::vector<std::uint8_t> encode() const;
  std::vector<std::uint8_t> kernel_form() const;
  std::string text() const;
};

}  // namespace powercut
