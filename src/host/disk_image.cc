#include "host/disk_image.h"

#include <cerrno>

#include <fcntl.h>

namespace powercut {

Result<Fd> open_direct(const Fd& folder, const char* name) {
  Fd file(::openat(folder.get(), name, O_RDWR | O_DIRECT | O_CLOEXEC | O_NOFOLLOW));
  if (!file.is_open()) return os_failure("cannot open a file", name, errno);
  return file;
}

Result<void> allocate(const File& file) {
  if (file.size_bytes() == 0) return {};
  int os_error = 0;
  do {
    const auto length = static_cast<off_t>(file.size_bytes());
    os_error = ::fallocate(file.fd(), 0, 0, length) == 0 ? 0 : errno;
  } while (os_error == EINTR);
  if (os_error == 0) return {};
  return os_failure("cannot take the storage of a disk ahead", "", os_error);
}

}  // namespace powercut
