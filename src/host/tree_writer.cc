#include "host/tree_writer.h"

#include <algorithm>
#include <cerrno>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace powercut {
namespace {

constexpr std::size_t kFileNameMax = 255;
constexpr std::uint32_t kIdBits = 06000;  // set-user-id and set-group-id
constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

Result<void> check_name(const std::string& name) {
  const bool is_legal = !name.empty() && name.size() <= kFileNameMax && name != "." &&
                        name != ".." && name.find('/') == std::string::npos &&
                        name.find('\0') == std::string::npos;
  if (!is_legal) return fail(Errc::kInvalid, "a name that no directory can have");
  return {};
}

Failure failure(const char* what) {
  return os_failure(what, "", errno);
}

Result<struct stat> status_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return failure("cannot look at what was made");
  return status;
}

// Errors: kExists if there is a name in it.
Result<void> check_empty(const Fd& directory, const std::filesystem::path& path) {
  Fd again(::openat(directory.get(), ".", kDirectoryFlags));
  if (!again.is_open()) return os_failure("cannot read a directory", path.native(), errno);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(again.get()), ::closedir);
  if (stream == nullptr) return os_failure("cannot read a directory", path.native(), errno);
  again.release();
  for (;;) {
    errno = 0;
    const struct dirent* entry = ::readdir(stream.get());
    if (entry == nullptr && errno != 0) {
      return os_failure("cannot read a directory", path.native(), errno);
    }
    if (entry == nullptr) return {};
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      return fail_with(Errc::kExists, "destination: the directory is not empty", path.native());
    }
  }
}

void note(AttributeRefusals& refusals, std::string attribute, const char* what) {
  refusals.push_back({std::move(attribute), failure(what).error});
}

// The mode to be set: without the privileged bits if the owner could not be set.
std::uint32_t mode_of(const HostAttributes& attributes, bool has_owner) {
  return attributes.mode & (has_owner ? 07777u : 07777u & ~kIdBits);
}

struct timespec timespec_of(const HostTime& time) {
  return {.tv_sec = static_cast<time_t>(time.seconds),
          .tv_nsec = static_cast<long>(std::min(time.nanoseconds, 999'999'999u))};
}

bool is_acl(const HostXattr& xattr) {
  return xattr.name.starts_with("system.posix_acl_");
}

// Sets those attributes that are ACLs, or those that are not, with set(name, value).
template <class Set>
void set_xattrs(const HostAttributes& attributes, bool are_acls, AttributeRefusals& refusals,
                Set set) {
  for (const HostXattr& xattr : attributes.xattrs) {
    if (is_acl(xattr) != are_acls || set(xattr) == 0) continue;
    note(refusals, xattr.name, "cannot set an extended attribute");
  }
}

// Owner first (it takes away capabilities and privileged bits), times last (all else changes them).
// The mode may forbid its owner to set attributes, so it follows them; an ACL may say more than the
// mode, so it comes behind.
AttributeRefusals apply_to_open(int fd, const HostAttributes& attributes) {
  AttributeRefusals refusals;
  bool has_owner = false;
  if (attributes.owner) {
    has_owner = ::fchown(fd, attributes.owner->uid, attributes.owner->gid) == 0;
    if (!has_owner) note(refusals, "owner", "cannot set an owner");
  }
  const auto set = [fd](const HostXattr& xattr) {
    return ::fsetxattr(fd, xattr.name.c_str(), xattr.value.data(), xattr.value.size(), 0);
  };
  set_xattrs(attributes, /*are_acls=*/false, refusals, set);
  if (::fchmod(fd, mode_of(attributes, has_owner)) != 0) {
    note(refusals, "mode", "cannot set a mode");
  }
  set_xattrs(attributes, /*are_acls=*/true, refusals, set);
  const struct timespec times[2] = {timespec_of(attributes.access_time),
                                    timespec_of(attributes.modify_time)};
  if (::futimens(fd, times) != 0) note(refusals, "times", "cannot set times");
  return refusals;
}

mode_t type_of(FileKind kind) {
  switch (kind) {
    case FileKind::kFifo: return S_IFIFO;
    case FileKind::kSocket: return S_IFSOCK;
    case FileKind::kCharacterDevice: return S_IFCHR;
    case FileKind::kBlockDevice: return S_IFBLK;
    default: CHECK(false, "special: a fifo, a socket or a device");
  }
  return 0;
}

