// New inodes under new names.
#include "base/stored_int.h"
#include "fs/acl.h"
#include "fs/credits.h"
#include "fs/extent_map.h"
#include "fs/inode_rules.h"
#include "fs/operations.h"

namespace powercut::fs {
namespace {

// Of an inode that is being made.
struct Making {
  Inode inode;
  std::string_view target;  // of a symlink that is in a block of its own
  AttributeChange attributes;
  SpaceClaim claim;  // of its first block

  bool is_directory() const { return inode.is(InodeType::kDirectory); }
  bool has_block() const { return is_directory() || !target.empty(); }
  bool has_attributes() const {
    return !attributes.after.body.entries.empty() || attributes.needs_block;
  }
};

std::uint16_t mode_of(InodeType type, unsigned permissions) {
  return static_cast<std::uint16_t>(static_cast<unsigned>(type) << 12 |
                                    (permissions & kPermissionBits));
}

// Permissions by the umask, or by the directory's default ACL, with what is kept of it.
Result<void> inherit_acl(Core& core, const Node& directory, std::uint16_t umask, Making& making)
    REQUIRES_SHARED(directory.lock) {
  if (making.inode.is(InodeType::kSymlink)) return {};
  const auto stored = TRY(stored_value(core, directory, XattrIndex::kAclDefault));
  if (!stored) {
    making.inode.mode = static_cast<std::uint16_t>(making.inode.mode & ~(umask & 0777u));
    return {};
  }
  const Acl default_acl = TRY(noted(core, Acl::parse(*stored)));
  const InheritedAcl inherited = inherit(default_acl, making.inode.mode);
  making.inode.mode = inherited.mode;
  std::vector<NewAttribute> attributes;
  if (inherited.access) {
    attributes.push_back({XattrIndex::kAclAccess, inherited.access->encode()});
  }
  if (making.is_directory()) attributes.push_back({XattrIndex::kAclDefault, *stored});
  making.attributes = TRY(plan_new(core, making.inode, directory.number, attributes));
  return {};
}

Credits credits_of(const Core& core, const Node& directory, const NamePlace& place,
                   const Making& making) REQUIRES_SHARED(directory.lock) {
  std::uint32_t credits = add_name_credits(core, directory, place).value() +
                          kNewInodeCredits.value() + kStoreCredits.value();
  // A tree of a new inode is no deeper than the directory's.
  if (making.has_block()) credits += begin_directory_credits(core, directory).value();
  if (making.has_attributes()) credits += kSetAttributesCredits.value();
  return Credits(credits);
}

Result<void> write_target(Core& core, Handle& handle, Node& node, Making& making)
    REQUIRES(node.lock) {
  const BlockRun run = TRY(core.groups->allocate(
      handle, BlockWish{.goal = core.groups->goal_near(node.number), .claim = &making.claim}));
  const Result<void> mapped = add_run(core, handle, node, FileBlock(0), run, false);
  const Result<BufferRef> buffer = core.buffers->get_unread(run.first);
  if (!mapped) {
    ignore_error(core.groups->release(handle, run), "taken just now from the same group");
    return mapped;
  }
  if (!buffer) return Failure{buffer.error()};
  Content content = Content::zeroes(core.block_bytes());
  std::memcpy(content.mutable_bytes().data(), making.target.data(), making.target.size());
  handle.replace(*buffer, std::move(content));
  return {};
}

// All that can fail of a new inode.
Result<void> fill(Core& core, Handle& handle, Node& node, InodeNo parent, Making& making)
    REQUIRES(node.lock) {
  if (making.is_directory()) TRY(begin_directory(core, handle, node, parent, making.claim));
  if (!making.target.empty()) TRY(write_target(core, handle, node, making));
  if (making.has_attributes()) TRY(apply_attributes(core, handle, node, making.attributes));
  return {};
}

// As if it had never been.
void take_back(Core& core, Handle& handle, Node& node) REQUIRES(node.lock) {
  constexpr const char* kWhy = "taken just now, by this handle";
  if (node.inode.has_block_map() && node.inode.has(InodeFlag::kExtents)) {
    ignore_error(remove_runs(core, handle, node, FileBlock(0), FileBlock(kFileBlocksMax)), kWhy);
  }
  ignore_error(drop_attribute_block(core, handle, node), kWhy);
  core.nodes->drop(node.number);
  const bool is_directory = node.inode.is(InodeType::kDirectory);
  ignore_error(core.groups->release_inode(handle, node.number, is_directory), kWhy);
}

Result<NodeRef> put_inode(Core& core, Handle& handle, Node& directory, NamePlace& place,
                          Making& making) REQUIRES(directory.lock) {
  const InodeNo number =
      TRY(core.groups->allocate_inode(handle, directory.number, making.is_directory()));
  Result<NodeRef> created = core.nodes->create(handle, number, making.inode);
  // What is in use keeps its bit.
  if (!created && is_damage(created.error())) return created;
  if (!created) {
    ignore_error(core.groups->release_inode(handle, number, making.is_directory()),
                 "taken just now, by this handle");
    return created;
  }
  Node& node = **created;
  NewNodeLock lock(node);
  Result<void> outcome = fill(core, handle, node, directory.number, making);
  if (outcome) {
    const std::uint8_t type = file_type_of(core.shape, node.inode.type());
    outcome = add_name(core, handle, directory, place, number, type);
  }
  if (!outcome) {
    take_back(core, handle, node);
    return Failure{outcome.error()};
  }
  core.nodes->store(handle, node);
  return created;
}

Result<NodeRef> make(Core& core, Node& directory, std::string_view name, std::uint16_t umask,
                     const NewInodeWords& what, const std::function<void(Making&)>& complete) {
  ExclusiveLock lock(directory.lock);
  TRY(check_changeable_directory(directory, false));
  NamePlace place = TRY(look_for_name(core, directory, name));
  if (place.found) return fail_with(Errc::kExists, "name", name, directory.number.value());
  Making making;
  making.inode = new_inode(core, directory, what);
  if (making.is_directory()) TRY(check_one_more_directory(core, directory));
  TRY(inherit_acl(core, directory, umask, making));
  complete(making);
  TRY(prepare_add(core, directory, place));
  TRY(core.groups->prepare(core.groups->goal_near(directory.number), 0, directory.number));
  if (making.has_block()) making.claim = TRY(claim_first_block(core, directory));

  Handle handle = TRY(core.start(credits_of(core, directory, place, making)));
  NodeRef node = TRY(put_inode(core, handle, directory, place, making));
  if (making.is_directory()) count_directory_up(directory);
  names_changed(core, directory);
  core.nodes->store(handle, directory);
  return node;
}

void complete_nothing(Making&) {}

}  // namespace

Result<NodeRef> make_file(Core& core, Node& directory, std::string_view name,
                          const NewInode& what) {
  const NewInodeWords words{mode_of(InodeType::kRegular, what.permissions), what.uid, what.gid};
  return make(core, directory, name, what.umask, words, complete_nothing);
}

Result<NodeRef> make_directory(Core& core, Node& directory, std::string_view name,
                               const NewInode& what) {
  const NewInodeWords words{mode_of(InodeType::kDirectory, what.permissions), what.uid, what.gid};
  return make(core, directory, name, what.umask, words, complete_nothing);
}

Result<NodeRef> make_symlink(Core& core, Node& directory, std::string_view name,
                             std::string_view target, const NewInode& what) {
  if (target.empty() || target.find('\0') != std::string_view::npos) {
    return fail(Errc::kInvalid, "symlink: an empty target, or one with a zero byte");
  }
  if (target.size() >= core.block_bytes()) {
    return fail(Errc::kLimit, "symlink: a target that fills more than a block", target.size());
  }
  const NewInodeWords words{mode_of(InodeType::kSymlink, 0777), what.uid, what.gid};
  return make(core, directory, name, 0, words, [&](Making& making) {
    making.inode.size = target.size();
    if (target.size() < kBlockAreaBytes) {
      std::memcpy(making.inode.block_area.data(), target.data(), target.size());
    } else {
      making.target = target;
      begin_extent_tree(making.inode);
    }
  });
}

Result<NodeRef> make_special(Core& core, Node& directory, std::string_view name, InodeType type,
                             DeviceNumber device, const NewInode& what) {
  const bool is_device = type == InodeType::kCharacterDevice || type == InodeType::kBlockDevice;
  if (!is_device && type != InodeType::kFifo && type != InodeType::kSocket) {
    return fail(Errc::kInvalid, "special file: its type", static_cast<std::uint64_t>(type));
  }
  if (device.major > 0xFFF || device.minor > 0xFFFFF) {
    return fail(Errc::kInvalid, "device: a number that is none", device.major);
  }
  const NewInodeWords words{mode_of(type, what.permissions), what.uid, what.gid};
  return make(core, directory, name, what.umask, words, [&](Making& making) {
    if (is_device) put_device(device.major, device.minor, making.inode);
  });
}

Result<void> make_link(Core& core, const NodeRef& node, Node& directory, std::string_view name) {
  Node& linked = *node;
  if (&linked == &directory) return fail(Errc::kNotPermitted, "link: a directory");
  LockTwo lock(linked, directory);
  TRY(check_changeable_directory(directory, false));
  if (linked.inode.is(InodeType::kDirectory)) return fail(Errc::kNotPermitted, "link: a directory");
  TRY(check_changeable(linked));
  if (linked.inode.links == 0) return fail(Errc::kNotFound, "inode: was deleted");
  if (linked.inode.links >= kLinksMax) {
    return fail(Errc::kLimit, "inode: too many links", linked.number.value());
  }
  NamePlace place = TRY(look_for_name(core, directory, name));
  if (place.found) return fail_with(Errc::kExists, "name", name, directory.number.value());
  TRY(prepare_add(core, directory, place));
  Handle handle = TRY(
      core.start(sum_of(add_name_credits(core, directory, place), kStoreCredits, kStoreCredits)));
  TRY(add_name(core, handle, directory, place, linked.number,
               file_type_of(core.shape, linked.inode.type())));
  ++linked.inode.links;
  inode_changed(core, linked);
  names_changed(core, directory);
  core.nodes->store(handle, linked);
  core.nodes->store(handle, directory);
  return {};
}

}  // namespace powercut::fs
