#include "base/simulation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "base/sync.h"
#include "base/task.h"
#include "base/trace.h"

namespace powercut {
namespace {

using namespace std::chrono_literals;

// Tasks that use everything there is.
void busy_body() {
  Mutex mutex(LockRank::kJournalState);
  SharedMutex inode(LockRank::kInode, 3);
  Condition condition;
  int turns = 0;  // guarded by mutex
  std::vector<Task> tasks;
  for (int i = 0; i < 4; ++i) {
    tasks.push_back(Task::start("worker", [&, i] {
      for (int round = 0; round < 5; ++round) {
        if (Simulation::random().chance(1, 2)) {
          const SharedLock lock(inode);
          trace_point("worker.reads", static_cast<std::uint64_t>(i));
        } else {
          const ExclusiveLock lock(inode);
          trace_point("worker.writes", static_cast<std::uint64_t>(i));
        }
        const Lock lock(mutex);
        ++turns;
        condition.notify_one();
        if (Simulation::choose("worker.waits", 2) == 1) condition.wait_for(mutex, 10ms);
      }
    }));
  }
  Simulation::sleep_for(1ms);
}

TEST(Simulation, OneSeedGivesOneTrace) {
  std::set<std::uint64_t> hashes;
  for (const SearchStrategy strategy : {SearchStrategy::kRandom, SearchStrategy::kPct}) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      const Simulation simulation({.seed = seed, .strategy = strategy});
      const SimulationResult first = simulation.run(busy_body);
      std::vector<char> in_between(seed * 1000);  // moves what malloc() gives
      const SimulationResult second = simulation.run(busy_body);
      ASSERT_FALSE(first.has_finding()) << first.what;
      EXPECT_GT(first.trace.size(), 1000u);
      EXPECT_EQ(first.trace, second.trace);
      EXPECT_EQ(first.trace_hash, second.trace_hash);
      EXPECT_EQ(first.time, second.time);
      hashes.insert(first.trace_hash);
    }
  }
  EXPECT_EQ(hashes.size(), 40u);  // and others give others
}

TEST(Simulation, ATraceIsReadable) {
  const Simulation simulation({.seed = 3});
  const SimulationResult result = simulation.run([] {
    Mutex mutex(LockRank::kLogBuffer);
    Task other = Task::start("other", [] { trace_point("other.moment", 7, 8); });
    other.join();
    const Lock lock(mutex);
    Simulation::sleep_for(1500ms);
  });
  EXPECT_EQ(result.trace,
            "1 0.000000000 main#0 begin\n"
            "2 0.000000000 main#0 spawn other#1\n"
            "3 0.000000000 other#1 begin\n"
            "4 0.000000000 other#1 point other.moment 7 8 0\n"
            "4 0.000000000 other#1 end\n"
            "5 0.000000000 main#0 join other#1\n"
            "6 0.000000000 main#0 lock kLogBuffer#0\n"
            "6 1.500000000 main#0 time\n"
            "7 1.500000000 main#0 sleep\n"
            "8 1.500000000 main#0 unlock kLogBuffer#0\n"
            "8 1.500000000 main#0 end\n");
}

TEST(Simulation, OnlyTheLastStepsAreKept) {
  const auto points = [] {
    for (std::uint64_t i = 0; i < 10; ++i) trace_point("point", i);
  };
  const SimulationResult all = Simulation({}).run(points);
  const SimulationResult last = Simulation({.trace_steps_max = 3}).run(points);
  EXPECT_EQ(last.trace,
            "10 0.000000000 main#0 point point 8 0 0\n"
            "11 0.000000000 main#0 point point 9 0 0\n"
            "11 0.000000000 main#0 end\n");
  EXPECT_EQ(last.trace_hash, all.trace_hash);
  EXPECT_TRUE(all.trace.ends_with(last.trace));
}

