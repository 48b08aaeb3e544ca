#include "tests/filesystem/tree_words.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <cstring>
#include <filesystem>
#include <set>

#include "base/crc32c.h"
#include "base/stored_int.h"
#include "block/memory_device.h"
#include "format/ext4_acl.h"
#include "reader/volume.h"
#include "tests/support/files.h"

namespace powercut::fs {
namespace {

std::string text_of(const std::vector<std::uint8_t>& bytes) {
  return {bytes.begin(), bytes.end()};
}

// As the kernel shows them.
std::string attribute_value(const Xattr& xattr) {
  if (!xattr.name.starts_with("system.posix_acl_")) return text_of(xattr.value);
  const auto acl = Acl::parse(xattr.value);
  return acl ? text_of(acl->kernel_form()) : error_words(acl.error());
}

// Linux's two forms of device numbers.
void read_device(const Inode& inode, SeenInode& seen) {
  if (!inode.is(InodeType::kCharacterDevice) && !inode.is(InodeType::kBlockDevice)) return;
  Le32 old_stored, new_stored;
  std::memcpy(&old_stored, inode.block_area.data(), sizeof(old_stored));
  std::memcpy(&new_stored, inode.block_area.data() + sizeof(old_stored), sizeof(new_stored));
  const std::uint32_t old_form = old_stored, new_form = new_stored;
  seen.major = old_form != 0 ? old_form >> 8 : new_form >> 8 & 0xFFF;
  seen.minor = old_form != 0 ? old_form & 0xFF : (new_form & 0xFF) | (new_form >> 12 & 0xFFF00);
}

class ImageWalk {
 public:
  ImageWalk(const Volume& volume, Detail detail) : volume_(volume), detail_(detail) {}
  void walk(InodeNo directory, const std::string& path) {
    const auto inode = volume_.inode(directory);
    if (!inode) return add_failure(path, inode.error());
    std::map<std::string, InodeNo> names;
    const auto walked = volume_.for_each_entry(directory, *inode, [&](const DirectoryEntry& entry) {
      if (entry.name == "." || entry.name == "..") return true;
      if (!names.try_emplace(entry.name, entry.inode).second) words_[path] += " twice";
      return true;
    });
    if (!walked) add_failure(path, walked.error());
    for (const auto& [name, number] : names) {
      const auto by_hash = volume_.lookup(directory, *inode, name);
      if (!by_hash || *by_hash != number) words_[path + "/" + name] += "not found by its hash ";
      add(number, path + "/" + name);
    }
  }
  TreeWords words() && { return std::move(words_); }

 private:
  void add_failure(const std::string& path, const Error& error) {
    words_[path] += " " + error_words(error);
  }
  void add(InodeNo number, const std::string& path) {
    const auto inode = volume_.inode(number);
    if (!inode) return add_failure(path, inode.error());
    SeenInode seen;
    seen.type = inode->type();
    seen.permissions = inode->mode & 07777u;
    seen.uid = inode->uid;
    seen.gid = inode->gid;
    seen.flags = inode->flags & kComparedFlags;
    seen.links = inode->links;
    seen.modified = inode->modify_time.seconds;
    seen.changed = inode->change_time.seconds;
    if (path == "/lost+found") seen.modified = seen.changed = 0;
    read_device(*inode, seen);
    add_content(number, *inode, path, seen);
    const auto walked = volume_.for_each_xattr(number, *inode, [&](const Xattr& xattr) {
      seen.attributes[xattr.name] = attribute_value(xattr);
      return true;
    });
    if (!walked) add_failure(path, walked.error());
    words_[path] +=
        words_of(seen, detail_) + " as " + seen_.try_emplace(number.value(), path).first->second;
    if (inode->is(InodeType::kDirectory)) walk(number, path);
  }
  void add_content(InodeNo number, const Inode& inode, const std::string& path, SeenInode& seen) {
    if (inode.is(InodeType::kSymlink)) {
      const auto target = volume_.read_link(number, inode);
      if (!target) return add_failure(path, target.error());
      seen.target = *target;
    }
    if (!inode.is(InodeType::kRegular)) return;
    std::vector<std::uint8_t> content(inode.size);
    const auto count = volume_.read_file(number, inode, 0, content);
    if (!count) return add_failure(path, count.error());
    seen.size = inode.size;
    seen.content = content_word(content);
  }

