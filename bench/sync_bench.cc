// What locks and trace points cost in the running program, and how many steps a simulation takes a
// second.  Each figure is the median of several rounds on one thread.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <vector>

#include "base/simulation.h"
#include "base/sync.h"
#include "base/task.h"
#include "base/trace.h"

namespace powercut {
namespace {

constexpr int kRounds = 31;
constexpr std::uint64_t kTimes = 1'000'000;

template <class Work>
double median_ns(Work work) {
  std::vector<double> rounds;
  for (int i = 0; i < kRounds; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    for (std::uint64_t j = 0; j < kTimes; ++j) {
      work(j);
      asm volatile("" ::: "memory");  // the loop is not thought away
    }
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    rounds.push_back(took.count() / static_cast<double>(kTimes));
  }
  std::ranges::nth_element(rounds, rounds.begin() + kRounds / 2);
  return rounds[kRounds / 2];
}

void print_live() {
  Mutex mutex(LockRank::kDevice);
  SharedMutex shared(LockRank::kInode);
  std::mutex plain;
  std::printf("empty loop                    %6.2f ns\n", median_ns([](std::uint64_t) {}));
  std::printf("std::mutex lock, unlock       %6.2f ns\n", median_ns([&](std::uint64_t) {
                plain.lock();
                plain.unlock();
              }));
  std::printf("Mutex lock, unlock            %6.2f ns\n",
              median_ns([&](std::uint64_t) { const Lock lock(mutex); }));
  std::printf("SharedMutex shared            %6.2f ns\n",
              median_ns([&](std::uint64_t) { const SharedLock lock(shared); }));
  std::printf("SharedMutex exclusive         %6.2f ns\n",
              median_ns([&](std::uint64_t) { const ExclusiveLock lock(shared); }));
  std::printf("trace_point, three arguments  %6.2f ns\n",
              median_ns([](std::uint64_t i) { trace_point("bench.point", i, i, i); }));
}

void print_simulated(const char* name, SearchStrategy strategy, std::size_t tasks) {
  std::vector<double> rates;
  SimulationResult result;
  for (int i = 0; i < 7; ++i) {
    const Simulation simulation({.seed = 1, .strategy = strategy, .pct_steps = 100'000});
    const auto begin = std::chrono::steady_clock::now();
    result = simulation.run([&] {
      Mutex mutex(LockRank::kDevice);
      std::vector<Task> all;
      for (std::size_t j = 0; j < tasks; ++j) {
        all.push_back(Task::start("bench", [&] {
          for (int k = 0; k < 50'000; ++k) {
            trace_point("bench.point", static_cast<std::uint64_t>(k));
            const Lock lock(mutex);
          }
        }));
      }
    });
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    rates.push_back(static_cast<double>(result.steps) / took.count());
  }
  std::ranges::nth_element(rates, rates.begin() + 3);
  std::printf("%-8s %2zu tasks  %5.2f million steps a second, %2.0f %% with a switch\n", name,
              tasks, rates[3] / 1e6,
              100.0 * static_cast<double>(result.switches) / static_cast<double>(result.steps));
}

}  // namespace
}  // namespace powercut

int main() {
  powercut::print_live();
  for (const std::size_t tasks : {2, 8, 32}) {
    powercut::print_simulated("random", powercut::SearchStrategy::kRandom, tasks);
  }
  powercut::print_simulated("pct", powercut::SearchStrategy::kPct, 8);
}
