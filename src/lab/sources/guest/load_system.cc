#include "lab/sources/guest/load_system.h"

#include <cerrno>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/sources/guest/load_words.h"
#include "lab/sources/guest/mark_client.h"

namespace powercut::lab {
namespace {

Result<void> done_or(bool is_done, const char* what, const std::string& name) {
  if (is_done) return {};
  return load_failure(what, name, errno);
}

class KernelSystem final : public LoadSystem {
 public:
  explicit KernelSystem(MarkClient* marks) : marks_(marks) {}

  Result<Opened> make_folder(const std::string& path) override {
    if (::mkdir(path.c_str(), 0755) != 0) return load_failure("workload: folder", path, errno);
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return load_failure("workload: folder", path, errno);
    struct stat status {};
    const bool is_known = ::fstat(fd, &status) == 0;
    return Opened{fd, InodeNo(is_known ? static_cast<std::uint32_t>(status.st_ino) : 0), 0};
  }

  Result<Opened> create(int folder, const std::string& name) override {
    const int fd = ::openat(folder, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) return load_failure("workload: create", name, errno);
    struct stat status {};
    if (::fstat(fd, &status) != 0) {
      const Failure failure = load_failure("workload: fstat", name, errno);
      ::close(fd);
      return failure;
    }
    int generation = 0;  // the kernel fills an int, whatever the number's name says
    if (::ioctl(fd, FS_IOC_GETVERSION, &generation) != 0) generation = 0;
    return Opened{fd, InodeNo(static_cast<std::uint32_t>(status.st_ino)),
                  static_cast<std::uint32_t>(generation)};
  }

  void close(int number) override { ::close(number); }

  Result<void> write(int file, std::uint64_t offset, Bytes from, const std::string& name) override {
    while (!from.empty()) {
      const ssize_t count = ::pwrite(file, from.data(), from.size(), static_cast<off_t>(offset));
      if (count < 0 && errno != EINTR) return load_failure("workload: write", name, errno);
      const std::size_t done = count > 0 ? static_cast<std::size_t>(count) : 0;
      from = from.subspan(done);
      offset += done;
    }
    return {};
  }

  Result<std::size_t> read(int file, std::uint64_t offset, MutableBytes into,
                           const std::string& name) override {
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t count =
          ::pread(file, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
      if (count < 0 && errno != EINTR) return load_failure("workload: read", name, errno);
      if (count == 0) break;
      done += count > 0 ? static_cast<std::size_t>(count) : 0;
    }
    return done;
  }

  Result<std::uint64_t> size(int file, const std::string& name) override {
    struct stat status {};
    if (::fstat(file, &status) != 0) return load_failure("workload: fstat", name, errno);
    return static_cast<std::uint64_t>(status.st_size);
  }

  Result<void> truncate(int file, std::uint64_t size, const std::string& name) override {
    return done_or(::ftruncate(file, static_cast<off_t>(size)) == 0, "workload: truncate", name);
  }
  Result<void> punch(int file, std::uint64_t offset, std::uint64_t length,
                     const std::string& name) override {
    constexpr int kHow = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    return done_or(
        ::fallocate(file, kHow, static_cast<off_t>(offset), static_cast<off_t>(length)) == 0,
        "workload: punch", name);
  }
  Result<void> allocate(int file, std::uint64_t offset, std::uint64_t length,
                        const std::string& name) override {
    return done_or(::fallocate(file, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                               static_cast<off_t>(length)) == 0,
                   "workload: fallocate", name);
  }

  Result<void> link(int folder, const std::string& from, const std::string& to) override {
    return done_or(::linkat(folder, from.c_str(), folder, to.c_str(), 0) == 0, "workload: link",
                   to);
  }
  Result<void> unlink(int folder, const std::string& name) override {
    return done_or(::unlinkat(folder, name.c_str(), 0) == 0, "workload: unlink", name);
  }
  Result<void> rename(int folder, const std::string& from, const std::string& to) override {
    return done_or(::renameat(folder, from.c_str(), folder, to.c_str()) == 0, "workload: rename",
                   from);
  }

  Result<void> sync(int number, SyncWay way, const std::string& name) override {
    const int result = way == SyncWay::kFsync ? ::fsync(number) : ::fdatasync(number);
    return done_or(result == 0, "workload: sync", name);
  }
  Result<void> sync_all(int folder, const std::string& name) override {
    return done_or(::syncfs(folder) == 0, "workload: syncfs", name);
  }

  bool takes_marks() const override { return marks_ != nullptr; }
  Result<void> mark(std::string_view text) override {
    if (marks_ == nullptr) return {};
    return marks_->say(std::string(text));
  }

 private:
  MarkClient* const marks_;
};

}  // namespace

std::unique_ptr<LoadSystem> kernel_load_system(MarkClient* marks) {
  return std::make_unique<KernelSystem>(marks);
}

}  // namespace powercut::lab
