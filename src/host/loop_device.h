// A block device of the kernel's on top of a file.
//
// It is made to go away by itself (autoclear): when the last descriptor and the last mount of it
// are closed, however that comes.
#pragma once

#include <string>

#include "base/clock.h"
#include "host/file.h"

namespace powercut {

class LoopDevice {
 public:
  struct Options {
    std::uint32_t block_bytes = 512;  // the smallest unit it takes: 512 to 4096
    std::string name = "powercut";    // what `losetup` says of it; at most 63 bytes
    // A part of the file, in bytes; length 0: to its end.
    std::uint64_t offset = 0, length = 0;
    bool is_direct = true;
  };
  // `backing` is open for reading and writing.  With direct I/O no second cache lies between, and
  // a page is read when it is sent. Errors: kNotFound: no loop devices here; kLimit: none is free;
  // kUnsupported: no direct I/O, or a kernel before 5.8; kIo.
  static Result<LoopDevice> attach(int backing, const Options& options);
  static Result<LoopDevice> attach(const Fd& backing, const Options& options) {
    return attach(backing.get(), options);
  }

  const std::string& path() const { return path_; }  // /dev/loop3
  std::string number() const;                        // 7:3
  // Whether nobody has it mounted any more, waiting at most `limit` for it.
  bool comes_free(const Clock& clock, Nanoseconds limit) const;
  // Lets go of it; it goes away when nobody else has it open.
  void release() { fd_.reset(); }

 private:
  LoopDevice(std::string path, Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  std::string path_;
  Fd fd_;
};

}  // namespace powercut