bool is_same(const struct stat& status, dev_t device, ino_t inode) {
  return status.st_dev == device && status.st_ino == inode;
}

}  // namespace

bool ends_all_writing(const Error& error) {
  switch (error.code) {
    case Errc::kNoSpace:
    case Errc::kAborted: return true;
    case Errc::kReadOnly: return error.where == EROFS;
    case Errc::kIo: return error.where == EIO || error.where == EMFILE || error.where == ENFILE;
    default: return false;
  }
}

TreeFile::TreeFile(TreeFile&& other) noexcept
    : directory_(std::exchange(other.directory_, -1)),
      file_(std::move(other.file_)),
      made_(std::move(other.made_)) {}

TreeFile::~TreeFile() {
  if (directory_ >= 0) ::unlinkat(directory_, made_.name.c_str(), 0);
}

AttributeRefusals TreeFile::finish(const HostAttributes& attributes) {
  directory_ = -1;
  return apply_to_open(file_.fd(), attributes);
}

TreeWriter::TreeWriter(Level destination) {
  levels_.push_back(std::move(destination));
  directories_.push_back({});
}

Result<TreeWriter> TreeWriter::open(const std::filesystem::path& destination) {
  const char* const path = destination.c_str();
  const bool is_new = ::mkdir(path, 0700) == 0;
  if (!is_new && errno != EEXIST) {
    return os_failure("cannot make the destination", destination.native(), errno);
  }
  // A directory that was there may be named by the user through a symlink; ours is none.
  Fd directory(::open(path, is_new ? kDirectoryFlags : kDirectoryFlags & ~O_NOFOLLOW));
  if (!directory.is_open() && errno == ENOTDIR) {
    return fail_with(Errc::kExists, "destination: is there, and no directory",
                     destination.native());
  }
  if (!directory.is_open()) {
    return os_failure("cannot open the destination", destination.native(), errno);
  }
  TRY(check_empty(directory, destination));
  const struct stat status = TRY(status_of(directory.get()));
  return TreeWriter({std::move(directory), status.st_dev, status.st_ino, 0});
}

Result<void> TreeWriter::enter(const std::string& name) {
  TRY(check_name(name));
  if (::mkdirat(place(), name.c_str(), 0700) != 0) return failure("cannot make a directory");
  Fd directory(::openat(place(), name.c_str(), kDirectoryFlags));
  if (!directory.is_open()) return failure("cannot open a directory that was just made");
  const struct stat status = TRY(status_of(directory.get()));
  const auto index = static_cast<std::uint32_t>(directories_.size());
  directories_.push_back({levels_.back().index, name});
  levels_.push_back({std::move(directory), status.st_dev, status.st_ino, index});
  // The destination stays open: the way to first links begins there.
  if (levels_.size() > kOpenMax) levels_[levels_.size() - kOpenMax].directory.reset();
  return {};
}

Result<AttributeRefusals> TreeWriter::leave(const HostAttributes& attributes) {
  if (depth() == 0) return apply_to_open(place(), attributes);
  Level& above = levels_[levels_.size() - 2];
  if (!above.directory.is_open()) {
    // Before the attributes are set: they may forbid us to look.
    Fd directory(::openat(place(), "..", kDirectoryFlags));
    if (!directory.is_open()) return failure("cannot go back to a directory");
    const struct stat status = TRY(status_of(directory.get()));
    if (!is_same(status, above.device, above.inode)) {
      return fail(Errc::kAborted, "destination: a directory was moved while it was written");
    }
    above.directory = std::move(directory);
  }
  AttributeRefusals refusals = apply_to_open(place(), attributes);
  levels_.pop_back();
  return refusals;
}

