#include "lab/sources/guest/command_runner.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/reap.h"
#include "lab/sources/guest/guest_job.h"
#include "lab/sources/guest/mark_client.h"

namespace powercut::lab {
namespace {

constexpr int kLookMilliseconds = 20;  // between looks at the clock and at ended children
constexpr auto kStuckLimit = std::chrono::seconds(10);  // for SIGKILL to work
constexpr auto kDrainLimit = std::chrono::seconds(1);   // for output after the end

constexpr const char* kEnvironment[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
    "TMPDIR=/tmp", "LANG=C", "TERM=dumb"};

// Cuts a stream of bytes into lines for the Voice.
class Relay {
 public:
  explicit Relay(const Voice& voice) : voice_(voice) {}
  void feed(std::string_view bytes) {
    for (const char letter : bytes) {
      if (letter != '\n') line_ += letter;
      if (letter == '\n' || line_.size() >= Voice::kLineBytesMax) flush();
    }
  }
  void flush() {
    if (relayed_bytes_ <= kRelayBytesMax) {
      relayed_bytes_ += line_.size() + 1;
      voice_.relay(relayed_bytes_ <= kRelayBytesMax ? line_ : "(further output is dropped)");
    }
    line_.clear();
  }
  void finish() {
    if (!line_.empty()) flush();
  }

 private:
  const Voice& voice_;
  std::string line_;
  std::size_t relayed_bytes_ = 0;
};

[[noreturn]] void become(const std::vector<std::string>& command, int output) {
  ::setpgid(0, 0);
  const int null = ::open("/dev/null", O_RDONLY);
  if (null >= 0) ::dup2(null, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  std::vector<char*> environment;
  for (const char* const line : kEnvironment) environment.push_back(const_cast<char*>(line));
  std::string marks = std::string(kMarksVariable) + "=" + kGuestMarks;
  if (::access(kGuestMarks, F_OK) == 0) environment.push_back(marks.data());
  environment.push_back(nullptr);
  if (::chdir(kWorkDirectory) == 0) {
    ::execvpe(arguments.front(), arguments.data(), environment.data());
  }
  const std::string text = "cannot run " + command.front() + ": " + std::strerror(errno) + "\n";
  const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
  static_cast<void>(written);  // the exit status says it too
  ::_exit(127);
}

// Waits a moment for output and relays it; false at the output's end.
bool relay_some(int output, Relay& relay) {
  pollfd waited{.fd = output, .events = POLLIN, .revents = 0};
  if (::poll(&waited, 1, kLookMilliseconds) <= 0) return true;
  char buffer[4096];
  const ssize_t count = ::read(output, buffer, sizeof buffer);
  if (count > 0) relay.feed({buffer, static_cast<std::size_t>(count)});
  return count > 0 || (count < 0 && errno == EINTR);
}

// The states of a command that is watched: running, told to end (SIGTERM), killed (SIGKILL).
class Watch {
 public:
  Watch(pid_t group, const CommandLimits& limits)
      : group_(group), next_(limits.deadline), grace_(limits.grace) {}
  // Sends what is due; false when even SIGKILL has not helped in time.
  bool look(Nanoseconds now) {
    if (now < next_) return true;
    if (step_ == 2) return false;
    ::kill(-group_, step_ == 0 ? SIGTERM : SIGKILL);
    next_ = now + (step_ == 0 ? grace_ : Nanoseconds(kStuckLimit));
    ++step_;
    return true;
  }
  bool has_acted() const { return step_ > 0; }

 private:
  pid_t group_;
  Nanoseconds next_;
  Nanoseconds grace_;
  int step_ = 0;
};

CommandEnd watch_command(pid_t child, int output, const CommandLimits& limits, const Clock& clock,
                         Relay& relay) {
  Watch watch(child, limits);
  bool has_output = true;
  std::optional<int> code;
  while (!code) {
    if (has_output) {
      has_output = relay_some(output, relay);
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(kLookMilliseconds));
    }
    code = reap_ended(child);
    if (!code && !watch.look(clock.now())) code = 128 + SIGKILL;
  }
  ::kill(-child, SIGKILL);
  const Nanoseconds drain_end = clock.now() + kDrainLimit;
  while (has_output && clock.now() < drain_end) has_output = relay_some(output, relay);
  relay.finish();
  return {.code = *code, .was_stopped = watch.has_acted()};
}

}  // namespace

CommandEnd run_guest_command(const std::vector<std::string>& command, const CommandLimits& limits,
                             const Clock& clock, const Voice& voice) {
  Relay relay(voice);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    voice.relay(std::string("no pipe: ") + std::strerror(errno));
    return {.code = 127, .was_stopped = false};
  }
  const pid_t child = ::fork();
  if (child == 0) become(command, ends[1]);
  ::close(ends[1]);
  CommandEnd end{.code = 127, .was_stopped = false};
  if (child < 0) {
    voice.relay(std::string("no process: ") + std::strerror(errno));
  } else {
    ::setpgid(child, child);  // here too, so that the first signal finds the group
    end = watch_command(child, ends[0], limits, clock, relay);
  }
  ::close(ends[0]);
  return end;
}

void end_all_processes(const Clock& clock) {
  const Nanoseconds end = clock.now() + std::chrono::seconds(2);
  for (;;) {
    ::kill(-1, SIGKILL);
    reap_ended(-1);
    // Orphans become children of process 1, so without children there is no other process.
    const bool is_alone = ::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD;
    if (is_alone || clock.now() >= end) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(kLookMilliseconds));
  }
}

}  // namespace powercut::lab
