#include "base/task.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <chrono>
#include <string>
#include <thread>

namespace powercut {
namespace {

TEST(Task, RunsAndIsJoined) {
  int value = 0;
  Task task = Task::start("setter", [&] { value = 7; });
  EXPECT_TRUE(task.is_joinable());
  task.join();
  EXPECT_EQ(value, 7);
  EXPECT_FALSE(task.is_joinable());
  task.join();  // nothing is left to join
}

TEST(Task, IsJoinedAtItsEnd) {
  int value = 0;
  {
    const Task task = Task::start("setter", [&] { value = 7; });
  }
  EXPECT_EQ(value, 7);
}

TEST(Task, AnotherTakesItsPlace) {
  int first = 0, second = 0;
  Task task = Task::start("first", [&] { first = 1; });
  task = Task::start("second", [&] { second = 1; });
  EXPECT_EQ(first, 1);  // joined before it was replaced
  Task moved = std::move(task);
  moved.join();
  EXPECT_EQ(second, 1);
}

TEST(Task, GetsNoSignals) {
  sigset_t inside;
  sigset_t outside;
  Task::start("signals", [&] { pthread_sigmask(SIG_SETMASK, nullptr, &inside); }).join();
  pthread_sigmask(SIG_SETMASK, nullptr, &outside);
  EXPECT_EQ(sigismember(&inside, SIGINT), 1);
  EXPECT_EQ(sigismember(&inside, SIGTERM), 1);
  EXPECT_EQ(sigismember(&outside, SIGINT), 0);
}

TEST(Task, ItsThreadHasItsName) {
  std::array<char, 16> name{};
  Task::start("a name that is far too long", [&] {
    // Its maker gives the name when the thread may already run.
    for (int i = 0; i < 1000 && std::string(name.data()).find("a name") != 0; ++i) {
      pthread_getname_np(pthread_self(), name.data(), name.size());
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }).join();
  EXPECT_STREQ(name.data(), "a name that is ");
}

TaskLocal<int> counter;
TaskLocal<std::string> words;

TEST(TaskLocal, IsEachTasksOwn) {
  counter.get() = 5;
  words.get() = "outer";
  int seen = -1;
  std::string seen_words = "unset";
  Task::start("other", [&] {
    seen = counter.get()++;
    seen_words = words.get();
  }).join();
  EXPECT_EQ(seen, 0);
  EXPECT_EQ(seen_words, "");
  EXPECT_EQ(counter.get(), 5);
  EXPECT_EQ(words.get(), "outer");
}

}  // namespace
}  // namespace powercut