Result<MadeName> TreeWriter::made(const std::string& name) const {
  struct stat status {};
  if (::fstatat(place(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return failure("cannot look at what was made");
  }
  return MadeName{levels_.back().index, name, status.st_dev, status.st_ino};
}

Result<TreeFile> TreeWriter::make_file(const std::string& name, std::uint64_t size_bytes) {
  TRY(check_name(name));
  if (size_bytes > static_cast<std::uint64_t>(INT64_MAX)) {
    return fail(Errc::kLimit, "a file cannot be that long", size_bytes);
  }
  constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  Fd fd(::openat(place(), name.c_str(), kFlags, 0600));
  if (!fd.is_open()) return failure("cannot make a file");
  const auto give_up = [&](const Failure& why) {
    ::unlinkat(place(), name.c_str(), 0);
    return why;
  };
  if (::ftruncate(fd.get(), static_cast<off_t>(size_bytes)) != 0) {
    return give_up(failure("cannot give a file its length"));
  }
  const auto status = status_of(fd.get());
  if (!status) return give_up(Failure{status.error()});
  auto file = File::adopt(std::move(fd));
  if (!file) return give_up(Failure{file.error()});
  return TreeFile(place(), std::move(*file),
                  {levels_.back().index, name, status->st_dev, status->st_ino});
}

// For what cannot be opened as a file is: a descriptor that only names it stands for it, so that a
// swap in between cannot make us change something else.
Result<AttributeRefusals> TreeWriter::apply_by_name(const std::string& name,
                                                    const HostAttributes& attributes,
                                                    bool has_mode) const {
  const Fd fd(::openat(place(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.is_open()) return failure("cannot open what was just made");
  const std::string path = "/proc/self/fd/" + std::to_string(fd.get());
  AttributeRefusals refusals;
  bool has_owner = false;
  if (attributes.owner) {
    has_owner =
        ::fchownat(fd.get(), "", attributes.owner->uid, attributes.owner->gid, AT_EMPTY_PATH) == 0;
    if (!has_owner) note(refusals, "owner", "cannot set an owner");
  }
  const auto set = [&path](const HostXattr& xattr) {
    return ::setxattr(path.c_str(), xattr.name.c_str(), xattr.value.data(), xattr.value.size(), 0);
  };
  set_xattrs(attributes, /*are_acls=*/false, refusals, set);
  if (has_mode && ::chmod(path.c_str(), mode_of(attributes, has_owner)) != 0) {
    note(refusals, "mode", "cannot set a mode");
  }
  set_xattrs(attributes, /*are_acls=*/true, refusals, set);
  const struct timespec times[2] = {timespec_of(attributes.access_time),
                                    timespec_of(attributes.modify_time)};
  if (::utimensat(place(), name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) {
    note(refusals, "times", "cannot set times");
  }
  return refusals;
}

Result<AttributeRefusals> TreeWriter::make_symlink(const std::string& name,
                                                   const std::string& target,
                                                   const HostAttributes& attributes) {
  TRY(check_name(name));
  if (::symlinkat(target.c_str(), place(), name.c_str()) != 0) {
    return failure("cannot make a symlink");
  }
  return apply_by_name(name, attributes, false);
}

Result<AttributeRefusals> TreeWriter::make_special(const std::string& name, const Special& special,
                                                   const HostAttributes& attributes) {
  TRY(check_name(name));
  const dev_t device = makedev(special.major, special.minor);
  if (::mknodat(place(), name.c_str(), type_of(special.kind) | 0600, device) != 0) {
    if (errno == EPERM) {
      return fail(Errc::kReadOnly, "devices need privileges", static_cast<std::uint64_t>(EPERM));
    }
    return failure("cannot make a special file");
  }
  return apply_by_name(name, attributes, true);
}

// The directory of that index, by its names from the destination down: none of them may have become
// a symlink.
Result<Fd> TreeWriter::open_again(std::uint32_t directory) const {
  std::vector<std::uint32_t> way;
  for (std::uint32_t at = directory; at != 0; at = directories_[at].parent) way.push_back(at);
  Fd found(::openat(levels_.front().directory.get(), ".", kDirectoryFlags));
  for (std::size_t i = way.size(); i-- > 0 && found.is_open();) {
    found = Fd(::openat(found.get(), directories_[way[i]].name.c_str(), O_PATH | kDirectoryFlags));
  }
  if (!found.is_open()) return failure("cannot go back to the directory of a first link");
  return found;
}

Result<void> TreeWriter::make_link(const std::string& name, const MadeName& first) {
  TRY(check_name(name));
  const Fd directory = TRY(open_again(first.directory));
  if (::linkat(directory.get(), first.name.c_str(), place(), name.c_str(), 0) != 0) {
    return failure("cannot make a hard link");
  }
  const MadeName link = TRY(made(name));
  if (link.device != first.device || link.inode != first.inode) {
    ::unlinkat(place(), name.c_str(), 0);
    return fail(Errc::kAborted, "destination: the first link was exchanged");
  }
  return {};
}

}  // namespace powercut
