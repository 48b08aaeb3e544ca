// Random runs: what inodes have beside names and content.
#include <algorithm>

#include "tests/filesystem/model_run.h"

namespace powercut::fs {
namespace {

constexpr std::uint32_t kNeverChanged = kImmutable | kAppendOnly;

std::optional<Error> error_from(const Result<void>& result) {
  return result ? std::nullopt : std::optional(result.error());
}

std::size_t attribute_bytes(const ModelInode& inode) {
  constexpr std::size_t kEntry = 20, kAcl = 60;
  std::size_t bytes = 100;
  for (const auto& [name, value] : inode.attributes) bytes += kEntry + name.size() + value.size();
  return bytes + (inode.access_acl ? kAcl : 0) + (inode.default_acl ? kAcl : 0);
}

}  // namespace

void ModelRun::carry_out_attribute(const Operation& operation) {
  const auto place = pick_place(operation.numbers[0]);
  if (!place) return;
  const NodeRef node = node_of(*place);
  if (node == nullptr) return;
  switch (operation.verb) {
    case Verb::kSetAttribute: return set_attribute(operation, *place, *node);
    case Verb::kRemoveAttribute: return remove_attribute(operation, *place, *node);
    case Verb::kSetAcl: return set_acl(operation, *place, *node);
    case Verb::kSetFlags: return set_flags(operation, *place, *node);
    default: return set_status(operation, *place, *node);
  }
}

void ModelRun::set_status(const Operation& operation, const ModelPlace& place, Node& node) {
  const ModelInode& before = model_[place.inode];
  StatusChange change;
  if (operation.verb == Verb::kSetMode) {
    if (before.type == InodeType::kSymlink) return;
    change.permissions = static_cast<std::uint16_t>(operation.numbers[1] % 010000);
  } else if (operation.verb == Verb::kSetOwner) {
    change.uid = operation.numbers[1] % 100'000;
    if (operation.numbers[2] % 2 == 0) change.gid = operation.numbers[3] % 100'000;
  } else {
    change.modify_time = Timestamp{operation.numbers[1], 0};
  }
  Refusals refusals;
  if (before.has_flag(kNeverChanged)) refusals.push_back(Errc::kNotPermitted);
  if (!settle(error_from(change_status(core(), node, change)), refusals)) return;
  ModelInode& inode = model_.change(place.inode, number_);
  if (change.permissions) {
    inode.permissions = *change.permissions;
    if (inode.access_acl) inode.access_acl->set_mode(inode.permissions);
  }
  if (change.uid) {
    inode.uid = *change.uid;
    inode.gid = change.gid.value_or(inode.gid);
    if (!inode.is_directory()) inode.permissions &= ~04000u;
    if (!inode.is_directory() && (inode.permissions & 010u) != 0) inode.permissions &= ~02000u;
  }
  if (change.modify_time) {
    const bool has_epoch = core().shape.inode_bytes > 128;
    inode.modified = has_epoch ? change.modify_time->seconds
                               : std::min<std::int64_t>(change.modify_time->seconds, INT32_MAX);
  }
  inode.changed = now_;
  push();
}

void ModelRun::set_attribute(const Operation& operation, const ModelPlace& place, Node& node) {
  constexpr std::array kPrefixes = {"trusted.a", "security.b", "user.c"};
  const std::string prefix = kPrefixes[operation.numbers[1] % kPrefixes.size()];
  const std::string name = prefix + std::to_string(operation.numbers[1] / 3 % 4);
  const std::uint32_t size = operation.numbers[2] / 5 % (operation.numbers[2] % 5 == 0 ? 700 : 40);
  const std::string value(size, static_cast<char>('a' + operation.numbers[3] % 26));
  const ModelInode& before = model_[place.inode];
  Refusals refusals;
  const bool may_have_user = before.is_directory() || before.is_file();
  if (before.has_flag(kNeverChanged) || (prefix == "user.c" && !may_have_user)) {
    refusals.push_back(Errc::kNotPermitted);
  }
  const Bytes bytes(reinterpret_cast<const std::uint8_t*>(value.data()), value.size());
  const auto done = set_xattr(core(), node, name, bytes, SetMode::kEither);
  const bool is_large = attribute_bytes(before) + value.size() > core().block_bytes() - 200;
  if (!done && done.error().code == Errc::kNoSpace && is_large) return;
  if (!settle(error_from(done), refusals)) return;
  model_.change(place.inode, number_).attributes[name] = value;
  touch(place.inode);
  push();
}

void ModelRun::remove_attribute(const Operation& operation, const ModelPlace& place, Node& node) {
  const ModelInode& before = model_[place.inode];
  std::string name = "trusted.never";
  if (!before.attributes.empty()) {
    auto at = before.attributes.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(operation.numbers[1] % before.attributes.size()));
    name = at->first;
  }
  Refusals refusals;
  if (before.has_flag(kNeverChanged)) refusals.push_back(Errc::kNotPermitted);
  if (before.attributes.empty()) refusals.push_back(Errc::kNotFound);
  if (!settle(error_from(remove_xattr(core(), node, name)), refusals)) return;
  model_.change(place.inode, number_).attributes.erase(name);
  touch(place.inode);
  push();
}

void ModelRun::set_acl(const Operation& operation, const ModelPlace& place, Node& node) {
  const bool is_default = operation.numbers[1] % 3 == 0;
  const std::uint32_t bits = operation.numbers[2];
  const ModelAcl acl{bits & 7, bits >> 3 & 7, bits >> 6 & 7, bits >> 9 & 7, bits >> 12 & 7};
  const ModelInode& before = model_[place.inode];
  Refusals refusals;
  if (before.has_flag(kNeverChanged) || before.type == InodeType::kSymlink ||
      (is_default && !before.is_directory())) {
    refusals.push_back(Errc::kNotPermitted);
  }
  const char* name = is_default ? "system.posix_acl_default" : "system.posix_acl_access";
  const auto done = set_xattr(core(), node, name, acl.kernel_form(), SetMode::kEither);
  const bool is_large = attribute_bytes(before) > core().block_bytes() - 200;
  if (!done && done.error().code == Errc::kNoSpace && is_large) return;
  if (!settle(error_from(done), refusals)) return;
  ModelInode& inode = model_.change(place.inode, number_);
  (is_default ? inode.default_acl : inode.access_acl) = acl;
  if (!is_default) inode.permissions = (inode.permissions & ~0777u) | acl.mode();
  touch(place.inode);
  push();
}

void ModelRun::set_flags(const Operation& operation, const ModelPlace& place, Node& node) {
  constexpr std::array kFlags = {kNoDump,        kNoAtime,   kSyncAlways,
                                 kDirectorySync, kImmutable, kAppendOnly};
  const ModelInode& before = model_[place.inode];
  const std::uint32_t flag = kFlags[operation.numbers[1] % kFlags.size()];
  std::uint32_t wanted = before.flags ^ flag;
  // What is fixed is in everybody's way: it does not stay so for long.
  if (before.has_flag(kNeverChanged)) wanted = before.flags & ~kNeverChanged;
  Refusals refusals;
  const bool may_have = before.is_directory() || before.is_file();
  if (!may_have || (flag == kDirectorySync && (wanted & flag) != 0 && !before.is_directory())) {
    refusals.push_back(Errc::kUnsupported);
  }
  const std::uint32_t others = flags_of(node) & ~kSettableFlags;
  if (!settle(error_from(fs::set_flags(core(), node, others | wanted)), refusals)) return;
  model_.change(place.inode, number_).flags = wanted;
  touch(place.inode);
  push();
}

}  // namespace powercut::fs
