#include "host/confined.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/kernel_log.h"
#include "host/machine.h"
#include "host/mounts.h"
#include "host/pipe.h"
#include "host/test_support.h"

namespace powercut {
namespace {

// The status of process 1 of a new namespace with that command; what it says goes to `said`.
int run_confined(const std::vector<std::string>& command, std::string& said) {
  PipeEnds pipe = make_pipe().value();
  const pid_t keeper = ::fork();
  if (keeper == 0) {
    ::dup2(pipe.write.get(), STDOUT_FILENO);
    ::dup2(pipe.write.get(), STDERR_FILENO);
    if (!enter_new_processes()) ::_exit(99);
    const pid_t first = ::fork();
    if (first == 0) ::_exit(run_as_first(command, "/"));
    int status = 0;
    ::waitpid(first, &status, 0);
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 98);
  }
  pipe.write.reset();
  char buffer[4096];
  for (ssize_t count = 1; count > 0;) {
    count = ::read(pipe.read.get(), buffer, sizeof buffer);
    if (count > 0) said.append(buffer, static_cast<std::size_t>(count));
  }
  int status = 0;
  ::waitpid(keeper, &status, 0);
  return WEXITSTATUS(status);
}

TEST(Confined, TheCommandsStatusAndNothingElseSeen) {
  if (!is_root()) GTEST_SKIP() << "namespaces need root";
  std::string said;
  EXPECT_EQ(run_confined({"sh", "-c", "echo /proc/[0-9]*; kill -9 $$"}, said), 128 + 9);
  EXPECT_EQ(said, "/proc/1 /proc/2\n");
  said.clear();
  EXPECT_EQ(run_confined({"sh", "-c", "sleep 1000 & exit 3"}, said), 3);
  EXPECT_EQ(run_confined({"no-such-program"}, said), 127);
}

TEST(Confined, OnlyTheFirstOfANamespace) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(run_as_first({"true"}, "/"));
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 126);
}

TEST(Mounts, OursAreSeenByNobodyElse) {
  if (!is_root()) GTEST_SKIP() << "mounting needs root";
  const host_testing::Folder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string place = folder.path().native();
    const SteadyClock clock;
    const MountRequest request{"none", place, "tmpfs", 0, "size=64k"};
    const bool is_mounted = enter_own_mounts() && mount_file_system(request);
    const Fd inside(::open((place + "/file").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    const auto busy = unmount(place, clock, std::chrono::milliseconds(30));
    const bool is_gone = !std::filesystem::exists(folder / "file");
    ::_exit(is_mounted && !busy && busy.error().code == Errc::kInUse && is_gone ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(KernelLog, WhatIsOldIsNotShown) {
  EXPECT_TRUE(kernel_log_lines("", kernel_log_end() + 1000, 10).empty());
  EXPECT_LE(kernel_log_lines("", 0, 3).size(), 3u);
}

TEST(KernelLog, TheTailHasWhatIsNew) {
  KernelLogTail tail;
  EXPECT_TRUE(tail.take("powercut-test", 10).empty());
  const Fd log(::open("/dev/kmsg", O_WRONLY | O_CLOEXEC));
  if (!log.is_open()) GTEST_SKIP() << "the kernel's log may not be written to";
  // A line that may go on is not shown yet.
  const auto say = [&log](const std::string& text) {
    const std::string words = text + "\n";
    return ::write(log.get(), words.data(), words.size()) == static_cast<ssize_t>(words.size());
  };
  ASSERT_TRUE(say("powercut-test old") && say("unlike"));
  tail.skip();
  ASSERT_TRUE(say("powercut-test one") && say("unlike") && say("powercut-test two"));
  using Lines = std::vector<std::string>;
  EXPECT_EQ(tail.take("powercut-test", 10), (Lines{"powercut-test one", "powercut-test two"}));
  EXPECT_EQ(tail.take("powercut-test", 10), Lines{});
  ASSERT_TRUE(say("powercut-test three") && say("powercut-test four"));
  EXPECT_EQ(tail.take("powercut-test", 1), Lines{"powercut-test four"});
}

}  // namespace
}  // namespace powercut
