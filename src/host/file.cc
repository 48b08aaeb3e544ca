#include "host/file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <system_error>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "host/lock_holder.h"
#include "host/machine.h"

namespace powercut {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;  // bytes moved by one call of a copy
constexpr std::size_t kHoleUnit = 4096;               // a zero piece of this size becomes a hole
constexpr std::uint64_t kOffsetMax = static_cast<std::uint64_t>(INT64_MAX);

Errc errc_of(int os_error) noexcept {
  switch (os_error) {
    case ENOSPC:
    case EDQUOT: return Errc::kNoSpace;
    case ENOENT: return Errc::kNotFound;
    case EEXIST: return Errc::kExists;
    case EROFS: return Errc::kReadOnly;
    default: return Errc::kIo;
  }
}

constexpr const char* kHeld = "in use, not opened: end its user first";

// What an open descriptor stands for, for an error's text: its path, or "memfd:NAME".
std::string name_of(int fd) {
  std::array<char, PATH_MAX> target;
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
  if (length <= 0) return "file descriptor " + std::to_string(fd);
  return std::string(target.data(), static_cast<std::size_t>(length));
}

// The bytes that can be read from `fd`.  Errors: kInvalid if it is neither a file nor a disk.
Result<std::uint64_t> size_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return os_failure("cannot look at a file", name_of(fd), errno);
  if (S_ISREG(status.st_mode)) return static_cast<std::uint64_t>(status.st_size);
  if (!S_ISBLK(status.st_mode)) {
    return fail_with(Errc::kInvalid, "neither a file nor a block device: give one of these",
                     name_of(fd));
  }
  std::uint64_t size_bytes = 0;
  if (::ioctl(fd, BLKGETSIZE64, &size_bytes) != 0) {
    return os_failure("cannot ask a block device for its size", name_of(fd), errno);
  }
  return size_bytes;
}

Result<Fd> open_fd(const std::filesystem::path& path, int flags, mode_t mode, const char* what) {
  for (;;) {
    Fd fd(::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, mode));
    if (fd.is_open()) return fd;
    if (errno != EINTR) return os_failure(what, path.native(), errno);
  }
}

Result<void> write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t count = ::write(fd, content.data(), content.size());
    if (count > 0) {
      content.remove_prefix(static_cast<std::size_t>(count));
    } else if (count == 0 || errno != EINTR) {
      return os_failure("cannot write a file", name_of(fd), count == 0 ? EIO : errno);
    }
  }
  return {};
}

// Makes the names in a folder durable, where the file system can.
void sync_folder(const std::filesystem::path& folder) {
  const Fd fd(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.is_open()) static_cast<void>(::fsync(fd.get()));
}

// The next range of `from` at or after `offset` that may hold something other than zeroes; empty at
// the end.  A file system that cannot tell says that all of it does.
struct DataRange {
  std::uint64_t first = 0;
  std::uint64_t end = 0;
};
Result<DataRange> next_data(const File& from, std::uint64_t offset) {
  const std::uint64_t size = from.size_bytes();
  const off_t first = ::lseek(from.fd(), static_cast<off_t>(offset), SEEK_DATA);
  if (first < 0 && errno == ENXIO) return DataRange{size, size};
  if (first < 0 && (errno == EINVAL || errno == EOPNOTSUPP)) return DataRange{offset, size};
  if (first < 0) return os_failure("cannot look for holes", name_of(from.fd()), errno);
  const off_t hole = ::lseek(from.fd(), first, SEEK_HOLE);
  const auto begin = std::min(static_cast<std::uint64_t>(first), size);
  if (hole < first) return DataRange{begin, size};
  return DataRange{begin, std::min(static_cast<std::uint64_t>(hole), size)};
}

// Writes the pieces of `bytes` that are not all zero; equal neighbours go in one call.
Result<void> write_nonzero(File& to, std::uint64_t offset, Bytes bytes) {
  std::size_t first = 0;  // of the run of pieces that are to be written
  std::size_t next = 0;
  while (next < bytes.size()) {
    const std::size_t length = std::min(kHoleUnit, bytes.size() - next);
    if (all_zero(bytes.subspan(next, length))) {
      TRY(to.write_at(offset + first, bytes.subspan(first, next - first)));
      first = next + length;
    }
    next += length;
  }
  return to.write_at(offset + first, bytes.subspan(first, next - first));
}

