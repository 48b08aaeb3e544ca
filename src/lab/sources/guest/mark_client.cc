#include "lab/sources/guest/mark_client.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lab/promise/promise.h"
#include "lab/sources/guest/load_words.h"

namespace powercut::lab {
namespace {

constexpr auto kBusyPause = std::chrono::milliseconds(1);  // while another process has the device
constexpr std::size_t kReplyBytesMax = 1024;

int milliseconds_until(Nanoseconds deadline, const Clock& clock) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock.now()).count();
  return static_cast<int>(std::max<std::int64_t>(left, 0));
}

}  // namespace

Result<MarkClient> MarkClient::open(const std::string& path, const Clock& clock) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return load_failure("marks", path, errno);
  if (!S_ISSOCK(status.st_mode) && !S_ISCHR(status.st_mode)) {
    return fail_with(Errc::kInvalid, "marks: neither a socket nor a device", path);
  }
  MarkClient client(path, S_ISCHR(status.st_mode), clock);
  if (!client.is_device_) TRY(client.connect_socket());
  return client;
}

MarkClient::MarkClient(MarkClient&& other) noexcept
    : path_(other.path_),
      is_device_(other.is_device_),
      clock_(other.clock_),
      fd_(std::exchange(other.fd_, -1)) {}

MarkClient::~MarkClient() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> MarkClient::connect_socket() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) {
    return fail_with(Errc::kInvalid, "marks: the path of a socket is too long", path_);
  }
  std::memcpy(address.sun_path, path_.data(), path_.size());
  fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return load_failure("marks: socket", path_, errno);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return load_failure("marks: connect", path_, errno);
  }
  return {};
}

Result<void> MarkClient::open_device(Nanoseconds deadline) {
  for (;;) {
    fd_ = ::open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd_ >= 0) break;
    if (errno != EBUSY && errno != EINTR) return load_failure("marks: open", path_, errno);
    if (clock_->now() >= deadline) return fail_with(Errc::kTimeout, "marks: in use", path_);
    std::this_thread::sleep_for(kBusyPause);
  }
  // An answer that its asker did not wait for.
  char old[256];
  while (::read(fd_, old, sizeof old) > 0) {
  }
  return {};
}

void MarkClient::close_device() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<void> MarkClient::say(std::string_view text) {
  if (text.empty() || text.size() > kPromiseBytesMax || text.find('\n') != text.npos) {
    return fail(Errc::kInvalid, "mark: one line of 1 to 4096 bytes", text.size());
  }
  const Lock lock(mutex_);
  const Nanoseconds deadline = clock_->now() + kMarkLimit;
  if (is_device_) TRY(open_device(deadline));
  const auto said = exchange(std::string(text) + "\n", deadline);
  if (is_device_) close_device();
  return said;
}

Result<void> MarkClient::exchange(std::string_view line, Nanoseconds deadline) const {
  while (!line.empty()) {
    pollfd waited{.fd = fd_, .events = POLLOUT, .revents = 0};
    if (::poll(&waited, 1, milliseconds_until(deadline, *clock_)) == 0) {
      return fail_with(Errc::kTimeout, "mark: not taken in time", path_);
    }
    const ssize_t count = is_device_
                              ? ::write(fd_, line.data(), line.size())
                              : ::send(fd_, line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno != EAGAIN && errno != EINTR) {
      return load_failure("mark: write", path_, errno);
    }
    line.remove_prefix(count > 0 ? static_cast<std::size_t>(count) : 0);
  }
  const std::string reply = TRY(read_line(deadline));
  if (reply == "ok") return {};
  return fail_with(Errc::kAborted, "mark: the disk does not take it", reply);
}

Result<std::string> MarkClient::read_line(Nanoseconds deadline) const {
  std::string line;
  while (line.size() < kReplyBytesMax) {
    pollfd waited{.fd = fd_, .events = POLLIN, .revents = 0};
    if (::poll(&waited, 1, milliseconds_until(deadline, *clock_)) == 0) {
      return fail_with(Errc::kTimeout, "mark: no answer in time", path_);
    }
    char letter = 0;
    const ssize_t count = ::read(fd_, &letter, 1);
    if (count == 1 && letter == '\n') return line;
    if (count == 1) line += letter;
    if (count == 0) return fail_with(Errc::kIo, "mark: the disk is gone", path_);
    if (count < 0 && errno != EAGAIN && errno != EINTR) {
      return load_failure("mark: read", path_, errno);
    }
  }
  return fail(Errc::kIo, "mark: an answer without an end");
}

int mark_main(const std::string& marks, const std::vector<std::string>& words) {
  const auto complain = [](const std::string& line) {
    const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
    static_cast<void>(written);  // the exit status says it too
  };
  if (words.empty()) {
    complain("usage: mark TEXT...\n");
    return 2;
  }
  if (marks.empty()) {
    complain("mark: POWERCUT_MARKS is not set: this is no load of a recorded disk\n");
    return 3;
  }
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  const SteadyClock clock;
  auto client = MarkClient::open(marks, clock);
  const Result<void> said = client ? client->say(text) : Failure{client.error()};
  if (said) return 0;
  complain(error_words(said.error()) + "\n");
  return said.error().code == Errc::kInvalid ? 2 : 3;
}

}  // namespace powercut::lab
