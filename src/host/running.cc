#include "host/running.h"

#include <sys/utsname.h>

namespace powercut {

std::string kernel_release() {
  struct utsname names {};
  return ::uname(&names) == 0 ? names.release : "unknown";
}

std::filesystem::path own_program() {
  return "/proc/self/exe";
}

}  // namespace powercut
