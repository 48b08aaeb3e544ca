// Reading attributes, and planning changes of them.
#include "fs/xattr.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "format/ext4_disk.h"
#include "fs/xattr_layout.h"

namespace powercut::fs {
namespace {

struct Prefix {
  std::string_view text;
  XattrIndex index;
};
constexpr std::array<Prefix, 3> kPrefixes = {{{"user.", XattrIndex::kUser},
                                              {"trusted.", XattrIndex::kTrusted},
                                              {"security.", XattrIndex::kSecurity}}};

bool is(const XattrEntry& entry, const AttributeName& name) {
  return entry.index == name.index && entry.name == name.name;
}

auto find_in(std::vector<XattrEntry>& entries, const AttributeName& name) {
  return std::ranges::find_if(entries, [&](const XattrEntry& entry) { return is(entry, name); });
}

Failure value_in_inode(const Node& node) {
  return fail_with(Errc::kUnsupported, "attributes", "ea_inode", node.number.value());
}

bool has_value_inode(const Attributes& attributes) {
  const auto has = [](const XattrEntry& entry) { return entry.value_inode.value() != 0; };
  return std::ranges::any_of(attributes.body.entries, has) ||
         std::ranges::any_of(attributes.in_block, has);
}

// As ext4 stores it, or an error.
Result<const XattrEntry*> find_entry(const Attributes& attributes, const Node& node,
                                     const AttributeName& name) {
  for (const auto* entries : {&attributes.body.entries, &attributes.in_block}) {
    for (const XattrEntry& entry : *entries) {
      if (!is(entry, name)) continue;
      if (entry.value_inode.value() != 0) return value_in_inode(node);
      return &entry;
    }
  }
  return static_cast<const XattrEntry*>(nullptr);
}

XattrEntry entry_of(const AttributeName& name, Bytes value) {
  XattrEntry entry;
  entry.index = name.index;
  entry.name = name.name;
  entry.value_bytes = static_cast<std::uint32_t>(value.size());
  entry.value.assign(value.begin(), value.end());
  return entry;
}

// True if it was there.
bool take_out(AttributeChange& change, const AttributeName& name) {
  auto& body = change.after.body.entries;
  auto& block = change.after.in_block;
  const auto in_body = find_in(body, name);
  if (in_body != body.end()) {
    body.erase(in_body);
    return true;
  }
  const auto in_block = find_in(block, name);
  if (in_block == block.end()) return false;
  block.erase(in_block);
  change.changes_block = true;
  return true;
}

Result<void> put_in(const Core& core, const Inode& inode, AttributeChange& change,
                    XattrEntry entry) {
  auto& body = change.after.body.entries;
  body.push_back(std::move(entry));
  if (fits(body, body_room(core.shape, inode))) return {};
  auto& block = change.after.in_block;
  block.push_back(std::move(body.back()));
  body.pop_back();
  if (!fits(block, block_room(core.shape))) {
    return fail(Errc::kNoSpace, "attributes: no room in the inode or a block");
  }
  sort_for_block(block);
  change.changes_block = true;
  return {};
}

// Whether a block has to be taken, and its place.
Result<void> finish_plan(Core& core, InodeNo near, AttributeChange& change) {
  change.needs_block = !change.after.in_block.empty();
  const bool takes_block =
      change.changes_block && change.needs_block && change.after.references != 1;
  if (!takes_block || change.claim.left() > 0) return {};
  TRY(core.groups->prepare(core.groups->goal_near(near), 1));
  change.claim = TRY(core.groups->claim(1));
  return {};
}

Result<AttributeChange> begin_plan(Core& core, const Node& node) REQUIRES_SHARED(node.lock) {
  AttributeChange change;
  change.after = TRY(read_attributes(core, node));
  if (has_value_inode(change.after)) return value_in_inode(node);
  return change;
}

Result<Attributes> read(Core& core, const Node& node) REQUIRES_SHARED(node.lock) {
  Attributes attributes;
  attributes.body = TRY(XattrBody::parse(node.stored, node.inode, node.number, core.shape));
  if (node.inode.xattr_block.value() == 0) return attributes;
  attributes.block = TRY(core.buffers->get(node.inode.xattr_block));
  const Content content = attributes.block->snapshot();
  XattrBlock block = TRY(XattrBlock::parse(content.bytes(), node.inode.xattr_block, core.shape));
  attributes.in_block = std::move(block.entries);
  attributes.references = std::max(block.references, std::uint32_t{1});
  return attributes;
}

}  // namespace

Result<Attributes> read_attributes(Core& core, const Node& node) {
  return noted(core, read(core, node));
}

Result<AttributeName> attribute_name(std::string_view whole) {
  if (whole.find('\0') != std::string_view::npos) {
    return fail(Errc::kInvalid, "attribute: a zero byte in its name");
  }
  if (whole == "system.posix_acl_access") {
    return AttributeName{static_cast<std::uint8_t>(XattrIndex::kAclAccess), ""};
  }
  if (whole == "system.posix_acl_default") {
    return AttributeName{static_cast<std::uint8_t>(XattrIndex::kAclDefault), ""};
  }
  for (const Prefix& prefix : kPrefixes) {
    if (!whole.starts_with(prefix.text)) continue;
    const std::string_view rest = whole.substr(prefix.text.size());
    if (rest.empty()) return fail_with(Errc::kInvalid, "attribute: no name behind", whole);
    if (whole.size() > kXattrNameMax) {
      return fail(Errc::kLimit, "attribute: a name over 255 bytes", whole.size());
    }
    return AttributeName{static_cast<std::uint8_t>(prefix.index), std::string(rest)};
  }
  return fail_with(Errc::kUnsupported, "attribute: its prefix", whole);
}

Result<std::optional<std::vector<std::uint8_t>>> stored_value(Core& core, const Node& node,
                                                              XattrIndex index) {
  const Attributes attributes = TRY(read_attributes(core, node));
  const AttributeName name{static_cast<std::uint8_t>(index), ""};
  const XattrEntry* entry = TRY(find_entry(attributes, node, name));
  std::optional<std::vector<std::uint8_t>> value;
  if (entry != nullptr) value = entry->value;
  return value;
}

Result<std::vector<std::uint8_t>> get_attribute(Core& core, const Node& node,
                                                std::string_view name) {
  const AttributeName wanted = TRY(attribute_name(name));
  const Attributes attributes = TRY(read_attributes(core, node));
  const XattrEntry* entry = TRY(find_entry(attributes, node, wanted));
  if (entry == nullptr) {
    return fail_with(Errc::kNotFound, "attribute", name, node.number.value());
  }
  const bool is_acl = entry->has(XattrIndex::kAclAccess) || entry->has(XattrIndex::kAclDefault);
  if (!is_acl) return entry->value;
  return TRY(noted(core, Acl::parse(entry->value))).kernel_form();
}

Result<std::vector<std::string>> list_attributes(Core& core, const Node& node) {
  const Attributes attributes = TRY(read_attributes(core, node));
  std::vector<std::string> names;
  for (const auto* entries : {&attributes.body.entries, &attributes.in_block}) {
    for (const XattrEntry& entry : *entries) {
      if (entry.is_listed()) names.push_back(entry.full_name());
    }
  }
  return names;
}

Result<AttributeChange> plan_set(Core& core, const Node& node, const AttributeName& name,
                                 Bytes value, SetMode mode) {
  if (value.size() > kXattrValueMax) {
    return fail(Errc::kLimit, "attribute: a value over 64 KiB", value.size());
  }
  AttributeChange change = TRY(begin_plan(core, node));
  const bool was_there = take_out(change, name);
  if (was_there && mode == SetMode::kCreate) {
    return fail_with(Errc::kExists, "attribute", name.name, node.number.value());
  }
  if (!was_there && mode == SetMode::kReplace) {
    return fail_with(Errc::kNotFound, "attribute", name.name, node.number.value());
  }
  TRY(put_in(core, node.inode, change, entry_of(name, value)));
  TRY(finish_plan(core, node.number, change));
  return change;
}

Result<AttributeChange> plan_remove(Core& core, const Node& node, const AttributeName& name) {
  AttributeChange change = TRY(begin_plan(core, node));
  if (!take_out(change, name)) {
    return fail_with(Errc::kNotFound, "attribute", name.name, node.number.value());
  }
  TRY(finish_plan(core, node.number, change));
  return change;
}

Result<AttributeChange> plan_new(Core& core, const Inode& inode, InodeNo near,
                                 const std::vector<NewAttribute>& attributes) {
  AttributeChange change;
  for (const NewAttribute& attribute : attributes) {
    const AttributeName name{static_cast<std::uint8_t>(attribute.index), ""};
    TRY(put_in(core, inode, change, entry_of(name, attribute.value)));
  }
  TRY(finish_plan(core, near, change));
  return change;
}

Result<void> check_no_value_inodes(Core& core, const Node& node) {
  const Attributes attributes = TRY(read_attributes(core, node));
  if (has_value_inode(attributes)) return value_in_inode(node);
  return {};
}

}  // namespace powercut::fs