// What is left of `pieces` when their first `count` bytes are written.
std::span<iovec> behind(std::span<iovec> pieces, std::size_t count) {
  while (!pieces.empty() && count >= pieces.front().iov_len) {
    count -= pieces.front().iov_len;
    pieces = pieces.subspan(1);
  }
  if (!pieces.empty()) {
    iovec& first = pieces.front();
    first.iov_base = static_cast<std::uint8_t*>(first.iov_base) + count;
    first.iov_len -= count;
  }
  return pieces;
}

}  // namespace

Result<void> copy_into(const File& from, File& to) {
  std::vector<std::uint8_t> buffer(kPiece);
  std::uint64_t offset = 0;
  while (offset < from.size_bytes()) {
    const DataRange range = TRY(next_data(from, offset));
    // Pieces begin at multiples of the hole unit, so that zero pieces are found.
    offset = range.first - range.first % kHoleUnit;
    while (offset < range.end) {
      const auto length =
          static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, from.size_bytes() - offset));
      const MutableBytes piece = MutableBytes(buffer).first(length);
      if (was_interrupted()) return fail(Errc::kAborted, "copy of a file: interrupted");
      TRY(from.read_at(offset, piece));
      TRY(write_nonzero(to, offset, piece));
      offset += length;
    }
    offset = std::max(offset, range.end);
  }
  // A file that was cut off meanwhile seems to end in a hole.
  if (TRY(size_of(from.fd())) < from.size_bytes()) {
    return fail_with(Errc::kIo, "a file became shorter while it was copied", name_of(from.fd()));
  }
  return to.sync();
}

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

Fd::~Fd() {
  reset();
}

void Fd::reset() {
  // Linux has closed the descriptor even when close() reports EINTR: never closed twice.
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Failure os_failure(const char* what, std::string_view detail, int os_error) {
  const char* reason = ::strerrordesc_np(os_error);
  if (reason == nullptr) reason = "unknown error";
  // A long path keeps its end, so that the reason is never cut off.
  const std::size_t room = Detail::kCapacity - 8 - std::min<std::size_t>(std::strlen(reason), 60);
  const bool is_cut = detail.size() > room;
  if (is_cut) detail.remove_prefix(detail.size() - room);
  std::array<char, Detail::kCapacity> text;
  std::snprintf(text.data(), text.size(), "%s%.*s%s%s", is_cut ? "..." : "",
                static_cast<int>(detail.size()), detail.data(), detail.empty() ? "" : ": ", reason);
  return fail_with(errc_of(os_error), what, text.data(), static_cast<std::uint64_t>(os_error));
}

Result<File> File::open(const std::filesystem::path& path, Access access) {
  // O_NONBLOCK: a FIFO of that name is refused, not waited for.
  const int flags =
      (access == Access::kRead || access == Access::kShared ? O_RDONLY : O_RDWR) | O_NONBLOCK;
  const bool is_exclusive = access == Access::kExclusive;
  if (is_exclusive || access == Access::kShared) return open_locked(path, flags, is_exclusive);
  return adopt(TRY(open_fd(path, flags, 0, "cannot open a file")));
}

Result<File::Lock> File::Lock::take(int fd, bool is_exclusive, const std::filesystem::path& path) {
  Lock lock;
  const int how = is_exclusive ? LOCK_EX : LOCK_SH;
  if (::flock(fd, how | LOCK_NB) == 0) {
    lock.fd_ = fd;
    lock.process_ = ::getpid();
    return lock;
  }
  // Where files have no locks, nobody has one.
  if (errno != EWOULDBLOCK) return lock;
  struct stat status {};
  const auto holder = ::fstat(fd, &status) == 0 ? lock_holder(status) : std::nullopt;
  const std::string who = holder ? holder->words : "another program";
  const std::string does = !holder || holder->is_writer ? " has it open to write: " : " reads it: ";
  return fail_with(Errc::kInUse, kHeld, who + does + path.filename().native());
}

File::Lock::~Lock() {
  if (fd_ >= 0 && process_ == ::getpid()) ::flock(fd_, LOCK_UN);
}

// Linux looks at O_EXCL without O_CREAT for block devices only; two of us on a file keep apart by a
// lock.
Result<File> File::open_locked(const std::filesystem::path& path, int flags, bool is_exclusive) {
  Fd fd = TRY(open_fd(path, flags, 0, "cannot open a file"));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) {
    return os_failure("cannot look at a file", path.native(), errno);
  }
  if (!S_ISBLK(status.st_mode)) {
    File file = TRY(adopt(std::move(fd)));
    file.lock_ = TRY(Lock::take(file.fd(), is_exclusive, path));
    return file;
  }
  if (!is_exclusive) return adopt(std::move(fd));
  Fd alone(::open(path.c_str(), flags | O_EXCL | O_CLOEXEC));
  if (alone.is_open()) return adopt(std::move(alone));
  if (errno != EBUSY) return os_failure("cannot open a file", path.native(), errno);
  const auto uses = uses_of(path);
  const std::string who =
      uses && !uses->empty()
          ? uses->front().who
          : path.native() + ": by another program, or a mount that is not seen from here";
  return fail_with(Errc::kInUse, kHeld, who);
}

