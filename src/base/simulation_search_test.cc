// What the strategies find, and what they do not.
#include <gtest/gtest.h>

#include <iostream>
#include <set>
#include <string>

#include "base/chooser.h"
#include "base/simulation.h"
#include "base/sync.h"
#include "base/task.h"
#include "base/trace.h"
#include "tests/support/long_form.h"

namespace powercut {
namespace {

using namespace std::chrono_literals;

// Each of the three strategies, as a test would use it.
std::vector<SimulationResult> searched(const std::function<void()>& body) {
  return {Simulation({}).run_seeds(1000, body),
          Simulation({.strategy = SearchStrategy::kPct, .pct_depth = 2, .pct_steps = 30})
              .run_seeds(1000, body),
          Simulation({.strategy = SearchStrategy::kExhaustive}).run(body)};
}

// Two tasks do `add`, each once; both must be seen in the number.
void expect_two_updates(const std::function<void()>& add, const int& value) {
  {
    Task one = Task::start("one", add);
    Task other = Task::start("other", add);
  }
  if (value != 2) Simulation::fail("an update was lost");
}

// Two tasks add to a number; what each read is old when it stores.
void lost_update() {
  int value = 0;
  const auto add = [&] {
    const int seen = value;
    trace_point("adder.between");
    value = seen + 1;
  };
  expect_two_updates(add, value);
}

// The same with the mutex given up in between.
void lost_update_between_locks() {
  Mutex mutex(LockRank::kDevice);
  int value = 0;
  const auto add = [&] {
    int seen = 0;
    {
      const Lock lock(mutex);
      seen = value;
    }
    const Lock lock(mutex);
    value = seen + 1;
  };
  expect_two_updates(add, value);
}

void right_update() {
  Mutex mutex(LockRank::kDevice);
  int value = 0;
  const auto add = [&] {
    const Lock lock(mutex);
    const int seen = value;
    trace_point("adder.between");
    value = seen + 1;
  };
  expect_two_updates(add, value);
}

// Looks with the lock, waits with it, but gives it up in between.
void lost_wakeup() {
  Mutex mutex(LockRank::kDevice);
  Condition condition;
  bool is_set = false;  // guarded by mutex
  Task setter = Task::start("setter", [&] {
    const Lock lock(mutex);
    is_set = true;
    condition.notify_all();
  });
  bool was_set = false;
  {
    const Lock lock(mutex);
    was_set = is_set;
  }
  const Lock lock(mutex);
  if (!was_set) condition.wait_for(mutex, Condition::kSafetyLimit);
}

void right_wakeup() {
  Mutex mutex(LockRank::kDevice);
  Condition condition;
  bool is_set = false;  // guarded by mutex
  Task setter = Task::start("setter", [&] {
    const Lock lock(mutex);
    is_set = true;
    condition.notify_all();
  });
  const Lock lock(mutex);
  while (!is_set) condition.wait_for(mutex, Condition::kSafetyLimit);
}

TEST(Search, FindsALostUpdate) {
  for (const auto& body : {lost_update, lost_update_between_locks}) {
    for (const SimulationResult& result : searched(body)) {
      EXPECT_EQ(result.end, SimulationEnd::kFailed) << result.runs;
      EXPECT_NE(result.what.find("an update was lost"), std::string::npos);
      EXPECT_FALSE(result.is_complete);
    }
  }
}

TEST(Search, FindsALostWakeup) {
  for (const SimulationResult& result : searched(lost_wakeup)) {
    EXPECT_EQ(result.end, SimulationEnd::kDeadlock) << result.runs;
    EXPECT_NE(result.what.find("main#0 waits: wake condition#1 with kDevice#0, not woken and "
                               "without a timer"),
              std::string::npos)
        << result.what;
  }
}

TEST(Search, ExhaustsWhatIsRight) {
  for (const auto& body : {right_update, right_wakeup}) {
    const SimulationResult all =
        Simulation({.strategy = SearchStrategy::kExhaustive, .reduces = false}).run(body);
    EXPECT_FALSE(all.has_finding()) << all.what;
    EXPECT_TRUE(all.is_complete);
    const SimulationResult reduced =
        Simulation({.strategy = SearchStrategy::kExhaustive, .points_touch_memory = false})
            .run(body);
    EXPECT_FALSE(reduced.has_finding()) << reduced.what;
    EXPECT_TRUE(reduced.is_complete);
    EXPECT_LE(reduced.runs, all.runs);
    std::cout << "exhausted: " << all.runs << " schedules; " << reduced.runs
              << " with equal states gone on from once, " << reduced.states << " states\n";
  }
}

// Tasks that have nothing to do with each other differ in no order.
TEST(Search, WhatIsApartIsReducedMost) {
  const auto body = [] {
    std::vector<Task> tasks;
    for (int i = 0; i < 2; ++i) {
      tasks.push_back(Task::start("alone", [] {
        Mutex mutex(LockRank::kDevice);
        for (int round = 0; round < 2; ++round) const Lock lock(mutex);
      }));
    }
  };
  const SimulationResult all =
      Simulation({.strategy = SearchStrategy::kExhaustive, .reduces = false}).run(body);
  const SimulationResult reduced = Simulation({.strategy = SearchStrategy::kExhaustive}).run(body);
  EXPECT_TRUE(all.is_complete);
  EXPECT_TRUE(reduced.is_complete);
  std::cout << "apart: " << all.runs << " schedules, " << reduced.runs << " reduced\n";
  EXPECT_LT(reduced.runs * 5, all.runs);
}

TEST(Search, AnExhaustedScheduleIsRepeatedByItsText) {
  const SimulationResult found =
      Simulation({.strategy = SearchStrategy::kExhaustive, .command = "x"}).run(lost_update);
  ASSERT_TRUE(found.has_finding());
  const std::size_t open = found.repeat.find('\'');
  ASSERT_NE(open, std::string::npos) << found.repeat;
  const std::string schedule = found.repeat.substr(open + 1, found.repeat.size() - open - 2);
  const SimulationResult again =
      Simulation({.strategy = SearchStrategy::kSchedule, .schedule = schedule}).run(lost_update);
  EXPECT_EQ(again.end, found.end);
  EXPECT_EQ(again.trace, found.trace);
  EXPECT_EQ(again.trace_hash, found.trace_hash);
}

// Wrong only if each task is stopped twice between its points.
void needs_four_preemptions() {
  int step = 0;
  {
    Task one = Task::start("one", [&] {
      const int first = step;
      trace_point("one.first");
      const int second = step;
      trace_point("one.second");
      if (first == 0 && second == 1 && step == 2) Simulation::fail("both");
    });
    trace_point("main.before");
    step = 1;
    trace_point("main.between");
    step = 2;
  }
}

TEST(Search, KeepsToItsBoundAndSaysSo) {
  const auto with_bound = [](std::uint32_t preemptions_max, bool reduces) {
    return Simulation({.strategy = SearchStrategy::kExhaustive,
                       .preemptions_max = preemptions_max,
                       .reduces = reduces})
        .run(needs_four_preemptions);
  };
  std::uint64_t before = 0;
  for (std::uint32_t bound = 0; bound <= 3; ++bound) {
    const SimulationResult result = with_bound(bound, true);
    EXPECT_FALSE(result.has_finding()) << bound;
    EXPECT_TRUE(result.is_complete);
    EXPECT_GT(result.beyond_bound, 0u);
    EXPECT_GT(result.runs, before);
    before = result.runs;
    EXPECT_GE(with_bound(bound, false).runs, result.runs);
  }
  EXPECT_TRUE(with_bound(4, true).has_finding());
  EXPECT_TRUE(with_bound(4, false).has_finding());
}

TEST(Search, AnUnfinishedSearchIsNotComplete) {
  const SimulationResult result =
      Simulation({.strategy = SearchStrategy::kExhaustive, .schedules_max = 2}).run(right_update);
  EXPECT_FALSE(result.has_finding());
  EXPECT_FALSE(result.is_complete);
  EXPECT_EQ(result.runs, 2u);
}

TEST(Search, EveryChoiceIsMade) {
  std::set<std::uint64_t> seen;
  const SimulationResult result = Simulation({.strategy = SearchStrategy::kExhaustive}).run([&] {
    const std::uint64_t first = Simulation::choose("first", 3);
    seen.insert(first * 10 + Simulation::choose("second", 4));
  });
  EXPECT_TRUE(result.is_complete);
  EXPECT_EQ(result.runs, 12u);
  EXPECT_EQ(seen.size(), 12u);
}

TEST(Search, ANotificationWakesAnyOfThoseThatWait) {
  std::set<int> woken;
  const SimulationResult result =
      Simulation({.strategy = SearchStrategy::kExhaustive, .preemptions_max = 0}).run([&] {
        Mutex mutex(LockRank::kDevice);
        Condition condition;
        int first = -1, waiting = 0;
        const auto wait = [&](int number) {
          const Lock lock(mutex);
          ++waiting;
          condition.wait_for(mutex, 50s);
          if (first == -1) first = number;
        };
        Task one = Task::start("one", [&] { wait(1); });
        Task other = Task::start("other", [&] { wait(2); });
        Simulation::sleep_for(1s);  // both wait now
        {
          const Lock lock(mutex);
          CHECK(waiting == 2, "both wait");
          condition.notify_one();
        }
        one.join();
        other.join();
        woken.insert(first);
      });
  EXPECT_FALSE(result.has_finding()) << result.what;
  EXPECT_EQ(woken, (std::set<int>{1, 2}));
}

// A reader that comes again while a writer waits for it to go: the writer keeps it out.
TEST(Search, FindsAReaderThatWaitsBehindAWriterForItself) {
  const auto body = [] {
    SharedMutex first(LockRank::kInode, 1);
    Mutex mutex(LockRank::kDevice);
    Condition condition;
    bool is_read = false;  // guarded by mutex
    Task writer = Task::start("writer", [&] { const ExclusiveLock lock(first); });
    Task helper = Task::start("helper", [&] {
      const SharedLock again(first);
      const Lock lock(mutex);
      is_read = true;
      condition.notify_all();
    });
    const SharedLock reader(first);
    const Lock lock(mutex);
    while (!is_read) condition.wait_for(mutex, Condition::kSafetyLimit);
  };
  for (const SimulationResult& result : searched(body)) {
    EXPECT_EQ(result.end, SimulationEnd::kDeadlock) << result.runs;
    EXPECT_NE(result.what.find("writer#1 waits: queue kInode#"), std::string::npos) << result.what;
    EXPECT_NE(result.what.find("helper#2 waits: lock_shared kInode#"), std::string::npos);
  }
}

// Small programs of locks, points and waits, made at random: with and without the reduction, and
// with every bound, the same ends are reached.
class RandomProgram {
 public:
  explicit RandomProgram(std::uint64_t seed) : prng_(seed) {
    for (auto& task : tasks_) {
      for (auto& action : task) action = prng_.below(4);
    }
  }
  // What the tasks saw, for every schedule.
  std::set<std::string> ends(bool reduces, std::uint32_t preemptions_max, std::uint64_t& runs) {
    std::set<std::string> found;
    const SimulationResult result = Simulation({.strategy = SearchStrategy::kExhaustive,
                                                .preemptions_max = preemptions_max,
                                                .reduces = reduces})
                                        .run([&] { found.insert(body()); });
    EXPECT_TRUE(result.is_complete) << result.what;
    runs += result.runs;
    return found;
  }

