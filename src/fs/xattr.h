// Extended attributes, read and changed: in the inode as long as there is room, then in a block of
// their own.
//
// Words
//   body   the attributes in the inode, behind its fixed part
//   block  a block of attributes (i_file_acl), which several inodes may share (h_refcount)
//
// Invariants
//   1. An attribute is in the body or in the block, never in both.
//   2. A shared block is not changed: who changes its attributes gets a block of its own.  No block
//      becomes shared here.
//   3. Entries of a block are sorted as Linux looks for them: by index, length of name, name.
//   4. Attributes whose values are in inodes (ea_inode) can be listed and read by others; an inode
//      that has one is refused for changes of attributes.
//
// Names are whole ("user.mime"); "system.data", which is inline data, is nobody's.  The values of
// "system.posix_acl_access" and "_default" are in the kernel's form (getxattr(2)) outside, in
// ext4's inside.
//
// Threads: REQUIRES the node's lock: shared to look, exclusive (and a handle) to change.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "format/ext4_acl.h"
#include "format/ext4_xattr.h"
#include "fs/node.h"

namespace powercut::fs {

// Whether an attribute may be there before it is set.
enum class SetMode : std::uint8_t { kEither, kCreate, kReplace };

// All of a node's attributes, apart by where they are.
struct Attributes {
  XattrBody body;
  std::vector<XattrEntry> in_block;
  std::uint32_t references = 0;  // of the block; 0: there is none
  BufferRef block;
};

// Errors: kCorrupt, kChecksum, kIo.
Result<Attributes> read_attributes(Core& core, const Node& node) REQUIRES_SHARED(node.lock);

// Errors: kNotFound; kUnsupported: its value is in an inode; as read_attributes().
Result<std::vector<std::uint8_t>> get_attribute(Core& core, const Node& node, std::string_view name)
    REQUIRES_SHARED(node.lock);
// In the order in which they are stored.
Result<std::vector<std::string>> list_attributes(Core& core, const Node& node)
    REQUIRES_SHARED(node.lock);
// The value as ext4 stores it; nothing if there is none of that index and name.
Result<std::optional<std::vector<std::uint8_t>>> stored_value(Core& core, const Node& node,
                                                              XattrIndex index)
    REQUIRES_SHARED(node.lock);

// A change that was thought through before the handle: apply_attributes() cannot run out of room.
struct AttributeChange {
  Attributes after;
  bool needs_block = false;  // else the block, if there is one, is given up
  bool changes_block = false;
  SpaceClaim claim;
};

struct AttributeName {
  std::uint8_t index = 0;
  std::string name;
};
// Errors: kInvalid: a prefix that is none; kLimit: too long; kUnsupported: "system." others.
Result<AttributeName> attribute_name(std::string_view whole);

// Plans to set (`value` in ext4's form) or to remove an attribute.
// Errors: kExists, kNotFound (by `mode`; a removal); kLimit: value too long; kNoSpace: it does not
// fit, or no block is free; kUnsupported; as read_attributes().
Result<AttributeChange> plan_set(Core& core, const Node& node, const AttributeName& name,
                                 Bytes value, SetMode mode = SetMode::kEither)
    REQUIRES_SHARED(node.lock);
Result<AttributeChange> plan_remove(Core& core, const Node& node, const AttributeName& name)
    REQUIRES_SHARED(node.lock);
// Attributes of an inode that is being made; it has none yet.  Errors: kNoSpace.
struct NewAttribute {
  XattrIndex index{};
  std::vector<std::uint8_t> value;
};
Result<AttributeChange> plan_new(Core& core, const Inode& inode, InodeNo near,
                                 const std::vector<NewAttribute>& attributes);
// kSetAttributesCredits.  The caller stores the node.  Errors: those of the device (nothing
// changed).
Result<void> apply_attributes(Core& core, Handle& handle, Node& node, AttributeChange& change)
    REQUIRES(node.lock);

// For deletions: what drop_attribute_block() will need, before the handle.
Result<void> prepare_attributes(Core& core, const Node& node) REQUIRES_SHARED(node.lock);
// The node has no block of attributes any more.  kDropAttributesCredits.
Result<void> drop_attribute_block(Core& core, Handle& handle, Node& node) REQUIRES(node.lock);
// Errors: kUnsupported: a value in an inode.
Result<void> check_no_value_inodes(Core& core, const Node& node) REQUIRES_SHARED(node.lock);

}  // namespace powercut::fs
