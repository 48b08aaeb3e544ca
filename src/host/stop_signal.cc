#include "host/stop_signal.h"

#include <cerrno>
#include <csignal>

#include <poll.h>
#include <sys/signalfd.h>

namespace powercut {

Result<StopSignal> StopSignal::take() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, signal);
  if (::pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0) {
    return fail(Errc::kIo, "cannot block signals");
  }
  Fd fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.is_open()) return os_failure("cannot wait for signals", "", errno);
  return StopSignal(std::move(fd));
}

// The signal is not taken out, so it stays to be seen.
bool StopSignal::has_come() const {
  struct pollfd waited {
    .fd = fd_.get(), .events = POLLIN, .revents = 0
  };
  return ::poll(&waited, 1, 0) > 0;
}

}  // namespace powercut
