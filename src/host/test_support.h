// What the tests of this folder share.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/file.h"
#include "host/process.h"

namespace powercut::host_testing {

inline Bytes bytes_of_text(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

inline constexpr Nanoseconds kLong =
    std::chrono::seconds(60);  // a test that passes does not wait that long

// A folder for one test, removed at its end.
class Folder {
 public:
  Folder() {
    std::string path = (std::filesystem::temp_directory_path() / "host-test-XXXXXX").native();
    CHECK(::mkdtemp(path.data()) != nullptr, "a test needs a folder");
    path_ = path;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// Sets a variable of the environment, and sets it back.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    const char* before = ::getenv(name);
    if (before != nullptr) before_ = before;
    had_value_ = before != nullptr;
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() {
    if (had_value_) {
      ::setenv(name_, before_.c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::string before_;
  bool had_value_ = false;
};

// Runs `body` in a child of its own and gives waitpid's status; body's value is the exit code.
inline int status_in_child(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(body());
  int status = -1;
  ::waitpid(pid, &status, 0);
  return status;
}

// A process that need not be our child.
class Watched {
 public:
  explicit Watched(pid_t pid) : pidfd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
  bool exists() const { return pidfd_.is_open(); }
  // A test that fails waits this long; one that passes does not.
  bool ends_within_seconds(int seconds) const {
    struct pollfd waited {
      .fd = pidfd_.get(), .events = POLLIN, .revents = 0
    };
    return ::poll(&waited, 1, seconds * 1000) == 1;
  }

 private:
  Fd pidfd_;
};

// The output of a shell command; a failure of the command is shown in it.
inline std::string shell(const std::string& command) {
  const auto outcome = run_command({.arguments = {"sh", "-c", command}}, std::chrono::seconds(60));
  if (!outcome) return std::string("run_command: ") + outcome.error().what;
  if (outcome->status.is_success()) return outcome->output;
  return outcome->output + "exit " + std::to_string(outcome->status.code);
}

}  // namespace powercut::host_testing