Result<File> File::create(const std::filesystem::path& path, std::uint64_t size_bytes) {
  if (size_bytes > kOffsetMax) {
    return fail_with(Errc::kLimit, "a file cannot be that long", path.native(), size_bytes);
  }
  Fd fd = TRY(open_fd(path, O_RDWR | O_CREAT | O_EXCL, 0666, "cannot make a file"));
  if (::ftruncate(fd.get(), static_cast<off_t>(size_bytes)) != 0) {
    const Failure failure = os_failure("cannot give a new file its length", path.native(), errno);
    ::unlink(path.c_str());
    return failure;
  }
  return File(std::move(fd), size_bytes);
}

Result<File> File::in_memory(const char* name, std::uint64_t size_bytes) {
  if (size_bytes > kOffsetMax) {
    return fail_with(Errc::kLimit, "a file in memory cannot be that long", name, size_bytes);
  }
  Fd fd(::memfd_create(name, MFD_CLOEXEC));
  if (!fd.is_open()) return os_failure("cannot make a file in memory", name, errno);
  if (::ftruncate(fd.get(), static_cast<off_t>(size_bytes)) != 0) {
    return os_failure("cannot give a file in memory its length", name, errno);
  }
  return File(std::move(fd), size_bytes);
}

Result<File> File::adopt(Fd fd) {
  const std::uint64_t size_bytes = TRY(size_of(fd.get()));
  return File(std::move(fd), size_bytes);
}

