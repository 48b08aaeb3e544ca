#include "host/reap.h"

#include <sys/wait.h>

namespace powercut {
namespace {

int code_of(int status) {
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  return 128 + (WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

}  // namespace

std::optional<int> reap_ended(pid_t wanted) {
  std::optional<int> found;
  int status = 0;
  for (pid_t ended = ::waitpid(-1, &status, WNOHANG); ended > 0;
       ended = ::waitpid(-1, &status, WNOHANG)) {
    if (ended == wanted) found = code_of(status);
  }
  return found;
}

}  // namespace powercut
