#include "host/process.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <charconv>
#include <csignal>

#include <sys/stat.h>

#include "host/machine.h"
#include "host/test_support.h"

namespace powercut {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

using host_testing::bytes_of_text;
using host_testing::Folder;
using host_testing::kLong;
using host_testing::status_in_child;
using host_testing::Variable;
using host_testing::Watched;

ProcessOptions shell(const std::string& script) {
  return {.arguments = {"sh", "-c", script}};
}

// The first line of the output, as a number.
pid_t read_pid(Process& process) {
  std::string text;
  while (text.find('\n') == std::string::npos && !process.is_output_at_end()) {
    const auto piece = process.read_output(kLong);
    if (!piece || piece->empty()) break;
    text += *piece;
  }
  pid_t pid = -1;
  std::from_chars(text.data(), text.data() + text.size(), pid);
  return pid;
}

TEST(RunCommand, StatusAndOutput) {
  struct Case {
    const char* script;
    int code;
    int signal;
    const char* output;
  };
  const Case cases[] = {
      {"true", 0, 0, ""},
      {"exit 7", 7, 0, ""},
      {"echo out; echo err >&2", 0, 0, "out\nerr\n"},
      {"kill -TERM $$", 128 + SIGTERM, SIGTERM, ""},
      {"kill -KILL $$", 128 + SIGKILL, SIGKILL, ""},
      {"exec >&- 2>&-; sleep 0.2; exit 3", 3, 0, ""},  // its output ends before it does
      {"cat", 0, 0, ""},                               // standard input is /dev/null
      {"printf 'no newline'", 0, 0, "no newline"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.script);
    const auto outcome = run_command(shell(c.script), kLong);
    ASSERT_TRUE(outcome) << outcome.error().what;
    EXPECT_EQ(outcome->status.code, c.code);
    EXPECT_EQ(outcome->status.signal, c.signal);
    EXPECT_EQ(outcome->status.is_success(), c.code == 0);
    EXPECT_EQ(outcome->output, c.output);
    EXPECT_FALSE(outcome->was_cut);
  }
}

TEST(RunCommand, EnvironmentFolderAndNoOutput) {
  const Folder folder;
  const Variable before("POWERCUT_TEST_A", "theirs");
  const Variable other("POWERCUT_TEST_B", "kept");
  ProcessOptions options = shell("echo $POWERCUT_TEST_A $POWERCUT_TEST_B; pwd -P");
  options.environment = {{"POWERCUT_TEST_A", "ours"}};
  options.directory = folder.path().native();
  EXPECT_EQ(run_command(options, kLong)->output,
            "ours kept\n" + std::filesystem::canonical(folder.path()).native() + "\n");
  options.capture_output = false;
  EXPECT_EQ(run_command(options, kLong)->output, "");
}

TEST(RunCommand, WhatCannotStartIsNamed) {
  const Folder folder;
  ASSERT_TRUE(write_file_atomically(folder / "data", "no program"));
  ASSERT_TRUE(write_file_atomically(folder / "junk", "\x01\x02 no program"));
  ::chmod((folder / "junk").c_str(), 0755);
  ProcessOptions no_folder = shell("true");
  no_folder.directory = folder / "absent";
  ProcessOptions bad_fd = shell("true");
  bad_fd.inherited_fds = {987};
  ProcessOptions standard_fd = shell("true");
  standard_fd.inherited_fds = {1};
  struct Case {
    ProcessOptions options;
    Errc code;
    const char* named;
  };
  const Case cases[] = {
      {{.arguments = {"powercut-no-such-program"}}, Errc::kNotFound, "powercut-no-such-program"},
      {{.arguments = {folder / "absent"}}, Errc::kNotFound, "absent"},
      {{.arguments = {folder / "data"}}, Errc::kNotFound, "data"},
      {{.arguments = {folder.path()}}, Errc::kNotFound, "host-test"},
      {{.arguments = {folder / "junk"}}, Errc::kIo, "junk: Exec format error"},
      {{.arguments = {}}, Errc::kInvalid, ""},
      {no_folder, Errc::kNotFound, "absent"},
      {bad_fd, Errc::kInvalid, "987"},
      {standard_fd, Errc::kInvalid, "1"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.named);
    const auto outcome = run_command(c.options, kLong);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, c.code);
    EXPECT_NE(outcome.error().detail.view().find(c.named), std::string::npos)
        << outcome.error().detail.view();
  }
}

