#include "host/disk_process.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "host/file.h"

// Of Linux 5.6; the headers may be older.
#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

namespace powercut {
namespace {

void add(std::string& words, const char* what) {
  words += (words.empty() ? "" : "; ") + std::string(what) + ": " + std::strerror(errno);
}

}  // namespace

std::string become_disk_process(const char* name) {
  std::string refused;
  ::prctl(PR_SET_NAME, name);
  if (::prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) != 0) add(refused, "PR_SET_IO_FLUSHER");
  if (::mlockall(MCL_CURRENT | MCL_FUTURE) != 0) add(refused, "mlockall");
  const Fd adjust(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  constexpr char kLast[] = "-1000";
  if (!adjust.is_open() || ::write(adjust.get(), kLast, sizeof kLast - 1) < 0) {
    add(refused, "oom_score_adj");
  }
  return refused;
}

}  // namespace powercut
