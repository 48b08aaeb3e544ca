#include "host/tree_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace powercut {
namespace {

namespace files = std::filesystem;

constexpr std::size_t kHostPieceBytes = std::size_t{1} << 20;
constexpr std::size_t kXattrListMax = 64 * 1024;
constexpr int kHostDepthMax = 256;

FileKind host_kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR: return FileKind::kDirectory;
    case S_IFLNK: return FileKind::kSymlink;
    case S_IFIFO: return FileKind::kFifo;
    case S_IFSOCK: return FileKind::kSocket;
    case S_IFCHR: return FileKind::kCharacterDevice;
    case S_IFBLK: return FileKind::kBlockDevice;
    default: return FileKind::kRegular;
  }
}

HostTime host_time_of(const timespec& time) {
  return {time.tv_sec, static_cast<std::uint32_t>(time.tv_nsec)};
}

// What this machine does not give (or a file system without attributes) is left out.
std::vector<HostXattr> xattrs_of(const files::path& path) {
  std::vector<char> names(kXattrListMax);
  const ssize_t length = ::llistxattr(path.c_str(), names.data(), names.size());
  std::vector<HostXattr> found;
  for (ssize_t at = 0; at < length;) {
    const std::string name(names.data() + at);
    at += static_cast<ssize_t>(name.size()) + 1;
    std::vector<std::uint8_t> value(kXattrListMax);
    const ssize_t size = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    if (size < 0) continue;
    value.resize(static_cast<std::size_t>(size));
    found.push_back({name, std::move(value)});
  }
  return found;
}

Result<HostEntry> look_at(const files::path& top, const std::string& below) {
  const files::path path = below.empty() ? top : top / below;
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return os_failure("lstat", path.string(), errno);
  HostEntry entry;
  entry.path = below;
  entry.kind = host_kind_of(status.st_mode);
  entry.mode = status.st_mode & 07777;
  entry.uid = status.st_uid;
  entry.gid = status.st_gid;
  entry.size = static_cast<std::uint64_t>(status.st_size);
  entry.links = status.st_nlink;
  entry.device = status.st_dev;
  entry.inode = status.st_ino;
  entry.major = major(status.st_rdev);
  entry.minor = minor(status.st_rdev);
  entry.accessed = host_time_of(status.st_atim);
  entry.modified = host_time_of(status.st_mtim);
  if (entry.kind == FileKind::kSymlink) {
    std::vector<char> target(PATH_MAX);
    const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
    if (length < 0) return os_failure("readlink", path.string(), errno);
    entry.target.assign(target.data(), static_cast<std::size_t>(length));
  }
  entry.xattrs = xattrs_of(path);
  return entry;
}

class HostWalk {
 public:
  HostWalk(const files::path& top, const TreeReaderVisitor& visit) : top_(top), visit_(visit) {}

  Result<void> go(const std::string& below, int depth) {
    const auto entry = look_at(top_, below);
    if (!entry) {
      if (below.empty()) return Failure{entry.error()};
      visit_.trouble(below, entry.error());
      return {};
    }
    TRY(visit_.entry(*entry));
    return entry->kind == FileKind::kDirectory ? children(below, depth) : Result<void>{};
  }

 private:
  Result<void> children(const std::string& below, int depth) {
    if (depth >= kHostDepthMax) {
      visit_.trouble(below, fail(Errc::kLimit, "a tree deeper than 256 folders").error);
      return {};
    }
    std::vector<std::string> names;
    std::error_code error;
    for (files::directory_iterator at(below.empty() ? top_ : top_ / below, error), end;
         !error && at != end; at.increment(error)) {
      names.push_back(at->path().filename().string());
    }
    if (error) visit_.trouble(below, os_failure("folder", below, error.value()).error);
    std::ranges::sort(names);
    for (const std::string& name : names)
      TRY(go(below.empty() ? name : below + "/" + name, depth + 1));
    return {};
  }

  const files::path& top_;
  const TreeReaderVisitor& visit_;
};

}  // namespace

Result<void> walk_host_tree(const files::path& top, const TreeReaderVisitor& visit) {
  return HostWalk(top, visit).go("", 0);
}

Result<void> read_host_file(const files::path& top, const HostEntry& entry,
                            const DataVisitor& data) {
  const files::path path = entry.path.empty() ? top : top / entry.path;
  const Fd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd.is_open()) return os_failure("open", path.string(), errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return os_failure("fstat", path.string(), errno);
  if (status.st_ino != entry.inode || status.st_dev != entry.device) {
    return fail_with(Errc::kNotFound, "another file has its name now", path.string());
  }
  std::vector<std::uint8_t> piece(kHostPieceBytes);
  off_t at = 0;
  for (;;) {
    at = ::lseek(fd.get(), at, SEEK_DATA);
    if (at < 0) return errno == ENXIO ? Result<void>{} : os_failure("lseek", path.string(), errno);
    const off_t hole = ::lseek(fd.get(), at, SEEK_HOLE);
    const off_t end = hole < 0 ? at + static_cast<off_t>(kHostPieceBytes) : hole;
    while (at < end) {
      const auto wanted = std::min<std::size_t>(piece.size(), static_cast<std::size_t>(end - at));
      const ssize_t got = ::pread(fd.get(), piece.data(), wanted, at);
      if (got < 0) return os_failure("read", path.string(), errno);
      if (got == 0) return {};
      TRY(data(static_cast<std::uint64_t>(at), Bytes(piece).first(static_cast<std::size_t>(got))));
      at += got;
    }
  }
}

}  // namespace powercut