TEST(Simulation, TimeMovesOnlyWhenNobodyCanRun) {
  const SimulatedClock clock;
  std::vector<std::pair<char, Nanoseconds>> seen;
  const SimulationResult result = Simulation({.seed = 9}).run([&] {
    Task slow = Task::start("slow", [&] {
      Simulation::sleep_for(5s);
      seen.emplace_back('s', clock.now());
    });
    Task fast = Task::start("fast", [&] {
      for (int i = 0; i < 1000; ++i) trace_point("fast.works");  // takes no time
      seen.emplace_back('f', clock.now());
      Mutex mutex(LockRank::kDevice);
      Condition condition;
      const Lock lock(mutex);
      EXPECT_FALSE(condition.wait_for(mutex, 2s));
      seen.emplace_back('t', clock.now());
    });
  });
  EXPECT_FALSE(result.has_finding()) << result.what;
  EXPECT_EQ(result.time, Nanoseconds(5s));
  EXPECT_EQ(result.timeouts, 1u);
  EXPECT_EQ(seen, (std::vector<std::pair<char, Nanoseconds>>{{'f', 0s}, {'t', 2s}, {'s', 5s}}));
  EXPECT_EQ(clock.now(), 0s);  // outside
}

// Stopped at a point with its lock, a task keeps only those out who want it.
TEST(Simulation, ATaskCanBeStoppedAtAPoint) {
  std::string order;
  unsigned points = 0;
  const auto at_point = [&](std::string_view name) {
    ++points;
    if (name == "slow.inside") Simulation::sleep_for(1s);
  };
  const SimulationResult result = Simulation({.seed = 5, .at_point = at_point}).run([&] {
    Mutex mutex(LockRank::kDevice);
    Task slow = Task::start("slow", [&] {
      const Lock lock(mutex);
      trace_point("slow.inside");
      order += 's';
    });
    Task other = Task::start("other", [&] {
      Simulation::sleep_for(1ms);
      trace_point("other.goes_on");
      order += 'o';
      const Lock lock(mutex);
      order += 'w';
    });
  });
  EXPECT_FALSE(result.has_finding()) << result.what;
  EXPECT_EQ(order, "osw");
  EXPECT_EQ(points, 2u);
  EXPECT_EQ(result.time, Nanoseconds(1s));
}

TEST(Simulation, AWakeComesBeforeTheLimit) {
  const SimulatedClock clock;
  const SimulationResult result = Simulation({.seed = 4}).run([&] {
    Mutex mutex(LockRank::kDevice);
    Condition condition;
    bool is_set = false;  // guarded by mutex
    Task setter = Task::start("setter", [&] {
      Simulation::sleep_for(1s);
      const Lock lock(mutex);
      is_set = true;
      condition.notify_all();
    });
    const Lock lock(mutex);
    while (!is_set) EXPECT_TRUE(condition.wait_for(mutex, 3s));
    EXPECT_EQ(clock.now(), 1s);
  });
  EXPECT_FALSE(result.has_finding()) << result.what;
  EXPECT_EQ(result.timeouts, 0u);
}

TEST(Simulation, AFailedCheckIsAFinding) {
  const SimulationResult result = Simulation({.seed = 5, .command = "base_test"}).run([] {
    Task other = Task::start("other", [] { Simulation::sleep_for(1s); });
    Simulation::sleep_for(500ms);
    CHECK(other.is_joinable() && false, "a rule of the test");
  });
  EXPECT_EQ(result.end, SimulationEnd::kCheckFailed);
  EXPECT_NE(result.what.find("a rule of the test (other.is_joinable() && false) at "),
            std::string::npos);
  EXPECT_NE(result.what.find("main#0 runs, after: sleep"), std::string::npos) << result.what;
  EXPECT_NE(result.what.find("other#1 waits: sleep"), std::string::npos) << result.what;
  EXPECT_EQ(result.repeat, "base_test seed 5 random");
}

TEST(Simulation, WhatATaskThrowsIsAFinding) {
  const SimulationResult result =
      Simulation({}).run([] { throw std::runtime_error("thrown by the test"); });
  EXPECT_EQ(result.end, SimulationEnd::kException);
  EXPECT_NE(result.what.find("thrown by the test"), std::string::npos);
  const SimulationResult other = Simulation({}).run([] { throw 7; });
  EXPECT_EQ(other.end, SimulationEnd::kException);
}

