// What is known of an inode, and changed without its names or its content.
#include <limits>

#include "fs/acl.h"
#include "fs/credits.h"
#include "fs/deletion.h"
#include "fs/extent_map.h"
#include "fs/inode_rules.h"
#include "fs/node_lookup.h"
#include "fs/operations.h"

namespace powercut::fs {
namespace {

constexpr std::uint32_t kSectorBytes = 512;
constexpr std::uint32_t kDirectoryOnlyFlags = 0x30000;  // D and T
constexpr std::uint32_t kProjectInheritFlag = 0x20000000;

AttributeName access_acl() {
  return {static_cast<std::uint8_t>(XattrIndex::kAclAccess), ""};
}

// The nearest that such an inode can hold, as Linux has it.
Timestamp storable(const Inode& inode, const Timestamp& time) {
  constexpr std::int64_t kFirst = std::numeric_limits<std::int32_t>::min();
  constexpr std::int64_t kLastPlain = std::numeric_limits<std::int32_t>::max();
  constexpr std::int64_t kLastWithEpoch = kLastPlain + (std::int64_t{3} << 32);
  const bool has_epoch = inode.extra_bytes != 0;
  const std::int64_t last = has_epoch ? kLastWithEpoch : kLastPlain;
  if (time.seconds < kFirst) return {kFirst, 0};
  if (time.seconds > last) return {last, 0};
  return {time.seconds, has_epoch ? time.nanoseconds : 0};
}

// The access ACL with other permissions; nothing if there is none.
Result<std::optional<AttributeChange>> plan_acl_mode(Core& core, const Node& node,
                                                     std::uint16_t permissions)
    REQUIRES_SHARED(node.lock) {
  std::optional<AttributeChange> change;
  const auto stored = TRY(stored_value(core, node, XattrIndex::kAclAccess));
  if (!stored) return change;
  const Acl acl = with_mode(TRY(noted(core, Acl::parse(*stored))), permissions);
  change = TRY(plan_set(core, node, access_acl(), acl.encode()));
  return change;
}

void set_permissions(Inode& inode, std::uint16_t permissions) {
  inode.mode =
      static_cast<std::uint16_t>((inode.mode & ~kPermissionBits) | (permissions & kPermissionBits));
}

void set_owner(Inode& inode, const StatusChange& change) {
  if (!change.uid && !change.gid) return;
  inode.uid = change.uid.value_or(inode.uid);
  inode.gid = change.gid.value_or(inode.gid);
  if (inode.is(InodeType::kDirectory)) return;
  inode.mode = static_cast<std::uint16_t>(inode.mode & ~kSetUid);
  // Without the group's execution, setgid once stood for mandatory locks.
  if ((inode.mode & kGroupExecutes) != 0) {
    inode.mode = static_cast<std::uint16_t>(inode.mode & ~kSetGid);
  }
}

Result<void> read_target_block(Core& core, const Node& node, std::string& target)
    REQUIRES_SHARED(node.lock) {
  const MappedRun run = TRY(find_run(core, node, FileBlock(0)));
  if (run.kind != MappedRun::Kind::kWritten || node.inode.size >= core.block_bytes()) {
    return fail(Errc::kCorrupt, "symlink: its block, or its length", node.number.value());
  }
  const BufferRef buffer = TRY(core.buffers->get(run.device));
  const Content content = buffer->snapshot();
  target.assign(reinterpret_cast<const char*>(content.bytes().data()), node.inode.size);
  return {};
}

Result<void> read_inline_target(Core& core, const Node& node, std::string& target)
    REQUIRES_SHARED(node.lock) {
  const auto* area = reinterpret_cast<const char*>(node.inode.block_area.data());
  target.assign(area, kBlockAreaBytes);
  const XattrBody body = TRY(XattrBody::parse(node.stored, node.inode, node.number, core.shape));
  for (const XattrEntry& entry : body.entries) {
    if (entry.is_inline_data()) target.append(entry.value.begin(), entry.value.end());
  }
  if (target.size() < node.inode.size) {
    return fail(Errc::kCorrupt, "symlink: its length", node.number.value());
  }
  target.resize(node.inode.size);
  return {};
}

Result<std::string> read_target(Core& core, const Node& node) REQUIRES_SHARED(node.lock) {
  std::string target;
  if (node.inode.is_short_symlink()) {
    target.assign(reinterpret_cast<const char*>(node.inode.block_area.data()), node.inode.size);
  } else if (node.inode.has(InodeFlag::kInlineData)) {
    TRY(read_inline_target(core, node, target));
  } else {
    TRY(read_target_block(core, node, target));
  }
  if (target.empty() || target.find('\0') != std::string::npos) {
    return fail(Errc::kCorrupt, "symlink: an empty target, or a zero byte in it",
                node.number.value());
  }
  return target;
}

}  // namespace

Result<NodeRef> lookup(Core& core, Node& directory, std::string_view name) {
  return node_of_name(core, directory, name);
}

Result<void> read_directory(Core& core, Node& directory, std::uint64_t cookie,
                            const NameVisitor& visit) {
  SharedLock lock(directory.lock);
  return list_names(core, directory, cookie, visit);
}

Result<void> open_node(Node& node) {
  SharedLock lock(node.lock);
  if (node.inode.links == 0 && node.opens.load() == 0) {
    return fail(Errc::kNotFound, "inode: was deleted", node.number.value());
  }
  node.opens.fetch_add(1);
  return {};
}

Result<void> close_node(Core& core, const NodeRef& node) {
  const std::uint32_t before = node->opens.fetch_sub(1);
  CHECK(before > 0, "a close of what is open");
  if (before > 1) return {};
  {
    SharedLock lock(node->lock);
    if (node->inode.links != 0) return {};
  }
  return delete_now_or_later(core, node);
}

Status status_of(const Core& core, Node& node) {
  SharedLock lock(node.lock);
  Status status;
  status.number = node.number;
  status.inode = node.inode;
  const InodeType type = node.inode.type();
  if (type == InodeType::kCharacterDevice || type == InodeType::kBlockDevice) {
    const DevicePair device = device_of(node.inode);
    status.device = {device.major, device.minor};
  }
  const std::uint32_t unit =
      node.inode.has(InodeFlag::kHugeFile) ? core.block_bytes() : kSectorBytes;
  status.allocated_bytes = node.inode.sectors * unit;
  return status;
}

Result<void> change_status(Core& core, Node& node, const StatusChange& change) {
  ExclusiveLock lock(node.lock);
  TRY(check_changeable(node));
  std::optional<AttributeChange> acl;
  if (change.permissions) acl = TRY(plan_acl_mode(core, node, *change.permissions));
  const Credits more = acl ? kSetAttributesCredits : Credits(0);
  Handle handle = TRY(core.start(sum_of(kStoreCredits, more)));
  if (acl) TRY(apply_attributes(core, handle, node, *acl));
  Inode& inode = node.inode;
  set_owner(inode, change);
  if (change.permissions) set_permissions(inode, *change.permissions);
  if (change.access_time) inode.access_time = storable(inode, *change.access_time);
  if (change.modify_time) inode.modify_time = storable(inode, *change.modify_time);
  inode_changed(core, node);
  core.nodes->store(handle, node);
  return {};
}

Result<std::string> read_symlink(Core& core, Node& node) {
  SharedLock lock(node.lock);
  if (!node.inode.is(InodeType::kSymlink)) {
    return fail(Errc::kInvalid, "not a symlink", node.number.value());
  }
  if (node.inode.has(InodeFlag::kEncrypted)) {
    return fail_with(Errc::kUnsupported, "symlink", "encrypted", node.number.value());
  }
  return noted(core, read_target(core, node));
}

std::uint32_t flags_of(Node& node) {
  SharedLock lock(node.lock);
  return node.inode.flags & kVisibleFlags;
}

Result<void> set_flags(Core& core, Node& node, std::uint32_t flags) {
  ExclusiveLock lock(node.lock);
  if (node.inode.links == 0 && node.opens.load() == 0) {
    return fail(Errc::kNotFound, "inode: was deleted", node.number.value());
  }
  const std::uint32_t changed = (node.inode.flags ^ flags) & kVisibleFlags;
  if ((changed & ~kSettableFlags) != 0) {
    return fail(Errc::kUnsupported, "flags: of those that cannot be set here",
                changed & ~kSettableFlags);
  }
  // Linux has no way to do it, and e2fsck takes such flags for damage.
  if (!node.inode.is(InodeType::kDirectory) && !node.inode.is(InodeType::kRegular)) {
    return fail(Errc::kUnsupported, "flags: of what is no file or directory", node.number.value());
  }
  if ((changed & flags & kDirectoryOnlyFlags) != 0 && !node.inode.is(InodeType::kDirectory)) {
    return fail(Errc::kUnsupported, "flags: of directories alone", flags & kDirectoryOnlyFlags);
  }
  if ((changed & flags & kProjectInheritFlag) != 0 && !core.shape.has(Ext4RoCompat::kProject)) {
    return fail_with(Errc::kUnsupported, "flags", "project");
  }
  Handle handle = TRY(core.start(kStoreCredits));
  node.inode.flags = (node.inode.flags & ~kSettableFlags) | (flags & kSettableFlags);
  inode_changed(core, node);
  core.nodes->store(handle, node);
  return {};
}

}  // namespace powercut::fs