  const Volume& volume_;
  const Detail detail_;
  TreeWords words_;
  std::map<std::uint32_t, std::string> seen_;
};

std::map<std::string, std::string> attributes_of(const std::string& path) {
  std::vector<char> names(65536);
  const ssize_t count = llistxattr(path.c_str(), names.data(), names.size());
  std::map<std::string, std::string> attributes;
  for (ssize_t at = 0; at < count;) {
    const std::string name(&names[static_cast<std::size_t>(at)]);
    std::vector<char> value(65536);
    const ssize_t length = lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    EXPECT_GE(length, 0) << name;
    attributes[name] = std::string(value.data(), static_cast<std::size_t>(length));
    at += static_cast<ssize_t>(name.size()) + 1;
  }
  return attributes;
}

SeenInode seen_at(const std::filesystem::path& path) {
  struct stat status {};
  EXPECT_EQ(lstat(path.c_str(), &status), 0) << path;
  SeenInode seen;
  seen.type = static_cast<InodeType>(status.st_mode >> 12);
  seen.permissions = status.st_mode & 07777u;
  seen.uid = status.st_uid;
  seen.gid = status.st_gid;
  seen.links = status.st_nlink;
  seen.modified = status.st_mtim.tv_sec;
  seen.changed = status.st_ctim.tv_sec;
  if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) {
    seen.major = major(status.st_rdev);
    seen.minor = minor(status.st_rdev);
  }
  if (S_ISLNK(status.st_mode)) seen.target = std::filesystem::read_symlink(path).string();
  if (S_ISREG(status.st_mode)) {
    const std::vector<std::uint8_t> content = testing::read_file(path);
    seen.size = static_cast<std::uint64_t>(status.st_size);
    seen.content = content_word(content);
  }
  seen.attributes = attributes_of(path.string());
  return seen;
}

void add_folder(const std::filesystem::path& folder, const std::string& path, TreeWords& words,
                std::map<std::uint64_t, std::string>& known) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    EXPECT_TRUE(names.insert(entry.path().filename().string()).second) << entry.path();
  }
  for (const std::string& name : names) {
    const std::filesystem::path at = folder / name;
    const std::string here = path + "/" + name;
    struct stat status {};
    EXPECT_EQ(lstat(at.c_str(), &status), 0) << at;
    SeenInode seen = seen_at(at);
    if (here == "/lost+found") seen.modified = seen.changed = 0;
    words[here] = words_of(seen, Detail::kAsShown) + " as " +
                  known.try_emplace(status.st_ino, here).first->second;
    if (S_ISDIR(status.st_mode)) add_folder(at, here, words, known);
  }
}

}  // namespace

std::uint32_t content_word(const std::vector<std::uint8_t>& content) {
  return crc32c(~0u, content);
}

std::string words_of(const SeenInode& inode, Detail detail) {
  std::string words = "type " + std::to_string(static_cast<int>(inode.type)) + " mode " +
                      std::to_string(inode.permissions) + " uid " + std::to_string(inode.uid) +
                      " gid " + std::to_string(inode.gid) + " links " +
                      std::to_string(inode.links) + " m " + std::to_string(inode.modified) + " c " +
                      std::to_string(inode.changed);
  if (detail == Detail::kAll) words += " flags " + std::to_string(inode.flags & kComparedFlags);
  if (inode.type == InodeType::kRegular) {
    words += " size " + std::to_string(inode.size) + " crc " + std::to_string(inode.content);
  }
  if (inode.major != 0 || inode.minor != 0) {
    words += " device " + std::to_string(inode.major) + ":" + std::to_string(inode.minor);
  }
  if (!inode.target.empty()) words += " to " + inode.target;
  for (const auto& [name, value] : inode.attributes) {
    const std::vector<std::uint8_t> bytes(value.begin(), value.end());
    words +=
        " " + name + "=" + std::to_string(value.size()) + ":" + std::to_string(content_word(bytes));
  }
  return words;
}

TreeWords words_of_image(Bytes image, Detail detail) {
  const MemoryDevice device(std::vector<std::uint8_t>(image.begin(), image.end()));
  const auto volume = Volume::open(device);
  if (!volume) return {{"", error_words(volume.error())}};
  ImageWalk walk(*volume, detail);
  walk.walk(kRootInode, "");
  return std::move(walk).words();
}

TreeWords words_of_folder(const std::string& folder) {
  TreeWords words;
  std::map<std::uint64_t, std::string> known;
  add_folder(folder, "", words, known);
  return words;
}

std::string difference(const TreeWords& a, const TreeWords& b) {
  constexpr std::size_t kWordsMax = 4000;
  std::string words;
  for (const auto& [path, line] : a) {
    const auto there = b.find(path);
    if (there == b.end()) words += "only first: " + path + " " + line + "\n";
    if (there != b.end() && there->second != line) {
      words += path + ":\n  " + line + "\n  " + there->second + "\n";
    }
  }
  for (const auto& [path, line] : b) {
    if (!a.contains(path)) words += "only second: " + path + " " + line + "\n";
  }
  if (words.size() > kWordsMax) words.resize(kWordsMax);
  return words;
}

}  // namespace powercut::fs
