// The names of extended attributes and their hashes.
#include <bit>

#include "base/crc32c.h"
#include "format/ext4_disk.h"
#include "format/ext4_xattr.h"

namespace powercut {
namespace {

std::uint32_t name_hash(std::string_view name, NameBytes bytes) {
  std::uint32_t hash = 0;
  for (const char c : name) {
    const auto byte = static_cast<std::uint8_t>(c);
    const auto added = bytes == NameBytes::kSigned
                           ? static_cast<std::uint32_t>(std::bit_cast<std::int8_t>(byte))
                           : std::uint32_t{byte};
    hash = std::rotl(hash, 5) ^ added;
  }
  return hash;
}

std::uint32_t with_word(std::uint32_t hash, std::uint32_t word) {
  return std::rotl(hash, 16) ^ word;
}

}  // namespace

std::string XattrEntry::full_name() const {
  switch (static_cast<XattrIndex>(index)) {
    case XattrIndex::kNone: return name;
    case XattrIndex::kUser: return "user." + name;
    case XattrIndex::kAclAccess: return "system.posix_acl_access" + name;
    case XattrIndex::kAclDefault: return "system.posix_acl_default" + name;
    case XattrIndex::kTrusted: return "trusted." + name;
    case XattrIndex::kSecurity: return "security." + name;
    case XattrIndex::kSystem: return "system." + name;
    case XattrIndex::kRichAcl: return "system.richacl" + name;
    case XattrIndex::kEncryption: return "encryption." + name;
    case XattrIndex::kGnu: return "gnu." + name;
  }
  return "unknown-" + std::to_string(index) + "." + name;
}

bool XattrEntry::is_listed() const {
  switch (static_cast<XattrIndex>(index)) {
    case XattrIndex::kUser:
    case XattrIndex::kAclAccess:
    case XattrIndex::kAclDefault:
    case XattrIndex::kTrusted:
    case XattrIndex::kSecurity:
    case XattrIndex::kGnu: return true;
    case XattrIndex::kNone:
    case XattrIndex::kSystem:
    case XattrIndex::kRichAcl:
    case XattrIndex::kEncryption: return false;
  }
  return false;
}

std::uint32_t xattr_hash(std::string_view name, Bytes value, NameBytes bytes) {
  std::uint32_t hash = name_hash(name, bytes);
  for (; !value.empty(); value = value.subspan(std::min<std::size_t>(value.size(), 4))) {
    Le32 word(0);  // the last word is filled with zeroes
    std::memcpy(&word, value.data(), std::min<std::size_t>(value.size(), 4));
    hash = with_word(hash, word);
  }
  return hash;
}

std::uint32_t xattr_hash(std::string_view name, std::uint32_t value_hash, NameBytes bytes) {
  return with_word(name_hash(name, bytes), value_hash);
}

bool has_xattr_hash(const XattrEntry& entry) {
  return entry.hash == xattr_hash(entry.name, entry.value) ||
         entry.hash == xattr_hash(entry.name, entry.value, NameBytes::kSigned);
}

std::uint32_t xattr_block_hash(const std::vector<XattrEntry>& entries) {
  std::uint32_t hash = 0;
  for (const XattrEntry& entry : entries) {
    if (entry.hash == 0) return 0;
    hash = with_word(hash, entry.hash);
  }
  return hash;
}

std::uint32_t xattr_value_hash(Bytes value, const Superblock& superblock) {
  return crc32c(superblock.checksum_seed(), value);
}

Result<ValueInode> ValueInode::parse(Bytes stored) {
  const auto base = TRY(load<disk::InodeBase>(stored, 0));
  ValueInode value;
  value.value_hash = base.access_time;
  value.references = joined(base.version_low, base.change_time);
  value.parent = InodeNo(base.modify_time);
  return value;
}

bool ValueInode::matches(const XattrEntry& entry) const {
  return entry.hash == xattr_hash(entry.name, value_hash) ||
         entry.hash == xattr_hash(entry.name, value_hash, NameBytes::kSigned);
}

}  // namespace powercut
