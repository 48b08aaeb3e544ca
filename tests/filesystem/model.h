// A file system in memory, that is right because it is simple: what the one on the disk is compared
// to.
//
// A copy is a moment: inodes are shared between copies and copied when one of them changes, so that
// each of thousands of moments can be kept.
//
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "format/ext4.h"
#include "tests/filesystem/tree_words.h"

namespace powercut::fs {

// Of chattr(1).
inline constexpr std::uint32_t kImmutable = 0x10, kAppendOnly = 0x20, kSyncAlways = 0x8,
                               kNoDump = 0x40, kNoAtime = 0x80, kDirectorySync = 0x10000;

using ModelId = std::size_t;
inline constexpr ModelId kModelRoot = 0;

// A list that names one user beside those of the mode.
struct ModelAcl {
  unsigned owner = 0, user = 0, group = 0, mask = 0, other = 0;
  // As setxattr(2) takes it.
  std::vector<std::uint8_t> kernel_form() const;
  unsigned mode() const { return owner << 6 | mask << 3 | other; }
  void set_mode(unsigned mode);
};

struct ModelInode {
  InodeType type = InodeType::kRegular;
  unsigned permissions = 0;
  std::uint32_t uid = 0, gid = 0, flags = 0;
  std::size_t links = 0;  // of a directory: not kept here
  std::uint32_t major = 0, minor = 0;
  std::int64_t modified = 0, changed = 0;  // seconds
  std::string target;                      // of a symlink
  std::vector<std::uint8_t> content;
  std::map<std::string, std::string> attributes;  // without ACLs
  std::optional<ModelAcl> access_acl, default_acl;
  // Of a directory.
  std::map<std::string, ModelId> names;
  ModelId parent = kModelRoot;
  std::string name;  // its own
  // The numbers of the operations that changed it last, and its content or size.
  std::uint64_t changed_at = 0, data_at = 0;

  bool is_directory() const { return type == InodeType::kDirectory; }
  bool is_file() const { return type == InodeType::kRegular; }
  bool has_flag(std::uint32_t flag) const { return (flags & flag) != 0; }
};

// A name that is there.
struct ModelPlace {
  ModelId directory = kModelRoot;
  std::string name;
  ModelId inode = kModelRoot;
};

class Model {
 public:
  // As mke2fs leaves it: the root, and lost+found.
  Model();
  const ModelInode& operator[](ModelId id) const { return *inodes_[id]; }
  // To be changed by the operation of that number.
  ModelInode& change(ModelId id, std::uint64_t operation);

  bool has(ModelId directory, const std::string& name) const {
    return inodes_[directory]->names.contains(name);
  }
  ModelId find(ModelId directory, const std::string& name) const {
    return inodes_[directory]->names.at(name);
  }
  std::size_t links(ModelId id) const;
  bool lies_in(ModelId below, ModelId above) const;
  // "" for the root.
  std::string path(ModelId directory) const;

  // `inode` as it was asked for; what it gets from its directory is put in.
  ModelId add(ModelId directory, const std::string& name, ModelInode inode, unsigned umask,
              std::uint64_t operation);
  void link(ModelId inode, ModelId directory, const std::string& name, std::uint64_t operation);
  void remove(ModelId directory, const std::string& name, std::uint64_t operation);
  // What is there at the new name goes (both names of one inode stay).
  void rename(const ModelPlace& from, ModelId to, const std::string& name, bool is_exchange,
              std::uint64_t operation);

  std::vector<ModelId> directories() const;
  // All names, but lost+found.
  std::vector<ModelPlace> places() const;
  TreeWords words(Detail detail = Detail::kAll) const;

 private:
  void inherit(const ModelInode& directory, unsigned umask, ModelInode& inode) const;
  void put(ModelId directory, const std::string& name, ModelId inode, std::uint64_t operation);
  void collect(ModelId directory, std::vector<ModelId>& directories,
               std::vector<ModelPlace>& places) const;
  void add_words(ModelId at, const std::string& path, Detail detail, TreeWords& words,
                 std::map<ModelId, std::string>& seen) const;
  std::vector<std::shared_ptr<ModelInode>> inodes_;  // those without names stay
};

}  // namespace powercut::fs
