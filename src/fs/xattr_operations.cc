// Attributes as operations: what the kinds of names ask for, and what ACLs do to modes.
#include "fs/acl.h"
#include "fs/credits.h"
#include "fs/inode_rules.h"
#include "fs/operations.h"

namespace powercut::fs {
namespace {

bool is_index(const AttributeName& name, XattrIndex index) {
  return name.index == static_cast<std::uint8_t>(index);
}

bool is_acl(const AttributeName& name) {
  return is_index(name, XattrIndex::kAclAccess) || is_index(name, XattrIndex::kAclDefault);
}

// Whether such an inode may have it.
Result<void> check_kind(const Node& node, const AttributeName& name) REQUIRES_SHARED(node.lock) {
  const Inode& inode = node.inode;
  const bool is_directory = inode.is(InodeType::kDirectory);
  if (is_index(name, XattrIndex::kUser) && !is_directory && !inode.is(InodeType::kRegular)) {
    return fail(Errc::kNotPermitted, "attribute: user.* of what is no file or directory",
                node.number.value());
  }
  if (is_acl(name) && inode.is(InodeType::kSymlink)) {
    return fail(Errc::kNotPermitted, "acl: of a symlink", node.number.value());
  }
  if (is_index(name, XattrIndex::kAclDefault) && !is_directory) {
    return fail(Errc::kNotPermitted, "acl: a default one of what is no directory",
                node.number.value());
  }
  return check_changeable(node);
}

Result<void> carry_out(Core& core, Node& node, AttributeChange& change, std::uint16_t mode)
    REQUIRES(node.lock) {
  Handle handle = TRY(core.start(sum_of(kStoreCredits, kSetAttributesCredits)));
  TRY(apply_attributes(core, handle, node, change));
  node.inode.mode = mode;
  inode_changed(core, node);
  core.nodes->store(handle, node);
  return {};
}

// The mode says all of it: the attribute is not kept.
Result<void> set_only_mode(Core& core, Node& node, const AttributeName& name, std::uint16_t mode)
    REQUIRES(node.lock) {
  Result<AttributeChange> change = plan_remove(core, node, name);
  if (!change && change.error().code != Errc::kNotFound) return Failure{change.error()};
  if (change) return carry_out(core, node, *change, mode);
  Handle handle = TRY(core.start(kStoreCredits));
  node.inode.mode = mode;
  inode_changed(core, node);
  core.nodes->store(handle, node);
  return {};
}

}  // namespace

Result<std::vector<std::uint8_t>> get_xattr(Core& core, Node& node, std::string_view name) {
  SharedLock lock(node.lock);
  return get_attribute(core, node, name);
}

Result<std::vector<std::string>> list_xattrs(Core& core, Node& node) {
  SharedLock lock(node.lock);
  return list_attributes(core, node);
}

Result<void> set_xattr(Core& core, Node& node, std::string_view name, Bytes value, SetMode mode) {
  const AttributeName wanted = TRY(attribute_name(name));
  ExclusiveLock lock(node.lock);
  TRY(check_kind(node, wanted));
  if (!is_acl(wanted)) {
    AttributeChange change = TRY(plan_set(core, node, wanted, value, mode));
    return carry_out(core, node, change, node.inode.mode);
  }
  const Acl acl = TRY(acl_from_kernel(value));
  std::uint16_t new_mode = node.inode.mode;
  if (is_index(wanted, XattrIndex::kAclAccess)) {
    new_mode = mode_with(acl, new_mode);
    if (is_only_mode(acl)) return set_only_mode(core, node, wanted, new_mode);
  }
  AttributeChange change = TRY(plan_set(core, node, wanted, acl.encode(), mode));
  return carry_out(core, node, change, new_mode);
}

Result<void> remove_xattr(Core& core, Node& node, std::string_view name) {
  const AttributeName wanted = TRY(attribute_name(name));
  ExclusiveLock lock(node.lock);
  TRY(check_changeable(node));
  AttributeChange change = TRY(plan_remove(core, node, wanted));
  return carry_out(core, node, change, node.inode.mode);
}

}  // namespace powercut::fs
