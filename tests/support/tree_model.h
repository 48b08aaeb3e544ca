// For tests: a whole tree in words, of an image as reader/ sees it and of a model in memory, to be
// compared.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "block/memory_device.h"
#include "fs/operations.h"
#include "reader/volume.h"

namespace powercut::fs {

// A line for each path: type, mode, links, owner, target, attributes, and which paths are the same
// inode.
using TreeWords = std::map<std::string, std::string>;

struct ModelInode {
  InodeType type = InodeType::kRegular;
  unsigned permissions = 0;
  std::uint32_t uid = 0;
  std::string target;  // of a symlink
  std::map<std::string, std::string> attributes;
  std::map<std::string, std::size_t> names;  // of a directory: model inodes
  std::size_t parent = 0;                    // of a directory
};

inline std::string words_of(InodeType type, unsigned permissions, std::uint32_t uid,
                            std::size_t links, const std::string& target,
                            const std::map<std::string, std::string>& attributes) {
  std::string words = std::to_string(static_cast<int>(type)) + " " + std::to_string(permissions) +
                      " u" + std::to_string(uid) + " n" + std::to_string(links) + " " + target;
  for (const auto& [name, value] : attributes) words += " " + name + "=" + value;
  return words;
}

class ModelTree {
 public:
  ModelTree() : inodes_(1) {
    inodes_[0].type = InodeType::kDirectory;
    inodes_[0].permissions = 0755;
    // mke2fs makes it.
    inodes_.push_back({});
    inodes_[1].type = InodeType::kDirectory;
    inodes_[1].permissions = 0700;
    inodes_[0].names["lost+found"] = 1;
  }
  ModelInode& operator[](std::size_t inode) { return inodes_[inode]; }
  std::size_t add(ModelInode inode) {
    inodes_.push_back(std::move(inode));
    return inodes_.size() - 1;
  }
  bool is_directory(std::size_t inode) const {
    return inodes_[inode].type == InodeType::kDirectory;
  }
  std::size_t links(std::size_t wanted) const {
    if (is_directory(wanted)) {
      std::size_t count = 2;
      for (const auto& [name, inode] : inodes_[wanted].names) count += is_directory(inode) ? 1 : 0;
      return count;
    }
    std::size_t count = 0;
    for (const ModelInode& inode : inodes_) {
      for (const auto& [name, at] : inode.names) count += at == wanted ? 1 : 0;
    }
    return count;
  }
  bool lies_in(std::size_t below, std::size_t above) const {
    while (below != above) {
      if (below == 0) return false;
      below = inodes_[below].parent;
    }
    return true;
  }
  TreeWords words() const {
    TreeWords words;
    std::map<std::size_t, std::string> seen;
    add_words(0, "", words, seen);
    return words;
  }

 private:
  void add_words(std::size_t at, const std::string& path, TreeWords& words,
                 std::map<std::size_t, std::string>& seen) const {
    for (const auto& [name, inode] : inodes_[at].names) {
      const std::string here = path + "/" + name;
      const ModelInode& one = inodes_[inode];
      words[here] =
          words_of(one.type, one.permissions, one.uid, links(inode), one.target, one.attributes) +
          " as " + seen.try_emplace(inode, here).first->second;
      if (is_directory(inode)) add_words(inode, here, words, seen);
    }
  }
  std::vector<ModelInode> inodes_;  // those without names stay, unreachable
};

// Of an image that needs no recovery.
class ImageTree {
 public:
  explicit ImageTree(Bytes image) : device_(std::vector<std::uint8_t>(image.begin(), image.end())) {
    auto opened = Volume::open(device_);
    EXPECT_TRUE(opened) << error_words(opened.error());
    volume_ = std::make_unique<Volume>(*opened);
  }
  TreeWords words() {
    TreeWords words;
    add_words(kRootInode, "", words);
    return words;
  }

 private:
  void add_words(InodeNo directory, const std::string& path, TreeWords& words) {
    const auto inode = volume_->inode(directory);
    ASSERT_TRUE(inode) << error_words(inode.error());
    std::map<std::string, InodeNo> names;
    const auto walked =
        volume_->for_each_entry(directory, *inode, [&](const DirectoryEntry& entry) {
          if (entry.name != "." && entry.name != "..") {
            EXPECT_TRUE(names.try_emplace(entry.name, entry.inode).second) << entry.name;
          }
          return true;
        });
    ASSERT_TRUE(walked) << error_words(walked.error());
    for (const auto& [name, number] : names) add_one(directory, *inode, name, number, path, words);
  }

  void add_one(InodeNo directory, const Inode& parent, const std::string& name, InodeNo number,
               const std::string& path, TreeWords& words) {
    const auto looked_up = volume_->lookup(directory, parent, name);
    EXPECT_TRUE(looked_up && *looked_up == number) << name << " by its hash";
    const auto inode = volume_->inode(number);
    ASSERT_TRUE(inode) << error_words(inode.error());
    std::string target;
    if (inode->is(InodeType::kSymlink)) {
      const auto link = volume_->read_link(number, *inode);
      ASSERT_TRUE(link) << error_words(link.error());
      target = *link;
    }
    std::map<std::string, std::string> attributes;
    const auto walked = volume_->for_each_xattr(number, *inode, [&](const Xattr& xattr) {
      attributes[xattr.name] = std::string(xattr.value.begin(), xattr.value.end());
      return true;
    });
    EXPECT_TRUE(walked) << error_words(walked.error());
    const std::string here = path + "/" + name;
    words[here] = words_of(inode->type(), inode->mode & 07777u, inode->uid, inode->links, target,
                           attributes) +
                  " as " + seen_.try_emplace(number.value(), here).first->second;
    if (inode->is(InodeType::kDirectory)) add_words(number, here, words);
  }

  MemoryDevice device_;
  std::unique_ptr<Volume> volume_;
  std::map<std::uint32_t, std::string> seen_;
};

// What differs, for a message.
inline std::string difference(const TreeWords& a, const TreeWords& b) {
  std::string words;
  for (const auto& [path, line] : a) {
    const auto there = b.find(path);
    if (there == b.end()) words += "only first: " + path + "\n";
    if (there != b.end() && there->second != line) {
      words += path + ": " + line + " | " + there->second + "\n";
    }
  }
  for (const auto& [path, line] : b) {
    if (!a.contains(path)) words += "only second: " + path + "\n";
  }
  return words;
}

}  // namespace powercut::fs
