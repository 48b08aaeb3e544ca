// Files, as ByteStores: ordinary, sparse, in memory (memfd), block special.
// Threads: a File may be used by several threads at once (pread, pwrite).
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/byte_store.h"

namespace powercut {

// A file descriptor that is closed at the end.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd();
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();

 private:
  int fd_ = -1;
};

// kIo with the errno in `where` and its text, after `detail`, in the detail; kNoSpace for ENOSPC
// and EDQUOT, kNotFound for ENOENT, kExists for EEXIST, kReadOnly for EROFS.
[[nodiscard]] Failure os_failure(const char* what, std::string_view detail, int os_error);

// A file keeps the size it was opened with: reading past it is kIo, writing past it kNoSpace.
class File final : public ByteStore {
 public:
  enum class Access : std::uint8_t {
    kRead,
    kReadWrite,
    // To read and write alone: a block device that the kernel uses (a mount, swap, a device on top
    // of it) is refused, and so is a file that another of us has open in this way or the next, in
    // this process or another one, by whatever name.  It ends with the File, or the process.
    kExclusive,
    // To read, while nobody writes: a file that another of us has open exclusively is refused.
    kShared,
  };
  // Errors: kNotFound, kReadOnly, kIo; kInUse (kExclusive, kShared): the detail says who.
  static Result<File> open(const std::filesystem::path& path, Access access);
  // A new file of `size_bytes`, all holes; an old one of that name is an error (kExists).
  static Result<File> create(const std::filesystem::path& path, std::uint64_t size_bytes);
  // An anonymous file in memory of `size_bytes`; inherited by children only on purpose.
  static Result<File> in_memory(const char* name, std::uint64_t size_bytes);
  // Takes over a descriptor that was inherited.  Errors (of open(), too): kInvalid: neither a file
  // nor a block device.
  static Result<File> adopt(Fd fd);

  std::uint64_t size_bytes() const override { return size_bytes_; }
  Result<void> read_at(std::uint64_t offset, MutableBytes into) const override;
  Result<void> write_at(std::uint64_t offset, Bytes from) override;
  // One system call for up to IOV_MAX pieces.
  Result<void> write_pieces_at(std::uint64_t offset, std::span<const Bytes> pieces) override;
  // Writes behind the end, which moves; after an error the file's size counts as it was.  Not for
  // several threads at once.
  Result<void> append(Bytes from);
  Result<void> punch(std::uint64_t offset, std::uint64_t length) override;
  Result<void> sync() override;
  int fd() const { return fd_.get(); }
  // Bytes of storage in use, as the file system counts them.
  Result<std::uint64_t> allocated_bytes() const;

 private:
  // A lock that ends with the File of the process that took it, though a child that was forked
  // meanwhile has the descriptor, too; and does not end with the child.
  class Lock {
   public:
    Lock() = default;
    static Result<Lock> take(int fd, bool is_exclusive, const std::filesystem::path& path);
    Lock(Lock&& other) noexcept
        : fd_(std::exchange(other.fd_, -1)), process_(std::exchange(other.process_, 0)) {}
    // What it held before goes with its descriptor, which the File closes.
    Lock& operator=(Lock&& other) noexcept {
      fd_ = std::exchange(other.fd_, -1);
      process_ = std::exchange(other.process_, 0);
      return *this;
    }
    ~Lock();

   private:
    int fd_ = -1;
    int process_ = 0;
  };

  File(Fd fd, std::uint64_t size_bytes) : fd_(std::move(fd)), size_bytes_(size_bytes) {}
  static Result<File> open_locked(const std::filesystem::path& path, int flags, bool is_exclusive);
  Fd fd_;
  std::uint64_t size_bytes_ = 0;
  Lock lock_;  // ends before the descriptor
};

// Copies the bytes of `from` into `to`, which is all holes and as long, and syncs; as below.
Result<void> copy_into(const File& from, File& to);
// Copies `from` to a new file at `to`, holes staying holes (SEEK_DATA), all-zero 4 KiB pieces
// becoming holes.  On an error the new file is removed.  Errors: kIo, kNoSpace; kAborted: the user
// interrupted it.
Result<void> copy_sparse(const File& from, const std::filesystem::path& to);

// A whole small file.  Errors: kLimit if it is longer than `bytes_max`.
Result<std::string> read_text_file(const std::filesystem::path& path, std::uint64_t bytes_max);
// Writes beside the name, syncs, then renames: the file is the old or the new one, never a part.
Result<void> write_file_atomically(const std::filesystem::path& path, std::string_view content);
// Gives the file at `from` the name `to`, whose file, if there is one, is gone then; one name or
// the other is there at every moment.
Result<void> rename_over(const std::filesystem::path& from, const std::filesystem::path& to);
Result<void> make_directories(const std::filesystem::path& path);

}  // namespace powercut
