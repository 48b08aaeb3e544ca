#include "tests/filesystem/model.h"

#include "format/ext4_acl.h"

namespace powercut::fs {

std::vector<std::uint8_t> ModelAcl::kernel_form() const {
  constexpr std::uint32_t kUser = 1000;
  const auto bits = [](unsigned permissions) { return static_cast<std::uint8_t>(permissions); };
  return Acl{{{AclTag::kOwner, bits(owner), 0},
              {AclTag::kUser, bits(user), kUser},
              {AclTag::kOwningGroup, bits(group), 0},
              {AclTag::kMask, bits(mask), 0},
              {AclTag::kOther, bits(other), 0}}}
      .kernel_form();
}

void ModelAcl::set_mode(unsigned mode) {
  owner = mode >> 6 & 7;
  mask = mode >> 3 & 7;
  other = mode & 7;
}

Model::Model() {
  auto root = std::make_shared<ModelInode>();
  root->type = InodeType::kDirectory;
  root->permissions = 0755;
  root->names["lost+found"] = 1;
  auto lost = std::make_shared<ModelInode>();
  lost->type = InodeType::kDirectory;
  lost->permissions = 0700;
  lost->name = "lost+found";
  inodes_ = {root, lost};
}

ModelInode& Model::change(ModelId id, std::uint64_t operation) {
  std::shared_ptr<ModelInode>& inode = inodes_[id];
  if (inode.use_count() > 1) inode = std::make_shared<ModelInode>(*inode);
  inode->changed_at = operation;
  return *inode;
}

std::size_t Model::links(ModelId id) const {
  const ModelInode& inode = *inodes_[id];
  if (!inode.is_directory()) return inode.links;
  std::size_t count = 2;
  for (const auto& [name, below] : inode.names) count += inodes_[below]->is_directory() ? 1 : 0;
  return count;
}

bool Model::lies_in(ModelId below, ModelId above) const {
  while (below != above) {
    if (below == kModelRoot) return false;
    below = inodes_[below]->parent;
  }
  return true;
}

std::string Model::path(ModelId directory) const {
  std::string path;
  for (ModelId at = directory; at != kModelRoot; at = inodes_[at]->parent) {
    path = "/" + inodes_[at]->name + path;
  }
  return path;
}

void Model::put(ModelId directory, const std::string& name, ModelId inode,
                std::uint64_t operation) {
  change(directory, operation).names[name] = inode;
  ModelInode& put = change(inode, operation);
  if (!put.is_directory()) return;
  put.parent = directory;
  put.name = name;
}

// What chattr(1), setgid(2) and acl(5) say of what is made in a directory.
void Model::inherit(const ModelInode& directory, unsigned umask, ModelInode& inode) const {
  std::uint32_t inherited = kSyncAlways | kNoDump | kNoAtime;
  if (inode.is_directory()) inherited |= kDirectorySync;
  if (!inode.is_directory() && !inode.is_file()) inherited = kNoDump | kNoAtime;
  inode.flags = directory.flags & inherited;
  if ((directory.permissions & 02000u) != 0) {
    inode.gid = directory.gid;
    if (inode.is_directory()) inode.permissions |= 02000u;
  }
  if (inode.type == InodeType::kSymlink) return;
  if (!directory.default_acl) {
    inode.permissions &= ~umask;
    return;
  }
  ModelAcl acl = *directory.default_acl;
  if (inode.is_directory()) inode.default_acl = acl;
  acl.set_mode(acl.mode() & inode.permissions);
  inode.permissions = (inode.permissions & ~0777u) | acl.mode();
  inode.access_acl = acl;
}

ModelId Model::add(ModelId directory, const std::string& name, ModelInode inode, unsigned umask,
                   std::uint64_t operation) {
  const ModelId id = inodes_.size();
  inode.links = 1;
  inherit(*inodes_[directory], umask, inode);
  inodes_.push_back(std::make_shared<ModelInode>(std::move(inode)));
  put(directory, name, id, operation);
  return id;
}

void Model::link(ModelId inode, ModelId directory, const std::string& name,
                 std::uint64_t operation) {
  put(directory, name, inode, operation);
  ++change(inode, operation).links;
}

void Model::remove(ModelId directory, const std::string& name, std::uint64_t operation) {
  --change(find(directory, name), operation).links;
  change(directory, operation).names.erase(name);
}

void Model::rename(const ModelPlace& from, ModelId to, const std::string& name, bool is_exchange,
                   std::uint64_t operation) {
  const bool has_target = has(to, name);
  const ModelId target = has_target ? find(to, name) : from.inode;
  if (has_target && target == from.inode) return;
  change(from.directory, operation).names.erase(from.name);
  if (has_target && !is_exchange) remove(to, name, operation);
  put(to, name, from.inode, operation);
  if (is_exchange) put(from.directory, from.name, target, operation);
}

void Model::collect(ModelId directory, std::vector<ModelId>& directories,
                    std::vector<ModelPlace>& places) const {
  directories.push_back(directory);
  for (const auto& [name, inode] : inodes_[directory]->names) {
    if (inode == 1) continue;  // lost+found
    places.push_back({directory, name, inode});
    if (inodes_[inode]->is_directory()) collect(inode, directories, places);
  }
}

std::vector<ModelId> Model::directories() const {
  std::vector<ModelId> directories;
  std::vector<ModelPlace> places;
  collect(kModelRoot, directories, places);
  return directories;
}

std::vector<ModelPlace> Model::places() const {
  std::vector<ModelId> directories;
  std::vector<ModelPlace> places;
  collect(kModelRoot, directories, places);
  return places;
}

TreeWords Model::words(Detail detail) const {
  TreeWords words;
  std::map<ModelId, std::string> seen;
  add_words(kModelRoot, "", detail, words, seen);
  return words;
}

void Model::add_words(ModelId at, const std::string& path, Detail detail, TreeWords& words,
                      std::map<ModelId, std::string>& seen) const {
  for (const auto& [name, id] : inodes_[at]->names) {
    const ModelInode& inode = *inodes_[id];
    const std::string here = path + "/" + name;
    SeenInode line;
    line.type = inode.type;
    line.permissions = inode.permissions;
    line.uid = inode.uid;
    line.gid = inode.gid;
    line.links = links(id);
    line.size = inode.content.size();
    line.content = content_word(inode.content);
    line.target = inode.target;
    line.attributes = inode.attributes;
    const auto add_acl = [&](const char* which, const std::optional<ModelAcl>& acl) {
      if (!acl) return;
      const auto bytes = acl->kernel_form();
      line.attributes[which] = std::string(bytes.begin(), bytes.end());
    };
    add_acl("system.posix_acl_access", inode.access_acl);
    add_acl("system.posix_acl_default", inode.default_acl);
    line.major = inode.major;
    line.minor = inode.minor;
    line.flags = inode.flags;
    line.modified = inode.modified;
    line.changed = inode.changed;
    // Its times are mke2fs's.
    if (id == 1) line.modified = line.changed = 0;
    words[here] = words_of(line, detail) + " as " + seen.try_emplace(id, here).first->second;
    if (inode.is_directory()) add_words(id, here, detail, words, seen);
  }
}

}  // namespace powercut::fs
