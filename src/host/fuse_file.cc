#include "host/fuse_file.h"

// Version 35: what the requests of FUSE look like since libfuse 3.5.
#define FUSE_USE_VERSION 35
#include <fuse3/fuse_lowlevel.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <linux/falloc.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace powercut {
namespace {

constexpr fuse_ino_t kFileInode = 2, kSecondInode = 3;
constexpr double kForever = 1e6;    // seconds that the kernel may believe an answer
constexpr unsigned kUnderWay = 64;  // requests that the kernel sends without waiting
constexpr int kReceivedMost = 256;  // in one turn, so that changes are finished, too
constexpr std::uint32_t kBlockBytes = 4096;

int errno_of(const Error& error) {
  switch (error.code) {
    case Errc::kNoSpace: return ENOSPC;
    case Errc::kInvalid: return EINVAL;
    default: return EIO;
  }
}

struct stat status_of(fuse_ino_t inode, std::uint64_t size_bytes) {
  struct stat status {};
  status.st_ino = inode;
  status.st_blksize = kBlockBytes;
  if (inode == FUSE_ROOT_ID) {
    status.st_mode = S_IFDIR | 0700;
    status.st_nlink = 2;
    return status;
  }
  status.st_mode = S_IFREG | 0600;
  status.st_nlink = 1;
  status.st_size = static_cast<off_t>(size_bytes);
  status.st_blocks = static_cast<blkcnt_t>(size_bytes / 512);
  return status;
}

}  // namespace

struct FuseFile::Calls {
  static FuseFile& file_of(fuse_req_t request) {
    return *static_cast<FuseFile*>(fuse_req_userdata(request));
  }

  static void init(void*, fuse_conn_info* connection) {
    // With it the kernel would gather writes, and give them another order.
    connection->want &= ~static_cast<unsigned>(FUSE_CAP_WRITEBACK_CACHE);
    connection->max_write = kRequestBytesMax;
    connection->max_background = kUnderWay;
    connection->congestion_threshold = kUnderWay;
  }

  static void lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
    const FuseFile& file = file_of(request);
    const bool is_first = std::strcmp(name, kName) == 0;
    const bool is_second = file.options_.second_at != 0 && std::strcmp(name, kSecondName) == 0;
    if (parent != FUSE_ROOT_ID || (!is_first && !is_second)) {
      fuse_reply_err(request, ENOENT);
      return;
    }
    fuse_entry_param entry{};
    entry.ino = is_first ? kFileInode : kSecondInode;
    entry.attr_timeout = entry.entry_timeout = kForever;
    entry.attr = status_of(entry.ino, file.range_of(entry.ino).size());
    fuse_reply_entry(request, &entry);
  }

  static void getattr(fuse_req_t request, fuse_ino_t inode, fuse_file_info*) {
    const struct stat status = status_of(inode, file_of(request).range_of(inode).size());
    fuse_reply_attr(request, &status, kForever);
  }

  // Times may be set, and are not kept; another size is refused.
  static void setattr(fuse_req_t request, fuse_ino_t inode, struct stat* wanted, int which,
                      fuse_file_info*) {
    const struct stat status = status_of(inode, file_of(request).range_of(inode).size());
    if ((which & FUSE_SET_ATTR_SIZE) != 0 && wanted->st_size != status.st_size) {
      fuse_reply_err(request, EPERM);
      return;
    }
    fuse_reply_attr(request, &status, kForever);
  }

  static void open(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
    if (inode == FUSE_ROOT_ID) {
      fuse_reply_err(request, EISDIR);
      return;
    }
    fuse_reply_open(request, file);
  }

  static void statfs(fuse_req_t request, fuse_ino_t) {
    struct statvfs status {};
    status.f_bsize = status.f_frsize = kBlockBytes;
    status.f_blocks = file_of(request).service_.size_bytes() / kBlockBytes;
    status.f_namemax = 255;
    fuse_reply_statfs(request, &status);
  }

  static void read(fuse_req_t request, fuse_ino_t inode, std::size_t length, off_t offset,
                   fuse_file_info*) {
    FuseFile& file = file_of(request);
    file.answer_read(request, file.range_of(inode), static_cast<std::uint64_t>(offset), length);
  }

  static void write(fuse_req_t request, fuse_ino_t inode, const char* data, std::size_t length,
                    off_t offset, fuse_file_info*) {
    FileChange change;
    change.offset = static_cast<std::uint64_t>(offset);
    change.length = length;
    change.data = Bytes(reinterpret_cast<const std::uint8_t*>(data), length);
    file_of(request).take_in(request, inode, change);
  }

  static void fsync(fuse_req_t request, fuse_ino_t inode, int, fuse_file_info*) {
    FuseFile& file = file_of(request);
    FileChange change;
    change.kind = FileChange::Kind::kSync;
    if (file.options_.second_at != 0) {
      change.offset = file.range_of(inode).begin;
      change.length = file.range_of(inode).size();
    }
    file.take(request, change);
  }

  static void fallocate(fuse_req_t request, fuse_ino_t inode, int mode, off_t offset, off_t length,
                        fuse_file_info*) {
    FileChange change;
    change.offset = static_cast<std::uint64_t>(offset);
    change.length = static_cast<std::uint64_t>(length);
    switch (mode & ~FALLOC_FL_KEEP_SIZE) {
      case FALLOC_FL_PUNCH_HOLE: change.kind = FileChange::Kind::kPunch; break;
      case FALLOC_FL_ZERO_RANGE: change.kind = FileChange::Kind::kZero; break;
      default: fuse_reply_err(request, EOPNOTSUPP); return;
    }
    file_of(request).take_in(request, inode, change);
  }

  static fuse_lowlevel_ops all() {
    fuse_lowlevel_ops calls{};
    calls.init = init;
    calls.lookup = lookup;
    calls.getattr = getattr;
    calls.setattr = setattr;
    calls.open = open;
    calls.statfs = statfs;
    calls.read = read;
    calls.write = write;
    calls.fsync = fsync;
    calls.fallocate = fallocate;
    return calls;
  }
};

