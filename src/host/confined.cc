#include "host/confined.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "host/file.h"
#include "host/mounts.h"
#include "host/process.h"
#include "host/reap.h"

namespace powercut {
namespace {

constexpr int kCannotRun = 126;
constexpr int kNoProgram = 127;
constexpr long kLookEveryNanoseconds = 200'000'000;

void say(const std::string& text) {
  const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
  static_cast<void>(written);  // the status says it too
}

sigset_t watched_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGCHLD, SIGTERM}) ::sigaddset(&signals, signal);
  return signals;
}

Result<void> prepare_namespace() {
  if (::getpid() != 1) return fail(Errc::kInvalid, "confined: not the first of its namespace");
  TRY(enter_own_mounts());
  return mount_file_system({.source = "proc",
                            .place = "/proc",
                            .type = "proc",
                            .flags = MS_NOSUID | MS_NODEV | MS_NOEXEC,
                            .options = {}});
}

[[noreturn]] void become(const std::string& program, std::vector<char*>& arguments,
                         const std::string& directory) {
  ::setsid();  // a group of its own: what is sent to ours, we pass on
  const sigset_t signals = watched_signals();
  ::sigprocmask(SIG_UNBLOCK, &signals, nullptr);
  if (::chdir(directory.c_str()) == 0) ::execv(program.c_str(), arguments.data());
  say("cannot run " + program + ": " + std::strerror(errno) + "\n");
  ::_exit(kCannotRun);
}

bool has_reader(int pipe) {
  struct pollfd looked {
    .fd = pipe, .events = 0, .revents = 0
  };
  return ::poll(&looked, 1, 0) <= 0 || (looked.revents & POLLERR) == 0;
}

int watch(pid_t child) {
  const sigset_t signals = watched_signals();
  for (;;) {
    if (const auto code = reap_ended(child)) return *code;
    if (!has_reader(STDOUT_FILENO)) return 128 + SIGKILL;
    const timespec limit{.tv_sec = 0, .tv_nsec = kLookEveryNanoseconds};
    if (::sigtimedwait(&signals, nullptr, &limit) != SIGTERM) continue;
    ::kill(-1, SIGTERM);
    ::kill(-1, SIGCONT);  // a stopped process could not hear it
  }
}

}  // namespace

Result<void> enter_new_processes() {
  if (::unshare(CLONE_NEWPID) == 0) return {};
  return os_failure("cannot have processes of our own", "", errno);
}

int run_as_first(const std::vector<std::string>& command, const std::string& directory) {
  const sigset_t signals = watched_signals();
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  const auto prepared = prepare_namespace();
  if (!prepared) {
    say(error_words(prepared.error()) + "\n");
    return kCannotRun;
  }
  const auto program = find_program(command.front());
  if (!program) {
    say(error_words(program.error()) + "\n");
    return kNoProgram;
  }
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) become(*program, arguments, directory);
  if (child < 0) {
    say("no process: " + std::string(std::strerror(errno)) + "\n");
    return kCannotRun;
  }
  return watch(child);
}

}  // namespace powercut
