#include "tests/commands/image_source.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/prng.h"
#include "tests/support/files.h"

namespace powercut::testing {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

std::string noise(std::size_t bytes, std::uint64_t seed) {
  Prng random(seed);
  std::string text(bytes, '\0');
  for (char& letter : text) letter = static_cast<char>(random.next() | 1);
  return text;
}

void make_names(const fs::path& root) {
  const std::string names[] = {std::string(255, 'l'),
                               "two words",
                               "tab\tand\nnewline",
                               "it's",
                               "\"double\" $HOME `x` \\",
                               "\xc3\xa4\xc3\xb6\xc3\xbc \xe6\x97\xa5\xe6\x9c\xac",
                               "bad\xff\xfeutf8",
                               "\x1b[31mred",
                               "-n",
                               ".hidden",
                               "<12>",
                               "a:b"};
  for (const std::string& name : names) write(root / name, "content of " + name);
}

// Pieces of data on pages of their own, holes between them and at the end.
void make_sparse(const fs::path& path) {
  std::ofstream file(path, std::ios::binary);
  for (const std::uint64_t at : {8192u, 65536u, 69632u, 1u << 20, 5u << 20}) {
    file.seekp(static_cast<std::streamoff>(at));
    file << noise(4096, at);
  }
  file.close();
  fs::resize_file(path, 9 << 20);
}

void set_time(const fs::path& path, std::int64_t seconds) {
  const struct timespec times[2] = {{.tv_sec = 1'234'567'890, .tv_nsec = 0},
                                    {.tv_sec = static_cast<time_t>(seconds), .tv_nsec = 0}};
  ::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW);
}

void make_specials(const fs::path& root) {
  ::mkfifo((root / "fifo").c_str(), 0640);
  ::mknod((root / "socket").c_str(), S_IFSOCK | 0755, 0);
  if (::geteuid() != 0) return;
  ::mknod((root / "null").c_str(), S_IFCHR | 0666, makedev(1, 3));
  ::mknod((root / "large").c_str(), S_IFBLK | 0660, makedev(300, 70'000));
  ::lchown((root / "null").c_str(), 12, 34);
  for (const char* name : {"owned", "setuid"}) write(root / name, name);
  ::lchown((root / "owned").c_str(), 100'000, 200'000);
  ::lchown((root / "setuid").c_str(), 1, 1);
  ::chmod((root / "setuid").c_str(), 06755);
  fs::create_symlink("owned", root / "owned_link");
  ::lchown((root / "owned_link").c_str(), 7, 8);
}

using Bytes8 = std::vector<std::uint8_t>;

std::map<std::string, Bytes8> xattrs_of(const fs::path& path) {
  std::array<char, 65536> names;
  std::map<std::string, Bytes8> found;
  const ssize_t length = ::llistxattr(path.c_str(), names.data(), names.size());
  for (ssize_t at = 0; at < length;) {
    const std::string name = names.data() + at;
    at += static_cast<ssize_t>(name.size() + 1);
    if (!name.starts_with("user.") && !name.starts_with("system.posix_acl")) continue;
    Bytes8 value(65536);
    const ssize_t bytes = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    value.resize(bytes < 0 ? 0 : static_cast<std::size_t>(bytes));
    found[name] = value;
  }
  return found;
}

// "8192-12288 65536-..." of a file.
std::string data_ranges(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  std::string text;
  off_t at = 0;
  while ((at = ::lseek(fd, at, SEEK_DATA)) >= 0) {
    const off_t end = ::lseek(fd, at, SEEK_HOLE);
    text += std::to_string(at) + "-" + std::to_string(end) + " ";
    at = end;
  }
  ::close(fd);
  return text;
}

class Comparison {
 public:
  Comparison(const fs::path& a, const fs::path& b, const CompareOptions& options)
      : a_(a), b_(b), options_(options) {}

  TreeDifferences run() {
    const auto ours = names_below(a_), theirs = names_below(b_);
    for (const fs::path& name : theirs) {
      if (!ours.contains(name)) differ(name, "only in the second");
    }
    for (const fs::path& name : ours) {
      if (theirs.contains(name)) {
        one(name);
      } else {
        differ(name, "only in the first");
      }
    }
    return result_;
  }

 private:
  static std::set<fs::path> names_below(const fs::path& root) {
    std::set<fs::path> names = {"."};
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      const fs::path name = entry.path().lexically_relative(root);
      if (name != "lost+found") names.insert(name);
    }
    return names;
  }

  void one(const fs::path& name) {
    ++result_.compared;
    const fs::path a = a_ / name, b = b_ / name;
    struct stat ours {};
    struct stat theirs {};
    ::lstat(a.c_str(), &ours);
    ::lstat(b.c_str(), &theirs);
    const mode_t bits = options_.has_owners ? ~mode_t{0} : ~mode_t{06000};
    same(name, "mode", ours.st_mode & bits, theirs.st_mode & bits);
    if (name != "." || options_.has_top_time) {
      same(name, "seconds", ours.st_mtim.tv_sec, theirs.st_mtim.tv_sec);
    }
    if (options_.has_nanoseconds) {
      same(name, "nanoseconds", ours.st_mtim.tv_nsec, theirs.st_mtim.tv_nsec);
    }
    if (options_.has_owners) {
      same(name, "uid", ours.st_uid, theirs.st_uid);
      same(name, "gid", ours.st_gid, theirs.st_gid);
    }
    if (options_.has_xattrs) same(name, "attributes", xattrs_of(a), xattrs_of(b));
    if (S_ISLNK(ours.st_mode)) same(name, "target", fs::read_symlink(a), fs::read_symlink(b));
    if (S_ISCHR(ours.st_mode) || S_ISBLK(ours.st_mode)) {
      same(name, "device", ours.st_rdev, theirs.st_rdev);
    }
    if (!S_ISDIR(ours.st_mode)) links(name, ours, theirs);
    if (!S_ISREG(ours.st_mode) || !S_ISREG(theirs.st_mode)) return;
    same(name, "size", ours.st_size, theirs.st_size);
    same(name, "content", read_text(a), read_text(b));
    if (options_.has_holes) same(name, "data", data_ranges(a), data_ranges(b));
  }

  // Names of one file are names of one file.
  void links(const fs::path& name, const struct stat& ours, const struct stat& theirs) {
    same(name, "links", ours.st_nlink, theirs.st_nlink);
    const auto [first, is_new] = inodes_.emplace(ours.st_ino, theirs.st_ino);
    if (!is_new) same(name, "file", first->second, theirs.st_ino);
  }

  template <class T, class U>
  void same(const fs::path& name, const char* what, const T& a, const U& b) {
    if (!(a == b)) differ(name, what);
  }

  void differ(const fs::path& name, const std::string& what) {
    result_.found.push_back(name.string() + ": " + what);
  }

  const fs::path a_, b_;
  const CompareOptions options_;
  std::map<ino_t, ino_t> inodes_;
  TreeDifferences result_;
};

}  // namespace

void make_source(const fs::path& root) {
  fs::create_directories(root / "names");
  fs::create_directories(root / "empty");
  fs::create_directories(root / "deep/1/2/3/4/5/6/7/8/9");
  make_names(root / "names");
  write(root / "zero", "");
  write(root / "small", "hello\n");
  write(root / "random", noise(3'000'017, 1));
  write(root / "deep/1/2/3/4/5/6/7/8/9/file", "deep");
  make_sparse(root / "sparse");
  fs::create_hard_link(root / "small", root / "deep/1/hard");
  fs::create_hard_link(root / "small", root / "names/hard");
  fs::create_symlink("small", root / "short_link");
  fs::create_symlink("deep/1/2", root / "directory_link");
  fs::create_symlink(std::string(200, 't'), root / "long_link");
  fs::create_symlink("nowhere", root / "dangling");
  write(root / "readonly", "r");
  make_specials(root);
  ::setxattr((root / "small").c_str(), "user.mime", "text/plain", 10, 0);
  ::setxattr((root / "small").c_str(), "user.binary", "\0\1\2", 3, 0);
  ::setxattr((root / "deep").c_str(), "user.large", noise(600, 2).data(), 600, 0);
  fs::permissions(root / "readonly", fs::perms(0444));
  fs::permissions(root / "empty", fs::perms(01777));
  fs::permissions(root / "deep", fs::perms(0700));
  std::int64_t seconds = 1'000'000'000;
  std::vector<fs::path> paths;
  for (const auto& entry : fs::recursive_directory_iterator(root)) paths.push_back(entry.path());
  std::ranges::sort(paths);
  for (const fs::path& path : paths) set_time(path, seconds += 1'000'001);
  set_time(root, seconds);
}

std::string TreeDifferences::text() const {
  std::string text = std::to_string(compared) + " compared";
  for (std::size_t i = 0; i < found.size() && i < 20; ++i) text += "\n" + found[i];
  return text;
}

TreeDifferences compare_host_trees(const fs::path& a, const fs::path& b,
                                   const CompareOptions& options) {
  return Comparison(a, b, options).run();
}

std::string quoted(const std::string& word) {
  std::string text = "'";
  for (const char letter : word) {
    if (letter == '\'') {
      text += "'\\''";
    } else {
      text += letter;
    }
  }
  return text + "'";
}

std::vector<std::uint8_t> sample_acl() {
  std::vector<std::uint8_t> bytes = {2, 0, 0, 0};
  const auto add = [&bytes](std::uint16_t tag, std::uint16_t permissions, std::uint32_t id) {
    for (const std::uint32_t part : {std::uint32_t{tag}, std::uint32_t{permissions}}) {
      bytes.push_back(static_cast<std::uint8_t>(part));
      bytes.push_back(static_cast<std::uint8_t>(part >> 8));
    }
    for (int shift = 0; shift < 32; shift += 8) {
      bytes.push_back(static_cast<std::uint8_t>(id >> shift));
    }
  };
  add(0x01, 6, ~0u);
  add(0x02, 4, 1000);
  add(0x04, 4, ~0u);
  add(0x10, 4, ~0u);
  add(0x20, 0, ~0u);
  return bytes;
}

}  // namespace powercut::testing
