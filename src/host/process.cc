#include "host/process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/machine.h"
#include "host/pipe.h"

namespace powercut {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kReadMax = std::size_t{64} << 10;  // bytes of one read_output()
constexpr Nanoseconds kStartLimit = seconds(30);         // from fork to exec
constexpr Nanoseconds kKilledLimit = seconds(10);        // from SIGKILL to the end
constexpr Nanoseconds kLookEvery = milliseconds(100);    // how often run_command looks around
constexpr Nanoseconds kLookWithoutPidfd = milliseconds(10);
constexpr int kFallbackFdMax = 65536;
// What a pipe of 64 KiB can still hold after its writer's end, in reads that may be short.
constexpr int kDrainReadsMax = 32;

Nanoseconds now() {
  return SteadyClock().now();
}

// What is left until `end`, never negative.
Nanoseconds left_until(Nanoseconds end) {
  return std::max(end - now(), Nanoseconds{0});
}

// The end of a wait of `limit` from now; a limit beyond a year counts as a year.
Nanoseconds end_after(Nanoseconds limit) {
  return now() + std::clamp(limit, Nanoseconds{0}, Nanoseconds{std::chrono::hours(24 * 365)});
}

// Waits for input or hang-up on `fd`, at most `limit`, rounded up to milliseconds.  A signal may
// end it early.
bool poll_once(int fd, Nanoseconds limit) {
  const auto wait = std::chrono::ceil<milliseconds>(
      std::clamp(limit, Nanoseconds{0}, Nanoseconds{seconds(3600)}));
  struct pollfd waited {
    .fd = fd, .events = POLLIN, .revents = 0
  };
  return ::poll(&waited, 1, static_cast<int>(wait.count())) > 0;
}

// `fd`, or a copy of it, numbered 3 or higher whatever of 0-2 is open here.
Result<Fd> above_standard(Fd fd) {
  if (fd.get() > STDERR_FILENO) return fd;
  Fd higher(::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!higher.is_open()) return os_failure("cannot copy a file descriptor", "", errno);
  return higher;
}

Result<PipeEnds> make_child_pipe() {
  PipeEnds ends = TRY(make_pipe());
  ends.read = TRY(above_standard(std::move(ends.read)));
  ends.write = TRY(above_standard(std::move(ends.write)));
  return ends;
}

// What the child tells about a start that failed; shorter than PIPE_BUF, so it comes whole.
struct StartFailure {
  enum class Step : int { kDirectory, kInherit, kExec };
  Step step = Step::kExec;
  int os_error = 0;
};

// All that the child needs, made before the fork: between fork and exec nothing allocates.
struct Plan {
  std::string program;
  std::vector<std::string> environment;
  std::vector<char*> argument_pointers;
  std::vector<char*> environment_pointers;
  const ProcessOptions* options = nullptr;
  Fd null;
  PipeEnds output;   // open if the output is captured
  PipeEnds failure;  // carries a StartFailure, or ends at exec
  pid_t parent = 0;
};

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& added) {
  std::vector<std::string> merged;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (!added.contains(std::string(text.substr(0, text.find('='))))) merged.emplace_back(text);
  }
  for (const auto& [name, value] : added) merged.push_back(name + "=" + value);
  return merged;
}

Result<void> check_inherited(const std::vector<int>& fds) {
  for (const int fd : fds) {
    if (fd <= STDERR_FILENO || ::fcntl(fd, F_GETFD) < 0) {
      return fail_with(Errc::kInvalid, "a file descriptor to inherit is not open, or below 3",
                       std::to_string(fd));
    }
  }
  return {};
}

Result<Plan> make_plan(const ProcessOptions& options) {
  if (options.arguments.empty() || options.arguments[0].empty()) {
    return fail(Errc::kInvalid, "a program to start has no name");
  }
  TRY(check_inherited(options.inherited_fds));
  Plan plan;
  plan.options = &options;
  plan.program =
      TRY(find_program(options.program.empty() ? options.arguments[0] : options.program));
  plan.environment = merged_environment(options.environment);
  for (const std::string& argument : options.arguments) {
    plan.argument_pointers.push_back(const_cast<char*>(argument.c_str()));
  }
  plan.argument_pointers.push_back(nullptr);
  for (std::string& entry : plan.environment) plan.environment_pointers.push_back(entry.data());
  plan.environment_pointers.push_back(nullptr);
  Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null.is_open()) return os_failure("cannot open a file", "/dev/null", errno);
  plan.null = TRY(above_standard(std::move(null)));
  if (options.capture_output) plan.output = TRY(make_child_pipe());
  plan.failure = TRY(make_child_pipe());
  plan.parent = ::getpid();
  return plan;
}

