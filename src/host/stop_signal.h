// The wish of others that this process ends, as a descriptor that can be waited for.
#pragma once

#include "host/file.h"

namespace powercut {

class StopSignal {
 public:
  // From here on SIGTERM, SIGINT and SIGHUP end nothing by themselves.  Before the first thread is
  // made, since threads inherit it; children that Process starts do not.  Errors: kIo.
  static Result<StopSignal> take();
  // Readable once one of them has come; and stays so.
  int fd() const { return fd_.get(); }
  bool has_come() const;

 private:
  explicit StopSignal(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace powercut