FuseFile::FuseFile(FileService& service, const Clock& clock, const Options& options)
    : service_(service), clock_(clock), options_(options), reading_(kRequestBytesMax) {
  for (std::size_t i = 0; i < kBufferCount; ++i) {
    buffers_.push_back(std::make_unique<std::uint8_t[]>(kBufferBytes));
    free_.push_back(i);
  }
}

Result<std::unique_ptr<FuseFile>> FuseFile::open(Fd device, FileService& service,
                                                 const Clock& clock, const Options& options) {
  const int flags = ::fcntl(device.get(), F_GETFL);
  if (flags < 0 || ::fcntl(device.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return os_failure("cannot use the device of FUSE", "", errno);
  }
  std::unique_ptr<FuseFile> file(new FuseFile(service, clock, options));
  char name[] = "powercut";
  char* words[] = {name};
  fuse_args arguments = FUSE_ARGS_INIT(1, words);
  const fuse_lowlevel_ops calls = Calls::all();
  file->session_ = fuse_session_new(&arguments, &calls, sizeof calls, file.get());
  fuse_opt_free_args(&arguments);
  if (file->session_ == nullptr) return fail(Errc::kIo, "libfuse made no session");
  const std::string place = "/dev/fd/" + std::to_string(device.get());
  if (fuse_session_mount(file->session_, place.c_str()) != 0) {
    return fail(Errc::kIo, "libfuse did not take over the device");
  }
  static_cast<void>(device.release());  // the session's from here on
  return file;
}

FuseFile::~FuseFile() {
  if (session_ != nullptr) fuse_session_destroy(session_);
}

FuseFile::Range FuseFile::range_of(std::uint64_t inode) const {
  const std::uint64_t size = service_.size_bytes();
  if (options_.second_at == 0) return {0, size};
  return inode == kSecondInode ? Range{options_.second_at, size} : Range{0, options_.second_at};
}

void FuseFile::answer_read(void* request, const Range& file, std::uint64_t offset,
                           std::uint64_t length) {
  auto* const asked = static_cast<fuse_req_t>(request);
  const std::uint64_t size = file.size();
  const std::uint64_t there = offset < size ? size - offset : 0;
  const std::size_t count = std::min({length, there, std::uint64_t{kRequestBytesMax}});
  const MutableBytes into(reading_.data(), count);
  const auto done = count == 0 ? Result<void>() : service_.read(file.begin + offset, into);
  if (!done) {
    fuse_reply_err(asked, errno_of(done.error()));
    return;
  }
  fuse_reply_buf(asked, reinterpret_cast<const char*>(into.data()), count);
}

// A change of a part of a file.
void FuseFile::take_in(void* request, std::uint64_t inode, FileChange change) {
  const Range file = range_of(inode);
  if (change.offset > file.size() || change.length > file.size() - change.offset) {
    fuse_reply_err(static_cast<fuse_req_t>(request), EFBIG);
    return;
  }
  change.offset += file.begin;
  take(request, change);
}

void FuseFile::take(void* request, const FileChange& change) {
  Waiting waiting{request, change, Nanoseconds{0}, kNoBuffer};
  if (change.kind == FileChange::Kind::kWrite) waiting.buffer = std::exchange(current_, kNoBuffer);
  service_.begin(waiting.change);
  if (change.kind != FileChange::Kind::kWrite || options_.write_delay == Nanoseconds{0}) {
    waiting_.push_back(waiting);
    return;
  }
  waiting.due = clock_.now() + options_.write_delay;
  held_.push_back(waiting);
}

void FuseFile::finish(const Waiting& waiting) {
  auto* const request = static_cast<fuse_req_t>(waiting.request);
  const auto done = service_.finish(waiting.change);
  if (waiting.buffer != kNoBuffer) free_.push_back(waiting.buffer);
  if (!done) {
    fuse_reply_err(request, errno_of(done.error()));
  } else if (waiting.change.kind == FileChange::Kind::kWrite) {
    fuse_reply_write(request, waiting.change.length);
  } else {
    fuse_reply_err(request, 0);
  }
}

void FuseFile::finish_due(Nanoseconds now) {
  for (; !waiting_.empty(); waiting_.pop_front()) finish(waiting_.front());
  for (; !held_.empty() && held_.front().due <= now; held_.pop_front()) finish(held_.front());
}

// Takes one request; whether there was one.
Result<bool> FuseFile::receive() {
  current_ = free_.back();
  std::uint8_t* const bytes = buffers_[current_].get();
  const ssize_t count = ::read(fuse_session_fd(session_), bytes, kBufferBytes);
  if (count < 0) {
    switch (errno) {
      case EAGAIN: return false;
      case EINTR:
      case ENOENT: return true;  // the request was taken back
      case ENODEV: has_ended_ = true; return false;
      default: return os_failure("cannot read a request of FUSE", "", errno);
    }
  }
  free_.pop_back();
  fuse_buf received{};
  received.size = static_cast<std::size_t>(count);
  received.mem = bytes;
  fuse_session_process_buf(session_, &received);
  if (current_ != kNoBuffer) free_.push_back(current_);
  if (fuse_session_exited(session_) != 0) {
    return fail(Errc::kIo, "libfuse ended the session: it does not understand this kernel");
  }
  return true;
}

Result<void> FuseFile::receive_all() {
  for (int i = 0; i < kReceivedMost && has_room() && !has_ended_; ++i) {
    if (!TRY(receive())) return {};
  }
  return {};
}

void FuseFile::wait(int stop) {
  struct pollfd watched[] = {
      {.fd = stop, .events = POLLIN, .revents = 0},
      {.fd = fuse_session_fd(session_), .events = POLLIN, .revents = 0},
  };
  if (!has_room()) watched[1].fd = -1;
  timespec limit{};
  const timespec* until = nullptr;
  if (!held_.empty()) {
    const Nanoseconds left = std::max(held_.front().due - clock_.now(), Nanoseconds{0});
    limit.tv_sec = static_cast<time_t>(left.count() / 1'000'000'000);
    limit.tv_nsec = static_cast<long>(left.count() % 1'000'000'000);
    until = &limit;
  }
  if (::ppoll(watched, 2, until, nullptr) > 0 && watched[0].revents != 0) is_stopped_ = true;
}

Result<void> FuseFile::serve(int stop) {
  while (!has_ended_ && !is_stopped_) {
    TRY(receive_all());
    finish_due(clock_.now());
    if (!has_ended_) wait(stop);
  }
  finish_due(Nanoseconds::max());
  return {};
}

}  // namespace powercut