// From here to exec only async-signal-safe calls: the memory is that of a program with threads, and
// nothing in it may change but our own stack.

[[noreturn]] void child_fails(const Plan& plan, StartFailure::Step step, int os_error) {
  const StartFailure failure{step, os_error};
  const auto ignored = ::write(plan.failure.write.get(), &failure, sizeof failure);
  static_cast<void>(ignored);
  ::_exit(127);
}

// All descriptors but 0-2 end at exec.
void child_closes_all() {
  if (::close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC) == 0) return;
  for (int fd = STDERR_FILENO + 1; fd < kFallbackFdMax; ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

// Signals were blocked before the fork, so no handler of ours has run here.
void child_resets_signals() {
  struct sigaction default_action {};
  default_action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &default_action, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void run_child(const Plan& plan) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // It ended before the line above.  (0: the first process of a PID namespace sees no parent.)
  const pid_t parent = ::getppid();
  if (parent != plan.parent && parent != 0) ::_exit(127);
  child_resets_signals();
  const int output = plan.output.write.is_open() ? plan.output.write.get() : plan.null.get();
  if (::dup2(plan.null.get(), STDIN_FILENO) < 0 || ::dup2(output, STDOUT_FILENO) < 0 ||
      ::dup2(output, STDERR_FILENO) < 0) {
    child_fails(plan, StartFailure::Step::kInherit, errno);
  }
  child_closes_all();
  for (const int fd : plan.options->inherited_fds) {
    if (::fcntl(fd, F_SETFD, 0) < 0) child_fails(plan, StartFailure::Step::kInherit, errno);
  }
  const std::string& directory = plan.options->directory;
  if (!directory.empty() && ::chdir(directory.c_str()) != 0) {
    child_fails(plan, StartFailure::Step::kDirectory, errno);
  }
  ::execve(plan.program.c_str(), plan.argument_pointers.data(), plan.environment_pointers.data());
  child_fails(plan, StartFailure::Step::kExec, errno);
}

// A parent that ignores SIGCHLD has its children reaped by the kernel, and their status lost.
void keep_child_status() {
  struct sigaction action {};
  if (::sigaction(SIGCHLD, nullptr, &action) != 0 || action.sa_handler != SIG_IGN) return;
  action.sa_handler = SIG_DFL;
  ::sigaction(SIGCHLD, &action, nullptr);
}

Result<pid_t> fork_child(const Plan& plan) {
  keep_child_status();
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  // Not fork(): to copy the page tables of a large recording, and to drop them at exec, takes tens
  // of milliseconds.  This thread stands still until exec; run_child() does not return.
  const pid_t pid = ::vfork();
  const int os_error = errno;
  if (pid == 0) run_child(plan);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return os_failure("cannot start one more process", plan.program, os_error);
  return pid;
}

// Waits until the child runs its program.
Result<void> await_exec(const Plan& plan) {
  const int fd = plan.failure.read.get();
  const Nanoseconds end = end_after(kStartLimit);
  while (!poll_once(fd, left_until(end))) {
    if (left_until(end) == Nanoseconds{0}) {
      return fail_with(Errc::kTimeout, "a program does not start", plan.program);
    }
  }
  StartFailure failure;
  ssize_t count = 0;
  do {
    count = ::read(fd, &failure, sizeof failure);
  } while (count < 0 && errno == EINTR);
  if (count == 0) return {};
  if (count != static_cast<ssize_t>(sizeof failure)) {
    return fail_with(Errc::kIo, "cannot see whether a program starts", plan.program);
  }
  switch (failure.step) {
    case StartFailure::Step::kDirectory:
      return os_failure("cannot enter a program's working folder", plan.options->directory,
                        failure.os_error);
    case StartFailure::Step::kInherit:
      return os_failure("cannot pass file descriptors to a program", plan.program,
                        failure.os_error);
    case StartFailure::Step::kExec: break;
  }
  return os_failure("cannot run a program", plan.program, failure.os_error);
}

ExitStatus status_from(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return {.code = info.si_status, .signal = 0};
  return {.code = 128 + info.si_status, .signal = info.si_status};
}

bool is_program(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         ::access(path.c_str(), X_OK) == 0;
}

// Appends what fits; says whether all of it did.
bool append_bounded(std::string& to, std::string_view from, std::size_t bytes_max) {
  const std::size_t room = bytes_max - std::min(bytes_max, to.size());
  to.append(from.substr(0, room));
  return from.size() <= room;
}

}  // namespace

