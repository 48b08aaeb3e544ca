// What access control lists do to modes, and modes to them.  Pure.
//
// An access ACL that says no more than a mode is not kept: the mode is enough.  Where there is one,
// the group's bits of the mode are the ACL's mask.  A directory's default ACL is what new inodes in
// it begin with, instead of the umask.
#pragma once

#include <optional>

#include "format/ext4_acl.h"

namespace powercut::fs {

// From the form that setxattr(2) is given.  Errors: kInvalid: no such list, or one that Linux would
// not let be set.
Result<Acl> acl_from_kernel(Bytes value);
// Whether it names nobody and has no mask.
bool is_only_mode(const Acl& acl);
// `mode` with the permissions that the access ACL says.
std::uint16_t mode_with(const Acl& acl, std::uint16_t mode);
// The access ACL after chmod(2).
Acl with_mode(Acl acl, std::uint16_t mode);

struct InheritedAcl {
  std::uint16_t mode = 0;
  std::optional<Acl> access;  // only if it says more than the mode
};
// What a new inode that asked for `mode` gets from its directory's default ACL.
InheritedAcl inherit(const Acl& default_acl, std::uint16_t mode);

}  // namespace powercut::fs
