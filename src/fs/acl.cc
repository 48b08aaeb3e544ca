#include "fs/acl.h"

#include <algorithm>

#include "base/stored_int.h"
#include "format/ext4_disk.h"

namespace powercut::fs {
namespace {

constexpr std::uint32_t kKernelVersion = 2;
constexpr unsigned kOwnerShift = 6, kGroupShift = 3, kOtherShift = 0;

AclEntry* find(Acl& acl, AclTag tag) {
  const auto found = std::ranges::find(acl.entries, tag, &AclEntry::tag);
  return found == acl.entries.end() ? nullptr : &*found;
}

std::uint8_t permissions_of(const Acl& acl, AclTag tag) {
  const auto found = std::ranges::find(acl.entries, tag, &AclEntry::tag);
  return found == acl.entries.end() ? std::uint8_t{0} : found->permissions;
}

AclTag group_tag(const Acl& acl) {
  const bool has_mask = std::ranges::count(acl.entries, AclTag::kMask, &AclEntry::tag) != 0;
  return has_mask ? AclTag::kMask : AclTag::kOwningGroup;
}

std::uint8_t part(std::uint16_t mode, unsigned shift) {
  return static_cast<std::uint8_t>((mode >> shift) & 7);
}

}  // namespace

Result<Acl> acl_from_kernel(Bytes value) {
  const auto version = load<Le32>(value, 0);
  if (!version || version->value() != kKernelVersion) {
    return fail(Errc::kInvalid, "acl: version");
  }
  Acl acl;
  for (std::size_t at = sizeof(Le32); at < value.size(); at += sizeof(disk::AclNamedEntry)) {
    const auto stored = load<disk::AclNamedEntry>(value, at);
    if (!stored || stored->entry.permissions > 7) return fail(Errc::kInvalid, "acl: an entry", at);
    AclEntry entry;
    entry.tag = static_cast<AclTag>(stored->entry.tag.value());
    entry.permissions = static_cast<std::uint8_t>(stored->entry.permissions);
    const bool is_named = entry.tag == AclTag::kUser || entry.tag == AclTag::kGroup;
    if (is_named) entry.id = stored->id;
    acl.entries.push_back(entry);
  }
  // Tags, order and what must be there are the stored form's to check.
  const auto checked = Acl::parse(acl.encode());
  if (!checked) {
    return fail_with(Errc::kInvalid, "acl", checked.error().what, checked.error().where);
  }
  return *checked;
}

bool is_only_mode(const Acl& acl) {
  return std::ranges::all_of(acl.entries, [](const AclEntry& entry) {
    return entry.tag == AclTag::kOwner || entry.tag == AclTag::kOwningGroup ||
           entry.tag == AclTag::kOther;
  });
}

std::uint16_t mode_with(const Acl& acl, std::uint16_t mode) {
  const unsigned permissions = unsigned{permissions_of(acl, AclTag::kOwner)} << kOwnerShift |
                               unsigned{permissions_of(acl, group_tag(acl))} << kGroupShift |
                               unsigned{permissions_of(acl, AclTag::kOther)} << kOtherShift;
  return static_cast<std::uint16_t>((mode & ~0777u) | permissions);
}

Acl with_mode(Acl acl, std::uint16_t mode) {
  if (AclEntry* owner = find(acl, AclTag::kOwner)) owner->permissions = part(mode, kOwnerShift);
  if (AclEntry* group = find(acl, group_tag(acl))) group->permissions = part(mode, kGroupShift);
  if (AclEntry* other = find(acl, AclTag::kOther)) other->permissions = part(mode, kOtherShift);
  return acl;
}

InheritedAcl inherit(const Acl& default_acl, std::uint16_t mode) {
  // Neither may say more than the other.
  Acl access = default_acl;
  const auto both = mode_with(default_acl, mode) & (mode | ~0777u);
  InheritedAcl inherited;
  inherited.mode = static_cast<std::uint16_t>(both);
  access = with_mode(std::move(access), inherited.mode);
  if (!is_only_mode(access)) inherited.access = std::move(access);
  return inherited;
}

}  // namespace powercut::fs