Result<std::string> find_program(std::string_view program) {
  const std::string name(program);
  if (name.find('/') != std::string::npos) {
    std::error_code error;
    const std::string path = std::filesystem::absolute(name, error).native();
    if (!error && is_program(path)) return path;
    return fail_with(Errc::kNotFound, "no such program", name);
  }
  const char* chosen = std::getenv("PATH");
  std::string folders = chosen != nullptr ? chosen : "/usr/local/bin:/usr/bin:/bin";
  folders += ":/usr/sbin:/sbin";
  for (std::size_t first = 0; first < folders.size();) {
    const std::size_t end = std::min(folders.find(':', first), folders.size());
    const std::string path = folders.substr(first, end - first) + "/" + name;
    // Only absolute folders: where we happen to stand must not choose the program.
    if (path[0] == '/' && end > first && is_program(path)) return path;
    first = end + 1;
  }
  return fail_with(Errc::kNotFound, "no such program in PATH, /usr/sbin or /sbin: install it",
                   name);
}

Result<Process> Process::start(const ProcessOptions& options) {
  Plan plan = TRY(make_plan(options));
  Process process;
  process.pid_ = TRY(fork_child(plan));
  plan.failure.write.reset();
  plan.output.write.reset();
  process.pidfd_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid_, 0)));
  TRY(await_exec(plan));  // on an error the destructor kills and reaps
  process.output_ = std::move(plan.output.read);
  process.output_ended_ = !process.output_.is_open();
  if (process.output_.is_open() && ::fcntl(process.output_.get(), F_SETFL, O_NONBLOCK) != 0) {
    return os_failure("cannot read a program's output", plan.program, errno);
  }
  return process;
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      output_(std::move(other.output_)),
      output_ended_(std::exchange(other.output_ended_, true)),
      status_(std::exchange(other.status_, std::nullopt)),
      is_reaped_(std::exchange(other.is_reaped_, true)) {}

Process& Process::operator=(Process&& other) noexcept {
  if (this == &other) return *this;
  kill_and_reap();
  pid_ = std::exchange(other.pid_, -1);
  pidfd_ = std::move(other.pidfd_);
  output_ = std::move(other.output_);
  output_ended_ = std::exchange(other.output_ended_, true);
  status_ = std::exchange(other.status_, std::nullopt);
  is_reaped_ = std::exchange(other.is_reaped_, true);
  return *this;
}

Process::~Process() {
  kill_and_reap();
}

Result<std::string> Process::read_output(Nanoseconds limit) {
  if (output_ended_) return std::string();
  const Nanoseconds end = end_after(limit);
  std::string text(kReadMax, '\0');
  for (;;) {
    const ssize_t count = ::read(output_.get(), text.data(), text.size());
    if (count >= 0) {
      output_ended_ = count == 0;
      text.resize(static_cast<std::size_t>(count));
      return text;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) {
      return os_failure("cannot read a program's output", std::to_string(pid_), errno);
    }
    const Nanoseconds left = left_until(end);
    // An interrupt ends the wait, so that the caller sees it at once.
    if (left == Nanoseconds{0} || (!poll_once(output_.get(), left) && was_interrupted())) {
      return std::string();
    }
  }
}

bool Process::look() {
  if (status_ || pid_ <= 0) return true;
  siginfo_t info{};
  // WNOWAIT: the child stays a zombie, so that its number still names its group, and no other.
  if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
    if (errno != ECHILD) return false;
    status_ = ExitStatus{.code = 255, .signal = 0};  // somebody else reaped it
    is_reaped_ = true;
  } else if (info.si_pid == pid_) {
    status_ = status_from(info);
  }
  return status_.has_value();
}

