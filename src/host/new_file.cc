#include "host/new_file.h"

#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace powercut {
namespace {

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

mode_t usual_mode() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return static_cast<mode_t>(0666) & ~mask;
}

}  // namespace

Result<NewFile> NewFile::make(const std::filesystem::path& path, std::uint64_t size_bytes) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) {
    return fail_with(Errc::kExists, "cannot make a file: there is one of that name", path.native());
  }
  std::filesystem::path beside;
  Fd fd(::open(folder_of(path).c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666));
  if (!fd.is_open() && errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL) {
    return os_failure("cannot make a file", path.native(), errno);
  }
  if (!fd.is_open()) {
    std::string name = folder_of(path) / ("." + path.filename().native() + ".XXXXXX");
    fd = Fd(::mkostemp(name.data(), O_CLOEXEC));
    if (!fd.is_open()) return os_failure("cannot make a file", path.native(), errno);
    beside = name;
    static_cast<void>(::fchmod(fd.get(), usual_mode()));
  }
  int os_error = 0;
  if (::ftruncate(fd.get(), static_cast<off_t>(size_bytes)) != 0) os_error = errno;
  auto file = File::adopt(std::move(fd));
  if (!file || os_error != 0) {
    if (!beside.empty()) ::unlink(beside.c_str());
    if (!file) return Failure{file.error()};
    return os_failure("cannot give a new file its length", path.native(), os_error);
  }
  return NewFile(path, std::move(beside), std::move(*file));
}

NewFile::~NewFile() {
  // A file that was moved from has no path left.
  if (!beside_.empty()) ::unlink(beside_.c_str());
}

Result<void> NewFile::publish() {
  if (::fsync(file_.fd()) != 0) {
    return os_failure("cannot make a file durable", path_.native(), errno);
  }
  const std::string from =
      beside_.empty() ? "/proc/self/fd/" + std::to_string(file_.fd()) : beside_.native();
  // A link, not a rename: it never takes the place of another file.
  if (::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, path_.c_str(), AT_SYMLINK_FOLLOW) != 0) {
    return os_failure("cannot give a file its name", path_.native(), errno);
  }
  if (!beside_.empty()) ::unlink(beside_.c_str());
  beside_.clear();
  const Fd folder(::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.is_open()) static_cast<void>(::fsync(folder.get()));
  return {};
}

}  // namespace powercut
