// Access control lists: bytes to checked values and back, and to the kernel's form and to text.
#include "format/ext4_acl.h"

#include <algorithm>

#include "format/ext4_disk.h"

namespace powercut {
namespace {

constexpr std::uint32_t kKernelVersion = 2;
constexpr std::uint32_t kNoId = ~0u;  // in the kernel's form, where nobody is named

bool is_named(AclTag tag) {
  return tag == AclTag::kUser || tag == AclTag::kGroup;
}

bool is_tag(std::uint16_t stored) {
  switch (static_cast<AclTag>(stored)) {
    case AclTag::kOwner:
    case AclTag::kUser:
    case AclTag::kOwningGroup:
    case AclTag::kGroup:
    case AclTag::kMask:
    case AclTag::kOther: return true;
  }
  return false;
}

// Reads the entry at `at` and moves `at` behind it.
Result<AclEntry> parse_entry(Bytes value, std::size_t& at) {
  const std::size_t start = at;
  if (value.size() - at < sizeof(disk::AclEntry)) {
    return fail(Errc::kCorrupt, "acl: entry past the end", start);
  }
  const auto stored = TRY(load<disk::AclEntry>(value, at));
  if (!is_tag(stored.tag)) return fail(Errc::kCorrupt, "acl: tag", start);
  if (stored.permissions > 7) return fail(Errc::kCorrupt, "acl: permissions", start);
  AclEntry entry;
  entry.tag = static_cast<AclTag>(stored.tag.value());
  entry.permissions = static_cast<std::uint8_t>(stored.permissions);
  at += sizeof(disk::AclEntry);
  if (!is_named(entry.tag)) return entry;
  if (value.size() - at < sizeof(Le32)) {
    return fail(Errc::kCorrupt, "acl: id past the end", start);
  }
  entry.id = TRY(load<Le32>(value, at));
  if (entry.id == kNoId) return fail(Errc::kCorrupt, "acl: nobody is named", start);
  at += sizeof(Le32);
  return entry;
}

// Tags never fall, and only those of named ones come twice: their numbers are in the order that is
// asked for.
Result<void> check_order(const std::vector<AclEntry>& entries) {
  for (std::size_t i = 1; i < entries.size(); ++i) {
    const AclTag before = entries[i - 1].tag, here = entries[i].tag;
    if (here < before || (here == before && !is_named(here))) {
      return fail(Errc::kCorrupt, "acl: order of the entries", i);
    }
  }
  const auto has = [&](AclTag tag) {
    return std::ranges::count(entries, tag, &AclEntry::tag) != 0;
  };
  if (!has(AclTag::kOwner) || !has(AclTag::kOwningGroup) || !has(AclTag::kOther)) {
    return fail(Errc::kCorrupt, "acl: owner, owning group or others are missing");
  }
  if (!has(AclTag::kMask) && (has(AclTag::kUser) || has(AclTag::kGroup))) {
    return fail(Errc::kCorrupt, "acl: somebody is named, but there is no mask");
  }
  return {};
}

template <Stored T>
void append(std::vector<std::uint8_t>& bytes, const T& value) {
  const Bytes added = bytes_of(value);
  bytes.insert(bytes.end(), added.begin(), added.end());
}

disk::AclEntry stored_entry(const AclEntry& entry) {
  disk::AclEntry stored;
  stored.tag = static_cast<std::uint16_t>(entry.tag);
  stored.permissions = entry.permissions;
  return stored;
}

const char* word_of(AclTag tag) {
  switch (tag) {
    case AclTag::kOwner:
    case AclTag::kUser: return "user:";
    case AclTag::kOwningGroup:
    case AclTag::kGroup: return "group:";
    case AclTag::kMask: return "mask:";
    case AclTag::kOther: return "other:";
  }
  return "";
}

}  // namespace

Result<Acl> Acl::parse(Bytes value) {
  const auto version = load<Le32>(value, 0);
  if (!version) return fail(Errc::kCorrupt, "acl: no version");
  if (version->value() != disk::kAclVersion) return fail(Errc::kUnsupported, "acl: version");
  Acl acl;
  for (std::size_t at = sizeof(Le32); at < value.size();) {
    acl.entries.push_back(TRY(parse_entry(value, at)));
  }
  TRY(check_order(acl.entries));
  return acl;
}

std::vector<std::uint8_t> Acl::encode() const {
  std::vector<std::uint8_t> bytes;
  append(bytes, Le32(disk::kAclVersion));
  for (const AclEntry& entry : entries) {
    append(bytes, stored_entry(entry));
    if (is_named(entry.tag)) append(bytes, Le32(entry.id));
  }
  return bytes;
}

std::vector<std::uint8_t> Acl::kernel_form() const {
  std::vector<std::uint8_t> bytes;
  append(bytes, Le32(kKernelVersion));
  for (const AclEntry& entry : entries) {
    append(bytes, stored_entry(entry));
    append(bytes, Le32(is_named(entry.tag) ? entry.id : kNoId));
  }
  return bytes;
}

std::string Acl::text() const {
  std::string text;
  for (const AclEntry& entry : entries) {
    if (!text.empty()) text += ",";
    text += word_of(entry.tag);
    if (is_named(entry.tag)) text += std::to_string(entry.id);
    text += ":";
    text += (entry.permissions & 4) != 0 ? "r" : "-";
    text += (entry.permissions & 2) != 0 ? "w" : "-";
    text += (entry.permissions & 1) != 0 ? "x" : "-";
  }
  return text;
}

}  // namespace powercut