std::optional<ExitStatus> Process::wait(Nanoseconds limit) {
  const Nanoseconds end = end_after(limit);
  while (!look()) {
    const Nanoseconds left = left_until(end);
    if (left == Nanoseconds{0}) return std::nullopt;
    if (pidfd_.is_open()) {
      poll_once(pidfd_.get(), left);
    } else {
      ::poll(nullptr, 0,
             static_cast<int>(
                 std::chrono::ceil<milliseconds>(std::min(left, kLookWithoutPidfd)).count()));
    }
  }
  return status_;
}

void Process::send_signal(int signal) const {
  if (pid_ > 0 && !is_reaped_) ::kill(-pid_, signal);
}

void Process::kill_and_reap() {
  if (pid_ <= 0 || is_reaped_) return;
  send_signal(SIGKILL);
  ::kill(pid_, SIGKILL);  // it may not have reached its own group yet
  // What hangs in the kernel even after SIGKILL is left to init.
  const bool has_ended = wait(kKilledLimit).has_value();
  if (has_ended && !is_reaped_) ::waitpid(pid_, nullptr, WNOHANG);
  if (!status_) status_ = ExitStatus{.code = 128 + SIGKILL, .signal = SIGKILL};
  is_reaped_ = true;
}

ExitStatus Process::stop(Nanoseconds grace) {
  if (!look() && grace > Nanoseconds{0}) {
    send_signal(SIGTERM);
    send_signal(SIGCONT);  // a stopped process could not hear it
    static_cast<void>(wait(grace));
  }
  kill_and_reap();
  return status_.value_or(ExitStatus{});
}

double Process::cpu_seconds() const {
  if (pid_ <= 0 || is_reaped_) return 0;
  const Result<std::string> text =
      read_text_file("/proc/" + std::to_string(pid_) + "/stat", 64 << 10);
  if (!text) return 0;
  // Fields after the name, which may hold anything, in brackets: state is field 3; utime 14,
  // stime 15, and those of the children that it has waited for, cutime 16, cstime 17.
  std::size_t at = text->rfind(')');
  std::uint64_t ticks = 0;
  for (int field = 2; at != std::string::npos && field < 17; ++field) {
    at = text->find(' ', at);
    if (at == std::string::npos) return 0;
    ++at;
    std::uint64_t value = 0;
    std::from_chars(text->data() + at, text->data() + text->size(), value);
    if (field + 1 >= 14) ticks += value;
  }
  return static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

Result<CommandOutcome> run_command(const ProcessOptions& options, Nanoseconds limit,
                                   std::size_t output_bytes_max) {
  constexpr Nanoseconds kGrace = milliseconds(500);
  Process process = TRY(Process::start(options));
  const std::string& program = options.arguments[0];
  const Nanoseconds end = end_after(limit);
  CommandOutcome outcome;
  while (!process.wait(Nanoseconds{0})) {
    if (was_interrupted()) {
      process.stop(kGrace);
      return fail_with(Errc::kAborted, "interrupted; a running program was ended", program);
    }
    if (left_until(end) == Nanoseconds{0}) {
      process.stop(kGrace);
      return fail_with(Errc::kTimeout, "a program took longer than its limit and was ended",
                       program + ", " + std::to_string(limit / seconds(1)) + " s");
    }
    const Nanoseconds look = std::min(left_until(end), kLookEvery);
    if (process.is_output_at_end()) {
      static_cast<void>(process.wait(look));
      continue;
    }
    const std::string text = TRY(process.read_output(look));
    if (!append_bounded(outcome.output, text, output_bytes_max)) outcome.was_cut = true;
  }
  // What it had written; its own children may hold the pipe open for ever.
  for (int i = 0; i < kDrainReadsMax && !process.is_output_at_end(); ++i) {
    const std::string text = TRY(process.read_output(Nanoseconds{0}));
    if (text.empty()) break;
    if (!append_bounded(outcome.output, text, output_bytes_max)) outcome.was_cut = true;
  }
  outcome.status = process.stop(Nanoseconds{0});
  return outcome;
}

std::string end_of_output(std::string_view output) {
  constexpr std::size_t kMost = 100;
  std::string end(output.substr(output.size() - std::min(output.size(), kMost)));
  std::ranges::replace(end, '\n', ' ');
  return end;
}

}  // namespace powercut