TEST(RunCommand, EndsAtItsLimit) {
  const auto outcome = run_command(shell("echo $$; exec sleep 1000"), milliseconds(300));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::kTimeout);
  EXPECT_TRUE(outcome.error().detail.view().starts_with("sh"));
}

TEST(RunCommand, EndsAtItsLimitWhateverTheChildDoes) {
  for (const char* script : {"trap '' TERM; while :; do sleep 1; done", "exec yes", "kill -STOP $$",
                             "exec >&- 2>&-; exec sleep 1000"}) {
    SCOPED_TRACE(script);
    const auto outcome = run_command(shell(script), milliseconds(300));
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Errc::kTimeout);
  }
}

TEST(RunCommand, AFloodIsReadToItsEndAndCut) {
  const auto outcome = run_command(shell("head -c 30000000 /dev/zero; echo; exit 5"), kLong, 1000);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->status.code, 5);
  EXPECT_EQ(outcome->output, std::string(1000, '\0'));
  EXPECT_TRUE(outcome->was_cut);
}

TEST(RunCommand, EndsWithTheChildThoughItsChildrenHoldTheOutput) {
  const auto outcome = run_command(shell("sleep 1000 & echo $!"), kLong);
  ASSERT_TRUE(outcome) << outcome.error().what;
  EXPECT_TRUE(outcome->status.is_success());
  // And they ended with it.
  pid_t pid = -1;
  std::from_chars(outcome->output.data(), outcome->output.data() + outcome->output.size(), pid);
  ASSERT_GT(pid, 0);
  const Watched grandchild(pid);
  EXPECT_TRUE(!grandchild.exists() || grandchild.ends_within_seconds(20));
}

TEST(RunCommand, AnInterruptEndsTheChild) {
  const int status = status_in_child([] {
    ::signal(SIGTERM, SIG_DFL);
    catch_interrupts();
    if (was_interrupted()) return 1;
    const auto outcome = run_command(shell("kill -TERM $PPID; exec sleep 1000"), kLong);
    if (outcome || outcome.error().code != Errc::kAborted) return 2;
    return was_interrupted() ? 0 : 3;
  });
  ASSERT_TRUE(WIFEXITED(status)) << status;
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Process, IsReadAndWaitedForInBoundedSteps) {
  auto process = Process::start(shell("sleep 0.3; echo late; sleep 1000"));
  ASSERT_TRUE(process);
  EXPECT_EQ(*process->read_output(Nanoseconds{0}), "");
  EXPECT_FALSE(process->is_output_at_end());
  EXPECT_FALSE(process->wait(Nanoseconds{0}));
  EXPECT_EQ(*process->read_output(kLong), "late\n");
  EXPECT_FALSE(process->wait(milliseconds(20)));
  process->send_signal(SIGUSR1);
  const auto status = process->wait(kLong);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->signal, SIGUSR1);
  EXPECT_EQ(process->wait(Nanoseconds{0})->signal, SIGUSR1);
  EXPECT_EQ(process->stop(kLong).signal, SIGUSR1);
  EXPECT_EQ(process->stop(kLong).code, 128 + SIGUSR1);
}

