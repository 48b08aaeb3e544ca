#include "host/machine.h"

#include <gtest/gtest.h>

#include <csignal>

#include "host/test_support.h"

namespace powercut {
namespace {

using host_testing::Folder;
using host_testing::status_in_child;
using host_testing::Variable;

TEST(Machine, SaysWhatTheShellSays) {
  EXPECT_EQ(architecture() + "\n", host_testing::shell("uname -m"));
  EXPECT_EQ(std::to_string(processor_count()) + "\n", host_testing::shell("nproc"));
  EXPECT_EQ(is_root(), host_testing::shell("id -u") == "0\n");
  EXPECT_GT(memory_bytes(), std::uint64_t{64} << 20);
  EXPECT_LT(memory_bytes(), std::uint64_t{1} << 50);
  EXPECT_GT(free_disk_bytes("/tmp"), 0u);
  EXPECT_EQ(free_disk_bytes("/no/such/folder"), 0u);
  EXPECT_FALSE(is_terminal(-1));
}

TEST(CacheDirectory, IsWhereTheEnvironmentSays) {
  const Folder folder;
  const Variable home("HOME", folder / "home");
  {
    const Variable xdg("XDG_CACHE_HOME", folder / "xdg");
    EXPECT_EQ(*cache_directory(), folder / "xdg/powercut");
    EXPECT_TRUE(std::filesystem::is_directory(folder / "xdg/powercut"));
  }
  const Variable relative("XDG_CACHE_HOME", "relative");
  EXPECT_EQ(*cache_directory(), folder / "home/.cache/powercut");
  ASSERT_TRUE(write_file_atomically(folder / "file", ""));
  const Variable file("XDG_CACHE_HOME", folder / "file");
  EXPECT_FALSE(cache_directory());
}

// 0: right; else the number of the step that was wrong.
int interrupted_by(int signal) {
  ::signal(signal, SIG_DFL);
  catch_interrupts();
  if (was_interrupted()) return 1;
  ::raise(signal);
  return was_interrupted() ? 0 : 2;
}

TEST(Interrupts, TheFirstIsNoted) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    EXPECT_EQ(status_in_child([signal] { return interrupted_by(signal); }), 0) << signal;
  }
}

TEST(Interrupts, TheSecondSigintEndsUs) {
  const int status = status_in_child([] {
    if (interrupted_by(SIGINT) != 0) return 1;
    ::raise(SIGINT);
    return 2;
  });
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(WTERMSIG(status), SIGINT);
}

TEST(Interrupts, ASecondSigtermDoesNot) {
  EXPECT_EQ(status_in_child([] {
              if (interrupted_by(SIGTERM) != 0) return 1;
              ::raise(SIGTERM);
              return 0;
            }),
            0);
}

TEST(Interrupts, WhatWasIgnoredStaysIgnored) {
  EXPECT_EQ(status_in_child([] {
              ::signal(SIGHUP, SIG_IGN);  // nohup
              catch_interrupts();
              ::raise(SIGHUP);
              return was_interrupted() ? 1 : 0;
            }),
            0);
}

}  // namespace
}  // namespace powercut
