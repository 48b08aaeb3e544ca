// Serves a file to the kernel through FUSE: a disk image that a loop device stands on.  Where the
// image is of two devices it is shown as two files, so that the kernel's requests to one are never
// in the way of those to the other, and a sync says whose it is.
//
// Words
//   change    a request that changes the file or makes it durable: write, zero, punch, sync
//   begins    the moment a change has come in
//   finished  the moment it has been done; it is answered right after
//
// Invariants
//   1. All requests that wait in the kernel begin before the first of them is finished: the kernel
//      sent them without waiting for each other, so they overlap in time, and the service sees it.
//   2. Changes are finished in the order in which they came, but for writes that are held back
//      (`write_delay`): what is not held passes them.  A read is answered at once, with the content
//      that finished changes have left.
//   3. Memory is bounded and taken up front: kBufferCount requests; beyond that, the kernel waits.
//
// States: serving -> ended, when the kernel lets go of the file system or `stop` is readable.
// Threads: one, which calls serve(); the service is called by it alone.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "host/file.h"

struct fuse_session;

namespace powercut {

struct FileChange {
  enum class Kind : std::uint8_t { kWrite, kZero, kPunch, kSync };
  Kind kind = Kind::kWrite;
  // Bytes of the image.  Of kSync: of the file, where there are two; else 0 and 0.
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  Bytes data;                  // kWrite; lives until the change is finished
  std::uint64_t sequence = 0;  // the service's own
};

// Whom the requests are handed to.  What it answers with an error the kernel gets as one.
class FileService {
 public:
  virtual ~FileService() = default;
  virtual std::uint64_t size_bytes() const = 0;
  virtual Result<void> read(std::uint64_t offset, MutableBytes into) = 0;
  virtual void begin(FileChange& change) = 0;
  virtual Result<void> finish(const FileChange& change) = 0;
};

class FuseFile {
 public:
  static constexpr const char* kName = "disk";          // of the file, in the root folder
  static constexpr const char* kSecondName = "second";  // of the second one, if there is one
  static constexpr std::size_t kRequestBytesMax = std::size_t{1} << 20;
  static constexpr std::size_t kBufferCount = 80;  // more than the kernel has under way at once

  struct Options {
    Nanoseconds write_delay{0};   // from a write's begin to its finish
    std::uint64_t second_at = 0;  // where the second file begins in the image; 0: there is none
  };

  // `device` is that of a FuseMount; service and clock must outlive the file.  Errors: kIo.
  static Result<std::unique_ptr<FuseFile>> open(Fd device, FileService& service, const Clock& clock,
                                                const Options& options);
  ~FuseFile();
  FuseFile(const FuseFile&) = delete;
  FuseFile& operator=(const FuseFile&) = delete;

  // Until the end.  What had begun is finished then, also when it was held back.
  // Errors: kIo: the kernel and libfuse do not understand each other.
  Result<void> serve(int stop);

 private:
  struct Calls;  // what libfuse calls
  struct Waiting {
    void* request = nullptr;  // fuse_req_t
    FileChange change;
    Nanoseconds due{0};
    std::size_t buffer = kNoBuffer;
  };
  static constexpr std::size_t kNoBuffer = ~std::size_t{0};
  static constexpr std::size_t kBufferBytes = kRequestBytesMax + 4096;  // with the header

  FuseFile(FileService& service, const Clock& clock, const Options& options);
  Result<bool> receive();
  Result<void> receive_all();
  struct Range {
    std::uint64_t begin = 0, end = 0;  // in the image
    std::uint64_t size() const { return end - begin; }
  };
  Range range_of(std::uint64_t inode) const;
  void take(void* request, const FileChange& change);
  void take_in(void* request, std::uint64_t inode, FileChange change);
  void answer_read(void* request, const Range& file, std::uint64_t offset, std::uint64_t length);
  void finish(const Waiting& waiting);
  void finish_due(Nanoseconds now);
  bool has_room() const { return !free_.empty() && waiting_.size() < kBufferCount; }
  void wait(int stop);

  FileService& service_;
  const Clock& clock_;
  const Options options_;
  fuse_session* session_ = nullptr;
  std::vector<std::unique_ptr<std::uint8_t[]>> buffers_;
  std::vector<std::size_t> free_;
  std::size_t current_ = kNoBuffer;  // the buffer of the request being taken, if nobody keeps it
  std::vector<std::uint8_t> reading_;
  std::deque<Waiting> waiting_;
  std::deque<Waiting> held_;  // writes, in the order in which they are due
  bool has_ended_ = false;
  bool is_stopped_ = false;
};

}  // namespace powercut
