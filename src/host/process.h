// Child processes that cannot outlive us, and whose every wait is bounded.
//
// A child gets its own process group (Ctrl-C on the terminal reaches only us), SIGKILL when the
// thread that started it ends (so children are started from a thread that lives as long as they
// should: the main thread), and the default signal mask.  The destructor kills and reaps.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/clock.h"
#include "host/file.h"

namespace powercut {

struct ExitStatus {
  int code = 0;    // of exit(), or 128 + signal as shells count
  int signal = 0;  // 0 if it ended by itself
  bool is_success() const { return code == 0 && signal == 0; }
};

struct ProcessOptions {
  std::vector<std::string> arguments{};  // arguments[0] is looked up in PATH and /usr/sbin, /sbin
  std::string program{};                 // what runs under that name instead; empty: what it names
  std::map<std::string, std::string> environment{};  // added to ours
  std::string directory{};                           // working directory; empty: ours
  std::vector<int> inherited_fds{};                  // kept open under their own numbers
  // Standard output and error: into one pipe that `output()` reads; otherwise /dev/null.
  bool capture_output = true;
  // Standard input: /dev/null, always.
};

class Process {
 public:
  // Errors: kNotFound: no such program; kIo.
  static Result<Process> start(const ProcessOptions& options);
  Process(Process&&) noexcept;
  Process& operator=(Process&&) noexcept;
  ~Process();

  pid_t pid() const { return pid_; }
  // Reads what there is of the output, waiting at most `limit`; empty when nothing came or at the
  // end (then `is_output_at_end()`).  At most 64 KiB a call.
  Result<std::string> read_output(Nanoseconds limit);
  bool is_output_at_end() const { return output_ended_; }
  int output_fd() const { return output_.get(); }
  // The status, if the child ended within `limit` (0: just a look).
  std::optional<ExitStatus> wait(Nanoseconds limit);
  void send_signal(int signal) const;
  // SIGTERM, up to `grace`, then SIGKILL; reaps.
  ExitStatus stop(Nanoseconds grace);
  // User plus system time so far of the child and the children it has waited for, in seconds (from
  // /proc); 0 if it is gone.
  double cpu_seconds() const;

 private:
  Process() = default;
  bool look();  // sets status_ if the child has ended; does not reap
  void kill_and_reap();

  pid_t pid_ = -1;  // also its group's number, which stays taken until the child is reaped
  Fd pidfd_;        // readable at the child's end; not open on a kernel without pidfds
  Fd output_;
  bool output_ended_ = false;
  std::optional<ExitStatus> status_;
  bool is_reaped_ = false;
};

struct CommandOutcome {
  ExitStatus status;
  std::string output;  // stdout and stderr; cut at `output_bytes_max`
  bool was_cut = false;
};
// Runs to the end of the child; what is left of its group then is killed.  Errors: kTimeout
// (killed), kNotFound, kIo, kAborted (interrupted by the user).
Result<CommandOutcome> run_command(const ProcessOptions& options, Nanoseconds limit,
                                   std::size_t output_bytes_max = std::size_t{1} << 20);
// The end of what a program said, in one line, short enough for an error's detail.
std::string end_of_output(std::string_view output);
// Where `program` is, looked up as Process does; kNotFound.
Result<std::string> find_program(std::string_view program);

}  // namespace powercut
