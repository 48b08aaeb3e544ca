#include "tests/trees/tree_compare.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

namespace powercut::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = 256 * 1024;
constexpr std::size_t kDifferencesMax = 20;

class Comparison {
 public:
  Comparison(const Volume& volume, Likeness likeness)
      : volume_(volume), likeness_(likeness), theirs_(kPieceBytes), ours_(kPieceBytes) {}

  void folder(const fs::path& path, InodeNo number, bool is_root) {
    const auto inode = volume_.inode(number);
    if (!inode) return differ(path, error_text(inode.error()));
    std::map<std::string, InodeNo> entries;
    const auto take = [&](const DirectoryEntry& entry) {
      const bool is_left_out =
          entry.name == "." || entry.name == ".." || (is_root && entry.name == "lost+found");
      if (!is_left_out && !entries.emplace(entry.name, entry.inode).second) {
        differ(path / entry.name, "twice in the image");
      }
      return true;
    };
    const auto walked = volume_.for_each_entry(number, *inode, take);
    if (!walked) differ(path, error_text(walked.error()));
    for (const auto& entry : fs::directory_iterator(path)) {
      const std::string name = entry.path().filename().string();
      if (is_root && name == "lost+found") continue;
      const auto found = entries.find(name);
      if (found == entries.end()) {
        differ(entry.path(), "not in the image");
        continue;
      }
      one(entry.path(), found->second);
      entries.erase(found);
    }
    for (const auto& [name, unused] : entries) differ(path / name, "only in the image");
  }

  TreeComparison result;

 private:
  static std::string error_text(const Error& error) {
    return std::string(error.what) + " " + std::to_string(error.where) + " " +
           std::string(error.detail.view());
  }
  void differ(const fs::path& path, const std::string& how) {
    if (result.differences.size() < kDifferencesMax) {
      result.differences.push_back(path.string() + ": " + how);
    }
  }
  template <class T, class U>
  void expect(const fs::path& path, const char* what, T theirs, U ours) {
    if (static_cast<std::uint64_t>(theirs) == static_cast<std::uint64_t>(ours)) return;
    differ(path,
           std::string(what) + " is " + std::to_string(theirs) + ", here " + std::to_string(ours));
  }

  void one(const fs::path& path, InodeNo number) {
    ++result.entries;
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return differ(path, "lstat fails");
    const auto inode = volume_.inode(number);
    if (!inode) return differ(path, error_text(inode.error()));
    same_inode(path, status, number, *inode);
    if (inode->is(InodeType::kDirectory)) return folder(path, number, false);
    if (inode->is(InodeType::kSymlink)) return same_target(path, number, *inode);
    if (inode->is(InodeType::kRegular)) {
      same_bytes(path, number, *inode);
      same_xattrs(path, number, *inode);
    }
  }

  void same_inode(const fs::path& path, const struct stat& status, InodeNo number,
                  const Inode& inode) {
    expect(path, "mode", status.st_mode, inode.mode);
    expect(path, "owner", status.st_uid, inode.uid);
    expect(path, "group", status.st_gid, inode.gid);
    const bool is_folder = inode.is(InodeType::kDirectory);
    if (!is_folder) expect(path, "links", status.st_nlink, inode.links);
    if (!is_folder) expect(path, "modification", status.st_mtim.tv_sec, inode.modify_time.seconds);
    if (!is_folder) expect(path, "size", status.st_size, inode.size);
    if (likeness_ == Likeness::kPacked) return;
    expect(path, "inode", status.st_ino, number.value());
    expect(path, "size", status.st_size, inode.size);
    const bool has_nanoseconds = volume_.superblock().inode_bytes > 128;
    if (has_nanoseconds) {
      expect(path, "nanoseconds", status.st_mtim.tv_nsec, inode.modify_time.nanoseconds);
    }
    expect(path, "change", status.st_ctim.tv_sec, inode.change_time.seconds);
    // Linux counts content in the inode as if it had sectors.
    const bool is_inline = inode.has(InodeFlag::kInlineData) && inode.is(InodeType::kRegular);
    expect(path, "sectors", status.st_blocks,
           inode.sectors + (is_inline ? (inode.size + 511) / 512 : 0));
  }

  void same_target(const fs::path& path, InodeNo number, const Inode& inode) {
    const auto target = volume_.read_link(number, inode);
    if (!target) return differ(path, error_text(target.error()));
    if (*target != fs::read_symlink(path).string()) differ(path, "another target");
  }

  void same_bytes(const fs::path& path, InodeNo number, const Inode& inode) {
    const auto walked = volume_.for_each_run(number, inode, [&](const FileRun&) {
      ++result.runs;
      return true;
    });
    if (!walked) return differ(path, error_text(walked.error()));
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return differ(path, "cannot be opened");
    for (std::uint64_t at = 0; at < inode.size; at += kPieceBytes) {
      if (!same_piece(path, fd, number, inode, at)) break;
    }
    ::close(fd);
  }

  bool same_piece(const fs::path& path, int fd, InodeNo number, const Inode& inode,
                  std::uint64_t at) {
    const auto theirs = ::pread(fd, theirs_.data(), theirs_.size(), static_cast<off_t>(at));
    const auto ours = volume_.read_file(number, inode, at, ours_);
    if (!ours) {
      differ(path, error_text(ours.error()));
      return false;
    }
    const bool is_same = theirs >= 0 && static_cast<std::size_t>(theirs) == *ours &&
                         std::memcmp(theirs_.data(), ours_.data(), *ours) == 0;
    if (!is_same) differ(path, "other bytes from " + std::to_string(at) + " on");
    result.bytes += *ours;
    return is_same;
  }

  using Values = std::map<std::string, std::vector<std::uint8_t>>;
  static Values xattrs_of(const fs::path& path) {
    Values values;
    std::vector<char> names(65536);
    const auto length = ::llistxattr(path.c_str(), names.data(), names.size());
    for (const char* name = names.data(); length > 0 && name < names.data() + length;
         name += std::strlen(name) + 1) {
      std::vector<std::uint8_t> value(65536);
      const auto count = ::lgetxattr(path.c_str(), name, value.data(), value.size());
      value.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
      if (std::string(name).starts_with("user.")) values[name] = std::move(value);
    }
    return values;
  }

  void same_xattrs(const fs::path& path, InodeNo number, const Inode& inode) {
    Values ours;
    const auto walked = volume_.for_each_xattr(number, inode, [&](const Xattr& xattr) {
      if (xattr.name.starts_with("user.")) ours[xattr.name] = xattr.value;
      return true;
    });
    if (!walked) return differ(path, error_text(walked.error()));
    if (ours != xattrs_of(path)) differ(path, "other attributes");
    result.xattrs += ours.size();
  }

  const Volume& volume_;
  const Likeness likeness_;
  std::vector<std::uint8_t> theirs_, ours_;
};

}  // namespace

std::string TreeComparison::text() const {
  std::string text = std::to_string(entries) + " entries, " + std::to_string(bytes) + " bytes, " +
                     std::to_string(runs) + " runs, " + std::to_string(xattrs) + " attributes";
  for (const auto& difference : differences) text += "\n" + difference;
  return text;
}

TreeComparison compare_trees(const std::filesystem::path& root, const Volume& volume,
                             Likeness likeness) {
  Comparison comparison(volume, likeness);
  comparison.folder(root, kRootInode, true);
  return std::move(comparison.result);
}

}  // namespace powercut::testing
