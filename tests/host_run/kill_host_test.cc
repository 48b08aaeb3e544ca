// kill -9 of each process of a run, at several moments: nothing stays mounted, attached or running,
// and the next run removes the folder.
#include <csignal>
#include <ctime>

#include "tests/host_run/host_fixture.h"

namespace powercut::host_run_testing {
namespace {

// Who is killed: the program itself, or whose command line begins so.
constexpr const char* kProgram = "the program";
constexpr const char* kDisk = "powercut part-disk ";
constexpr const char* kStage = "powercut part-stage ";
constexpr const char* kFirst = "powercut part-first ";
constexpr const char* kCommand = "sh -c setsid";
constexpr const char* kVictims[] = {kProgram, kDisk, kStage, kFirst, kCommand};

// Busy, with much to write out at any moment, and with a child in a session of its own.
constexpr const char* kLoad =
    "setsid sh -c 'while :; do echo x > g; sync g; done' $0 & "
    "while :; do dd if=/dev/zero of=f bs=64k count=64 conv=notrunc status=none; echo > $0/begun; "
    "done";
constexpr const char* kShortLoad =
    "dd if=/dev/zero of=f bs=1M count=24 status=none; echo > $0/begun; echo > $0/ended";

void pause_for(std::chrono::milliseconds time) {
  const timespec pause{.tv_sec = time.count() / 1000, .tv_nsec = (time.count() % 1000) * 1'000'000};
  ::nanosleep(&pause, nullptr);
}

class KillHost : public HostRunTest {
 protected:
  // Kills the victim, as soon as it is there; false if the program has ended before.
  bool kill_it(const std::string& victim, Process& program) {
    std::optional<pid_t> pid;
    const auto look = [&] {
      if (left_over().empty() && program.wait(Nanoseconds{0})) return true;
      pid = victim == kProgram ? std::optional(program.pid()) : process_with(victim);
      return pid.has_value() || program.wait(Nanoseconds{0}).has_value();
    };
    return comes_true("there is somebody to kill", look) && pid && ::kill(*pid, SIGKILL) == 0;
  }

  // Nothing is left, and the program, if it was not the victim, has said what became of the run.
  void expect_clean_end(const std::string& victim, Process& program) {
    const auto ended = finish(program);
    ASSERT_TRUE(ended);
    SCOPED_TRACE(ended->output + ended->errors);
    if (victim == kProgram) {
      EXPECT_EQ(ended->code, 128 + SIGKILL);
    } else {
      EXPECT_NE(ended->code, 128 + SIGKILL);
      EXPECT_NE(ended->code, 4);
    }
    comes_true("all is gone", [this] { return left_over().empty(); });
  }

  // The next run sweeps, and is not disturbed.
  void expect_next_run_works() {
    const auto next = run({}, "echo x > f; sync f");
    ASSERT_TRUE(next);
    EXPECT_EQ(next->code, 0) << next->output << next->errors;
    EXPECT_TRUE(left_in_tmp().empty());
  }
};

TEST_F(KillHost, InTheMiddleOfTheLoad) {
  for (const std::string victim : kVictims) {
    SCOPED_TRACE("victim " + victim);
    std::filesystem::remove(scratch() / "begun");
    Process program = start({}, kLoad);
    ASSERT_TRUE(comes_true("the load runs", [this] { return is_there("begun"); }));
    EXPECT_NE(left_over(), "") << "the test means nothing";
    ASSERT_TRUE(kill_it(victim, program));
    expect_clean_end(victim, program);
  }
  expect_next_run_works();
}

TEST_F(KillHost, AsSoonAsItIsThere) {
  for (const std::string victim : kVictims) {
    for (const int delay : {0, 3, 20}) {
      SCOPED_TRACE("victim " + victim + " after " + std::to_string(delay) + " ms");
      Process program = start({}, kLoad);
      if (victim == kProgram) {
        comes_true("it has begun", [this] { return !left_in_tmp().empty(); });
      } else {
        comes_true("it is there", [&] { return process_with(victim).has_value(); });
      }
      pause_for(std::chrono::milliseconds(delay));
      ASSERT_TRUE(kill_it(victim, program));
      expect_clean_end(victim, program);
    }
  }
  expect_next_run_works();
}

// 24 MiB are to be written out, slowly.
TEST_F(KillHost, WhileItUnmounts) {
  for (const std::string victim : {kProgram, kDisk, kStage}) {
    SCOPED_TRACE("victim " + victim);
    std::filesystem::remove(scratch() / "ended");
    Process program = start({"--write-delay-us", "500000"}, kShortLoad);
    ASSERT_TRUE(comes_true("the load has ended", [this] { return is_there("ended"); }));
    comes_true("its process is gone", [this] { return !process_with(kFirst); });
    ASSERT_TRUE(kill_it(victim, program)) << "the test means nothing";
    expect_clean_end(victim, program);
  }
  expect_next_run_works();
}

}  // namespace
}  // namespace powercut::host_run_testing