TEST(Process, OneReadIsAtMost64KiB) {
  auto process = Process::start(shell("head -c 1000000 /dev/zero"));
  ASSERT_TRUE(process);
  std::size_t total = 0;
  while (!process->is_output_at_end()) {
    const auto text = process->read_output(kLong);
    ASSERT_TRUE(text);
    ASSERT_LE(text->size(), std::size_t{64} << 10);
    total += text->size();
  }
  EXPECT_EQ(total, 1'000'000u);
  EXPECT_TRUE(process->wait(kLong)->is_success());
}

TEST(Process, StopAsksFirst) {
  auto process =
      Process::start(shell("trap 'echo bye; exit 9' TERM; echo $$; "
                           "while :; do sleep 0.1; done"));
  ASSERT_TRUE(process);
  ASSERT_GT(read_pid(*process), 0);
  EXPECT_EQ(process->stop(kLong).code, 9);
  EXPECT_TRUE(process->read_output(kLong)->ends_with("bye\n"));  // sh may tell of its sleep
}

TEST(Process, StopKillsWhoDoesNotListen) {
  auto process = Process::start(shell("trap '' TERM; echo $$; while :; do sleep 1; done"));
  ASSERT_TRUE(process);
  ASSERT_GT(read_pid(*process), 0);
  EXPECT_EQ(process->stop(milliseconds(50)).signal, SIGKILL);
}

TEST(Process, ItsWholeGroupEndsWithIt) {
  std::optional<Watched> grandchild;
  {
    auto process = Process::start(shell("sleep 1000 & echo $!; wait"));
    ASSERT_TRUE(process);
    const pid_t pid = read_pid(*process);
    ASSERT_GT(pid, 0);
    ASSERT_NE(pid, process->pid());
    EXPECT_EQ(::getpgid(pid), process->pid());
    grandchild.emplace(pid);
    ASSERT_TRUE(grandchild->exists());
  }
  EXPECT_TRUE(grandchild->ends_within_seconds(20));
}

TEST(Process, AnOrphanedGroupEndsToo) {
  auto process = Process::start(shell("sleep 1000 & echo $!"));
  ASSERT_TRUE(process);
  const pid_t pid = read_pid(*process);
  ASSERT_GT(pid, 0);
  const Watched grandchild(pid);
  ASSERT_TRUE(grandchild.exists());
  ASSERT_TRUE(process->wait(kLong));  // the child has ended, the grandchild has not
  EXPECT_FALSE(grandchild.ends_within_seconds(0));
  process->stop(Nanoseconds{0});
  EXPECT_TRUE(grandchild.ends_within_seconds(20));
}

