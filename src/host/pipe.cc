#include "host/pipe.h"

#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace powercut {

Result<PipeEnds> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return os_failure("cannot make a pipe", "", errno);
  return PipeEnds{Fd(ends[0]), Fd(ends[1])};
}

Result<void> write_pipe(const Fd& pipe, std::string_view text) {
  // A signal for this thread only, and taken back: the process's own disposition is not ours to
  // set.
  sigset_t pipe_signal, before;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  Result<void> result;
  while (!text.empty() && result) {
    const ssize_t count = ::write(pipe.get(), text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EPIPE) {
      const timespec no_wait{};
      sigtimedwait(&pipe_signal, nullptr, &no_wait);
      result = fail(Errc::kAborted, "nobody reads the pipe any more");
    } else if (errno != EINTR) {
      result = os_failure("cannot write to a pipe", "", errno);
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return result;
}

std::optional<std::string> LineReader::take_line() {
  const std::size_t end = buffer_.find('\n');
  if (end == std::string::npos) {
    if (buffer_.size() <= kLineMax && !(has_ended_ && !buffer_.empty())) return std::nullopt;
    std::string line = buffer_.substr(0, kLineMax);
    const bool was_skipping = is_skipping_;
    is_skipping_ = !has_ended_;
    buffer_.clear();
    if (was_skipping) return std::nullopt;
    return line;
  }
  std::string line = buffer_.substr(0, std::min(end, kLineMax));
  buffer_.erase(0, end + 1);
  if (std::exchange(is_skipping_, false)) return take_line();
  return line;
}

Result<std::optional<std::string>> LineReader::next(Nanoseconds limit) {
  if (auto line = take_line()) return line;
  if (has_ended_) return std::optional<std::string>{};
  pollfd wait{pipe_.get(), POLLIN, 0};
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
  const int ready = ::poll(&wait, 1, static_cast<int>(milliseconds));
  if (ready < 0 && errno != EINTR) return os_failure("cannot wait for a pipe", "", errno);
  if (ready <= 0) return std::optional<std::string>{};
  std::array<char, 65536> piece;
  const ssize_t count = ::read(pipe_.get(), piece.data(), piece.size());
  if (count < 0 && errno != EINTR) return os_failure("cannot read a pipe", "", errno);
  if (count == 0) has_ended_ = true;
  if (count > 0) buffer_.append(piece.data(), static_cast<std::size_t>(count));
  return take_line();
}

}  // namespace powercut
