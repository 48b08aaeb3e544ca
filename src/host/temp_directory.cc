// TempDirectory: made, locked, removed; and the sweep of what killed processes left.
//
// Words
//   lock file   kLockName inside the folder.  Its maker holds an flock on it for as long as it
//               lives, however it dies.
//   stale       a folder of ours (by name, owner and lock file) whose lock nobody holds.
//
// Invariants
//   1. A folder without a lock file is never touched: it is somebody's, or about to get one.
//   2. Who removes a folder holds its lock, and removes the lock file last but one (the folder).
//   3. Nothing is removed through a symbolic link or on another file system than the folder's.
//
// A sweeper may take the lock between its making and its maker's flock: the maker then finds it
// taken, or without a name, and makes another folder.
#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/machine.h"

namespace powercut {
namespace {

constexpr const char* kLockName = ".powercut-lock";
constexpr std::string_view kPrefix = "powercut-";
constexpr int kDepthMax = 64;                 // of folders in a folder that is removed
constexpr std::size_t kNamesMax = 1'000'000;  // looked at in one folder
constexpr int kSweptMax = 64;                 // stale folders removed by one make()
constexpr int kNamesTriedMax = 8;

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};

// The names in an open folder, without "." and ".."; the order is the file system's.
std::vector<std::string> names_in(int folder) {
  std::vector<std::string> names;
  const int copy = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return names;
  const std::unique_ptr<DIR, CloseDirectory> directory(::fdopendir(copy));
  if (!directory) {
    ::close(copy);
    return names;
  }
  while (names.size() < kNamesMax) {
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

Fd open_folder_at(int folder, const char* name) {
  return Fd(::openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// Empties `folder` (on file system `device`) as far as it may; what `kept` names stays.
void empty_folder(int folder, dev_t device, int depth, std::string_view kept) {
  if (depth > kDepthMax) return;
  for (const std::string& name : names_in(folder)) {
    if (name == kept) continue;
    if (::unlinkat(folder, name.c_str(), 0) == 0) continue;
    if (errno != EISDIR && errno != EPERM) continue;
    const Fd inner = open_folder_at(folder, name.c_str());
    struct stat status {};
    if (!inner.is_open() || ::fstat(inner.get(), &status) != 0) continue;
    if (status.st_dev != device) continue;
    empty_folder(inner.get(), device, depth + 1, {});
    ::unlinkat(folder, name.c_str(), AT_REMOVEDIR);
  }
}

// Removes `base`/`name`, whose lock the caller holds.
void remove_locked(int base, const char* name) {
  const Fd folder = open_folder_at(base, name);
  struct stat status {};
  if (!folder.is_open() || ::fstat(folder.get(), &status) != 0) return;
  empty_folder(folder.get(), status.st_dev, 0, kLockName);
  // Something stayed (a mount, a foreign file): then the lock file does too, for the next sweep.
  if (names_in(folder.get()).size() > 1) return;
  ::unlinkat(folder.get(), kLockName, 0);
  ::unlinkat(base, name, AT_REMOVEDIR);
}

// Whether `base`/`name` was a stale folder of ours; it is then gone, as far as that was possible.
bool sweep_one(int base, const char* name) {
  const Fd folder = open_folder_at(base, name);
  struct stat status {};
  if (!folder.is_open() || ::fstat(folder.get(), &status) != 0) return false;
  if (status.st_uid != ::geteuid()) return false;
  const Fd lock(::openat(folder.get(), kLockName, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!lock.is_open() || ::fstat(lock.get(), &status) != 0) return false;
  if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid()) return false;
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return false;
  remove_locked(base, name);
  return true;
}

void sweep(const std::filesystem::path& base) {
  const Fd folder(::open(base.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_open()) return;
  int swept = 0;
  for (const std::string& name : names_in(folder.get())) {
    if (!name.starts_with(kPrefix)) continue;
    if (sweep_one(folder.get(), name.c_str()) && ++swept == kSweptMax) return;
  }
}

void remove_folder(const std::filesystem::path& path) {
  const Fd base(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (base.is_open()) remove_locked(base.get(), path.filename().c_str());
}

std::filesystem::path base_directory() {
  const char* chosen = std::getenv("TMPDIR");
  if (chosen == nullptr || chosen[0] != '/') return "/tmp";
  return std::filesystem::path(chosen).lexically_normal();
}

// Makes and takes the lock file; an Fd that is not open if a sweeper was faster.
Result<Fd> take_lock(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kLockName;
  Fd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!lock.is_open()) return os_failure("cannot make a lock file", path.native(), errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return Fd();
    return os_failure("cannot lock a file: set TMPDIR to a local disk", path.native(), errno);
  }
  struct stat status {};
  if (::fstat(lock.get(), &status) != 0 || status.st_nlink == 0) return Fd();
  return lock;
}

}  // namespace

Result<TempDirectory> TempDirectory::make(std::string_view purpose) {
  const std::filesystem::path base = base_directory();
  sweep(base);
  for (int attempt = 0; attempt < kNamesTriedMax; ++attempt) {
    std::string path = (base / (std::string(kPrefix) + std::string(purpose) + "-XXXXXX")).native();
    if (::mkdtemp(path.data()) == nullptr) {
      return os_failure("cannot make a temporary folder (TMPDIR says where)", path, errno);
    }
    Result<Fd> lock = take_lock(path);
    if (!lock) {
      ::rmdir(path.c_str());
      return Failure{lock.error()};
    }
    if (lock->is_open()) return TempDirectory(path, std::move(*lock));
  }
  return fail_with(Errc::kIo, "temporary folders vanish as they are made", base.native());
}

TempDirectory& TempDirectory::operator=(TempDirectory&& other) noexcept {
  if (this == &other) return *this;
  if (lock_.is_open()) remove_folder(path_);
  path_ = std::move(other.path_);
  lock_ = std::move(other.lock_);
  return *this;
}

TempDirectory::~TempDirectory() {
  if (lock_.is_open()) remove_folder(path_);
}

}  // namespace powercut