 private:
  std::string body() const {
    Mutex first(LockRank::kRecorder), second(LockRank::kDevice);
    int of_first = 0, of_second = 0, of_nobody = 0;
    std::string seen[2];
    {
      std::vector<Task> tasks;
      for (std::size_t i = 0; i < 2; ++i) {
        tasks.push_back(Task::start("task", [&, i] {
          for (const std::uint64_t action : tasks_[i]) {
            if (action == 0) {
              const Lock lock(first);
              seen[i] += std::to_string(of_first++);
            } else if (action == 1) {
              const Lock lock(second);
              seen[i] += std::to_string(of_second++);
            } else if (action == 2) {
              trace_point("task.point");
              seen[i] += std::to_string(of_nobody++);
            } else {
              const Lock outer(first);
              const Lock lock(second);
              seen[i] += std::to_string(of_first++ + 10 * of_second++);
            }
          }
        }));
      }
    }
    return seen[0] + "/" + seen[1];
  }

  Prng prng_;
  std::array<std::array<std::uint64_t, 2>, 2> tasks_{};
};

TEST(Search, TheReductionLosesNoEnd) {
  std::uint64_t all_runs = 0, reduced_runs = 0;
  const std::uint64_t seeds = testing::is_long_form() ? 100 : 15;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    RandomProgram program(seed);
    for (const std::uint32_t bound : {0u, 1u, 2u, 3u}) {
      EXPECT_EQ(program.ends(false, bound, all_runs), program.ends(true, bound, reduced_runs))
          << "seed " << seed << " bound " << bound;
    }
  }
  std::cout << "schedules: " << all_runs << " without, " << reduced_runs << " with reduction\n";
  EXPECT_LT(reduced_runs, all_runs);
}

TEST(SearchDeathTest, ABodyThatIsNotTheSameEachTimeIsAMistake) {
  int run = 0;
  const auto body = [&] {
    if (++run > 1) trace_point("only later");
    static_cast<void>(Simulation::choose("one", run == 1 ? 2 : 3));
  };
  const SimulationResult result = Simulation({.strategy = SearchStrategy::kExhaustive}).run(body);
  EXPECT_EQ(result.end, SimulationEnd::kCheckFailed);
  EXPECT_NE(result.what.find("depends on something other than the schedule"), std::string::npos);
}

TEST(ScheduleDeathTest, TextThatIsNoScheduleIsAMistake) {
  for (const char* text : {"1", "1:", ":2", "a:b", "3:1 2:1", "1:1  2:2"}) {
    EXPECT_DEATH(detail::ScheduleChooser{text}, "schedule") << text;
  }
  detail::ScheduleChooser chooser("1:2 3:1");
  EXPECT_EQ(chooser.choose(3), 0u);
  EXPECT_EQ(chooser.choose(1), 0u);  // no decision
  EXPECT_EQ(chooser.choose(3), 2u);
  EXPECT_EQ(chooser.choose(3), 0u);
  EXPECT_EQ(chooser.choose(3), 1u);
  EXPECT_EQ(chooser.choose(3), 0u);
}

// With depth 1 the task of the highest priority runs until it cannot.
TEST(Pct, ChangesPrioritiesDepthMinusOneTimes) {
  const std::uint32_t ready[] = {0, 1, 2};
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    for (const std::uint32_t depth : {1u, 2u, 3u}) {
      detail::PctChooser chooser(Prng(seed), depth, 100);
      std::set<std::size_t> chosen;
      std::size_t changes = 0, last = chooser.pick({ready, 3, 0});
      for (int i = 0; i < 200; ++i) {
        const std::size_t next = chooser.pick({ready, last, 0});
        changes += next != last ? 1 : 0;
        last = next;
      }
      EXPECT_LE(changes, depth - 1);
    }
  }
}

}  // namespace
}  // namespace powercut