TEST(Simulation, WhatDoesNotEndIsAFinding) {
  const SimulationResult result = Simulation({.steps_max = 1000}).run([] {
    for (;;) trace_point("again");
  });
  EXPECT_EQ(result.end, SimulationEnd::kStepLimit);
  EXPECT_NE(result.what.find("main#0"), std::string::npos);
}

// One waits in vain, another looks after something every five seconds.
TEST(Simulation, WhatOnlyTimersKeepGoingIsAFinding) {
  const SimulationResult result = Simulation({.time_max = 60s}).run([] {
    Mutex mutex(LockRank::kDevice);
    Condition never, changed;
    Task service = Task::start("service", [&] {
      const Lock lock(mutex);
      for (;;) changed.wait_for(mutex, 5s);
    });
    const Lock lock(mutex);
    never.wait_for(mutex, Condition::kSafetyLimit);
  });
  EXPECT_EQ(result.end, SimulationEnd::kTimeLimit);
  EXPECT_EQ(result.timeouts, 12u);
  EXPECT_NE(result.what.find("main#0 waits: wake condition"), std::string::npos) << result.what;
}

TEST(Simulation, WakesSpuriouslyIfAskedTo) {
  const auto spurious = [](std::uint32_t per_thousand) {
    int count = 0;
    const SimulationResult result =
        Simulation({.spurious_wakes_per_thousand = per_thousand}).run([&] {
          Mutex mutex(LockRank::kDevice);
          Condition condition;
          const Lock lock(mutex);
          for (int i = 0; i < 1000; ++i) count += condition.wait_for(mutex, 1ms) ? 1 : 0;
        });
    EXPECT_FALSE(result.has_finding()) << result.what;
    return count;
  };
  EXPECT_EQ(spurious(0), 0);
  EXPECT_EQ(spurious(1000), 1000);
  EXPECT_GT(spurious(100), 50);
  EXPECT_LT(spurious(100), 150);
}

TEST(Simulation, LockOrderIsATasksOwn) {
  const SimulationResult fine = Simulation({}).run_seeds(50, [] {
    Mutex outer(LockRank::kRecorder), inner(LockRank::kDevice);
    const auto lock_inner = [&] { const Lock lock(inner); };
    const auto lock_both = [&] {
      const Lock first(outer);
      const Lock second(inner);
    };
    Task one = Task::start("one", lock_inner);
    Task other = Task::start("other", lock_both);
  });
  EXPECT_FALSE(fine.has_finding()) << fine.what;
  const SimulationResult wrong = Simulation({}).run([] {
    Mutex outer(LockRank::kRecorder), inner(LockRank::kDevice);
    const Lock first(inner);
    const Lock second(outer);
  });
  EXPECT_EQ(wrong.end, SimulationEnd::kCheckFailed);
  EXPECT_NE(wrong.what.find("lock order (docs/locking.md)"), std::string::npos);
}

TaskLocal<int> kept;

TEST(Simulation, WhatATaskKeepsIsItsOwn) {
  kept.get() = 77;
  const SimulationResult result = Simulation({}).run_seeds(20, [] {
    std::vector<Task> tasks;
    for (int i = 0; i < 3; ++i) {
      tasks.push_back(Task::start("keeper", [i] {
        CHECK(kept.get() == 0, "new in each task");
        kept.get() = i;
        trace_point("keeper.kept");
        CHECK(kept.get() == i, "as it was left");
      }));
    }
  });
  EXPECT_FALSE(result.has_finding()) << result.what;
  EXPECT_EQ(kept.get(), 77);
}