TEST(Process, DiesWithUsEvenByKill9) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
  const Fd read_end(pipe[0]);
  Fd write_end(pipe[1]);
  const pid_t parent = ::fork();
  if (parent == 0) {
    const auto child = Process::start({.arguments = {"sleep", "1000"}});
    const pid_t pid = child ? child->pid() : -1;
    if (::write(write_end.get(), &pid, sizeof pid) != sizeof pid) ::_exit(1);
    for (;;) ::pause();
  }
  write_end.reset();
  pid_t pid = -1;
  ASSERT_EQ(::read(read_end.get(), &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  ASSERT_GT(pid, 0);
  const Watched child(pid);
  ASSERT_TRUE(child.exists());
  EXPECT_FALSE(child.ends_within_seconds(0));
  ASSERT_EQ(::kill(parent, SIGKILL), 0);
  ASSERT_EQ(::waitpid(parent, nullptr, 0), parent);
  EXPECT_TRUE(child.ends_within_seconds(20));
}

TEST(Process, OnlyWhatIsNamedIsInherited) {
  const auto file = File::in_memory("inherited", 5);
  ASSERT_TRUE(file);
  const int named = ::dup2(file->fd(), 77);  // open across exec, as careless code leaves it
  const int other = ::dup2(file->fd(), 78);
  const Fd close_named(named);
  const Fd close_other(other);
  ASSERT_TRUE(File::adopt(Fd(::dup(77)))->write_at(0, bytes_of_text("hello")));
  ProcessOptions options = shell(
      "test -e /proc/self/fd/78 && echo open; ls /proc/self/fd | tr '\\n' ' '; cat "
      "/proc/self/fd/77");
  options.inherited_fds = {77};
  EXPECT_EQ(run_command(options, kLong)->output, "0 1 2 3 77 hello");  // 3: ls, looking
}

TEST(Process, StartsWithDefaultSignals) {
  sigset_t blocked;
  sigset_t before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const auto old_pipe = ::signal(SIGPIPE, SIG_IGN);
  const auto outcome =
      run_command({.arguments = {"grep", "-E", "SigBlk|SigIgn", "/proc/self/status"}}, kLong);
  ::signal(SIGPIPE, old_pipe);
  sigset_t now;
  ::pthread_sigmask(SIG_SETMASK, &before, &now);
  EXPECT_EQ(outcome->output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  EXPECT_EQ(::sigismember(&now, SIGUSR1), 1);  // ours are as before
}

TEST(Process, StartsThoughOurStandardDescriptorsAreClosed) {
  const int status = status_in_child([] {
    for (int fd = 0; fd <= 2; ++fd) ::close(fd);
    const auto outcome = run_command(shell("cat; echo out; echo err >&2"), kLong);
    return outcome && outcome->status.is_success() && outcome->output == "out\nerr\n" ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
}

TEST(Process, StatusIsKeptThoughOurParentIgnoredOurChildren) {
  const int status = status_in_child([] {
    ::signal(SIGCHLD, SIG_IGN);
    const auto outcome = run_command(shell("exit 6"), kLong);
    return outcome ? outcome->status.code : 1;
  });
  EXPECT_EQ(WEXITSTATUS(status), 6);
}

TEST(Process, LeavesNoZombieAndNoDescriptor) {
  const auto count_fds = [] {
    std::filesystem::directory_iterator fds("/proc/self/fd");
    return std::distance(begin(fds), end(fds));
  };
  const auto before = count_fds();
  for (int i = 0; i < 5; ++i) {
    auto process = Process::start(shell("exit 0"));
    ASSERT_TRUE(process);
    Process moved = std::move(*process);
    if (i % 2 == 0) {
      ASSERT_TRUE(moved.wait(kLong));
    }
    ASSERT_FALSE(run_command({.arguments = {"/no/such"}}, kLong));
  }
  EXPECT_EQ(count_fds(), before);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(Process, CpuTimeGrowsWithWork) {
  auto process = Process::start(shell("while :; do :; done"));
  ASSERT_TRUE(process);
  double seconds_used = 0;
  for (int i = 0; i < 600 && seconds_used == 0; ++i) {
    EXPECT_FALSE(process->wait(milliseconds(50)));
    seconds_used = process->cpu_seconds();
  }
  EXPECT_GT(seconds_used, 0);
  process->stop(Nanoseconds{0});
  EXPECT_EQ(process->cpu_seconds(), 0);
}

TEST(FindProgram, LooksInPathThenInSbin) {
  const Folder folder;
  for (const char* name : {"first", "second"}) {
    ASSERT_TRUE(make_directories(folder / name));
    ASSERT_TRUE(write_file_atomically(folder / name / "tool", "#!/bin/sh\n"));
  }
  ::chmod((folder / "second/tool").c_str(), 0755);  // only this one is a program
  const Variable path("PATH",
                      (folder / "first").native() + "::relative:" + (folder / "second").native());
  EXPECT_EQ(*find_program("tool"), folder / "second/tool");
  EXPECT_TRUE(find_program((folder / "second/tool").native()));
  EXPECT_EQ(find_program("tool2").error().code, Errc::kNotFound);
  EXPECT_EQ(find_program("").error().code, Errc::kNotFound);
  if (std::filesystem::exists("/usr/sbin/mke2fs")) {
    EXPECT_EQ(*find_program("mke2fs"), "/usr/sbin/mke2fs");
  }
}

}  // namespace
}  // namespace powercut