Result<void> File::read_at(std::uint64_t offset, MutableBytes into) const {
  if (offset > size_bytes_ || into.size() > size_bytes_ - offset) {
    return fail_with(Errc::kIo, "read past the end of a file", name_of(fd()), offset);
  }
  while (!into.empty()) {
    const ssize_t count = ::pread(fd(), into.data(), into.size(), static_cast<off_t>(offset));
    if (count > 0) {
      into = into.subspan(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    } else if (count == 0) {
      return fail_with(Errc::kIo, "a file became shorter while it was read", name_of(fd()), offset);
    } else if (errno != EINTR) {
      return os_failure("cannot read a file", name_of(fd()), errno);
    }
  }
  return {};
}

Result<void> File::write_at(std::uint64_t offset, Bytes from) {
  if (offset > size_bytes_ || from.size() > size_bytes_ - offset) {
    return fail_with(Errc::kNoSpace, "write past the end of a file", name_of(fd()), offset);
  }
  while (!from.empty()) {
    const ssize_t count = ::pwrite(fd(), from.data(), from.size(), static_cast<off_t>(offset));
    if (count > 0) {
      from = from.subspan(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    } else if (count == 0 || errno != EINTR) {
      return os_failure("cannot write a file", name_of(fd()), count == 0 ? EIO : errno);
    }
  }
  return {};
}

Result<void> File::write_pieces_at(std::uint64_t offset, std::span<const Bytes> pieces) {
  std::vector<iovec> left;
  left.reserve(pieces.size());
  std::uint64_t length = 0;
  for (const Bytes piece : pieces) {
    if (piece.empty()) continue;
    left.push_back({const_cast<std::uint8_t*>(piece.data()), piece.size()});
    length += piece.size();
  }
  if (offset > size_bytes_ || length > size_bytes_ - offset) {
    return fail_with(Errc::kNoSpace, "write past the end of a file", name_of(fd()), offset);
  }
  std::span<iovec> rest(left);
  while (!rest.empty()) {
    const auto count = static_cast<int>(std::min<std::size_t>(rest.size(), IOV_MAX));
    const ssize_t written = ::pwritev(fd(), rest.data(), count, static_cast<off_t>(offset));
    if (written > 0) {
      offset += static_cast<std::uint64_t>(written);
      rest = behind(rest, static_cast<std::size_t>(written));
    } else if (written == 0 || errno != EINTR) {
      return os_failure("cannot write a file", name_of(fd()), written == 0 ? EIO : errno);
    }
  }
  return {};
}

Result<void> File::append(Bytes from) {
  const std::uint64_t end = size_bytes_;
  size_bytes_ += from.size();
  auto written = write_at(end, from);
  if (!written) size_bytes_ = end;
  return written;
}

Result<void> File::punch(std::uint64_t offset, std::uint64_t length) {
  if (offset > size_bytes_ || length > size_bytes_ - offset) {
    return fail_with(Errc::kNoSpace, "hole past the end of a file", name_of(fd()), offset);
  }
  if (length == 0) return {};
  int os_error = 0;
  do {
    const int status = ::fallocate(fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                   static_cast<off_t>(offset), static_cast<off_t>(length));
    os_error = status == 0 ? 0 : errno;
  } while (os_error == EINTR);
  if (os_error == 0) return {};
  if (os_error != EOPNOTSUPP && os_error != ENODEV && os_error != EINVAL && os_error != ENOSYS) {
    return os_failure("cannot make a hole in a file", name_of(fd()), os_error);
  }
  // No holes here (or not at this alignment): zeroes read the same.
  const std::vector<std::uint8_t> zeroes(
      static_cast<std::size_t>(std::min<std::uint64_t>(length, kPiece)));
  for (std::uint64_t done = 0; done < length;) {
    const auto count = std::min<std::uint64_t>(zeroes.size(), length - done);
    TRY(write_at(offset + done, Bytes(zeroes).first(static_cast<std::size_t>(count))));
    done += count;
  }
  return {};
}

Result<void> File::sync() {
  while (::fdatasync(fd()) != 0) {
    if (errno != EINTR) return os_failure("cannot make a file durable", name_of(fd()), errno);
  }
  return {};
}

Result<std::uint64_t> File::allocated_bytes() const {
  struct stat status {};
  if (::fstat(fd(), &status) != 0) return os_failure("cannot look at a file", name_of(fd()), errno);
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

Result<void> copy_sparse(const File& from, const std::filesystem::path& to) {
  File copy = TRY(File::create(to, from.size_bytes()));
  const Result<void> outcome = copy_into(from, copy);
  if (!outcome) ::unlink(to.c_str());
  return outcome;
}

Result<std::string> read_text_file(const std::filesystem::path& path, std::uint64_t bytes_max) {
  const Fd fd = TRY(open_fd(path, O_RDONLY | O_NONBLOCK, 0, "cannot open a file"));
  std::string content;
  std::vector<char> buffer(std::size_t{64} << 10);
  for (;;) {
    const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
    if (count == 0) return content;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return os_failure("cannot read a file", path.native(), errno);
    if (static_cast<std::uint64_t>(count) > bytes_max - content.size()) {
      return fail_with(Errc::kLimit, "a file is longer than it may be", path.native(), bytes_max);
    }
    content.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

Result<void> write_file_atomically(const std::filesystem::path& path, std::string_view content) {
  std::string beside = path.native() + ".XXXXXX";
  const Fd fd(::mkostemp(beside.data(), O_CLOEXEC));
  if (!fd.is_open()) return os_failure("cannot make a file", path.native(), errno);
  Result<void> outcome = write_all(fd.get(), content);
  if (outcome && (::fchmod(fd.get(), 0644) != 0 || ::fsync(fd.get()) != 0)) {
    outcome = os_failure("cannot make a file durable", path.native(), errno);
  }
  if (outcome && ::rename(beside.c_str(), path.c_str()) != 0) {
    outcome = os_failure("cannot give a file its name", path.native(), errno);
  }
  if (!outcome) {
    ::unlink(beside.c_str());
    return outcome;
  }
  sync_folder(path.parent_path());
  return {};
}

Result<void> rename_over(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return os_failure("cannot give a file its name", to.native(), errno);
  }
  sync_folder(to.parent_path());
  return {};
}

Result<void> make_directories(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return os_failure("cannot make a folder", path.native(), error.value());
  if (!std::filesystem::is_directory(path, error)) {
    return os_failure("cannot make a folder", path.native(), ENOTDIR);
  }
  return {};
}

}  // namespace powercut