// What is thrown and caught in one task while others run is that task's.
TEST(Simulation, ExceptionsInsideTasksDoNotMix) {
  const SimulationResult result = Simulation({}).run_seeds(30, [] {
    std::vector<Task> tasks;
    for (int i = 0; i < 3; ++i) {
      tasks.push_back(Task::start("thrower", [i] {
        try {
          trace_point("thrower.before");
          throw i;
        } catch (int caught) {
          trace_point("thrower.inside");
          try {
            throw std::runtime_error("another");
          } catch (const std::exception&) {
            trace_point("thrower.deeper");
          }
          CHECK(caught == i, "what was thrown here");
          CHECK(std::current_exception() != nullptr, "still being handled");
        }
        CHECK(std::current_exception() == nullptr, "handled");
      }));
    }
  });
  EXPECT_FALSE(result.has_finding()) << result.what;
}

TEST(Simulation, ManyTasksOneAfterTheOther) {
  int count = 0;
  const SimulationResult result = Simulation({}).run([&] {
    for (int i = 0; i < 2000; ++i) Task::start("short", [&] { ++count; }).join();
  });
  EXPECT_FALSE(result.has_finding()) << result.what;
  EXPECT_EQ(count, 2000);
}

TEST(Simulation, ADeepStackFits) {
  const SimulationResult result = Simulation({}).run([] {
    Task::start("deep", [] {
      std::array<volatile std::uint8_t, 100'000> room;
      for (std::size_t i = 0; i < room.size(); i += 1000) room[i] = 1;
      trace_point("deep", room[5000]);
    }).join();
  });
  EXPECT_NE(result.trace.find("point deep 1"), std::string::npos);
}

// A lock that was used in a simulation with a finding is as before, outside and in the next.
TEST(Simulation, LeavesLiveLocksAlone) {
  Mutex mutex(LockRank::kDevice);
  SharedMutex shared(LockRank::kInode);
  const auto body = [&] {
    const ExclusiveLock outer(shared);
    const Lock lock(mutex);
    Simulation::fail("on purpose");
  };
  EXPECT_EQ(Simulation({}).run(body).end, SimulationEnd::kFailed);
  EXPECT_EQ(Simulation({}).run(body).end, SimulationEnd::kFailed);
  const ExclusiveLock outer(shared);
  const Lock lock(mutex);
  EXPECT_FALSE(Simulation::is_running());
}

TEST(SimulationDeathTest, IsNotNested) {
  const SimulationResult result = Simulation({}).run([] { Simulation({}).run([] {}); });
  EXPECT_EQ(result.end, SimulationEnd::kCheckFailed);
  EXPECT_DEATH(Simulation::sleep_for(1s), "CHECK failed: only inside a simulation");
}

#ifdef POWERCUT_MUTANTS
const MutantNames kMutants{"base.test.skips", "base.test.other"};

TEST(Mutants, AreOnWhereASimulationSaysSo) {
  const auto body = [] {
    if (mutant("base.test.skips")) Simulation::fail("skipped");
    if (mutant("base.test.other")) Simulation::fail("other");
  };
  EXPECT_FALSE(Simulation({}).run(body).has_finding());
  const SimulationResult result = Simulation({.mutants = {"base.test.skips"}}).run(body);
  EXPECT_EQ(result.end, SimulationEnd::kFailed);
  EXPECT_EQ(result.repeat, "mutant base.test.skips seed 1 random");
  EXPECT_FALSE(mutant("base.test.skips"));  // not in the running program
}

TEST(Mutants, AreListed) {
  const std::vector<std::string> names = mutant_names();
  EXPECT_TRUE(std::ranges::is_sorted(names));
  EXPECT_EQ(std::ranges::count(names, "base.test.skips"), 1);
  EXPECT_EQ(std::ranges::count(names, "base.test.other"), 1);
}

TEST(MutantsDeathTest, AnUnknownNameIsAMistake) {
  EXPECT_DEATH(mutant("base.test.mistyped"), "a mutant's name stands in a MutantNames");
  EXPECT_DEATH(Simulation({.mutants = {"base.test.mistyped"}}).run([] {}),
               "a mutant that a simulation asks for stands in a MutantNames");
}
#endif

}  // namespace
}  // namespace powercut
