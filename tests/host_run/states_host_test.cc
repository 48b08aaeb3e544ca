// Runs of the built-in loads in each data mode, with every state explored that a power cut could
// have left: what is found must be explained, by data mode, load and rule.
//
// POWERCUT_STATES in the environment says how many distinct recovered states there are to be, all
// modes and loads together: `./test full` wants 100,000; by name a million:
//   POWERCUT_STATES=1000000 build/asan/tests/host_run/host_run_test --gtest_filter='States*Many*'
#include <cstdio>
#include <cstdlib>
#include <map>

#include "tests/host_run/host_fixture.h"

namespace powercut::host_run_testing {
namespace {

constexpr const char* kModes[] = {"journal", "ordered", "writeback"};
constexpr const char* kLoads[] = {"write", "mmap", "append", "rename", "mixed"};

// What Linux itself does (docs/findings.md): a file that is cut while it commits, zeroing beside
// the log, and pages that go home while they are written to.  `mixed` alone cuts and preallocates.
constexpr std::pair<const char*, const char*> kExplained[] = {
    {"journal mixed", "tag: checksum"},
    {"journal mixed", "recover: recovery-refused"},
    {"journal mixed", "content: words-foreign"},
    {"journal mixed", "content: words-not-zero"},
    {"journal mixed", "content: words-garbage"},
    {"journal mixed", "order: home-ahead"},
    {"journal mixed", "order: home-not-a-version"},
};

bool is_explained(const std::string& where, const std::string& what) {
  for (const auto& [load, rule] : kExplained) {
    if (where == load && what == rule) return true;
  }
  return false;
}

struct ModeCounts {
  std::uint64_t runs = 0, commits = 0, crash_points = 0, explored = 0, walked = 0;
  std::uint64_t recovered = 0, judged = 0, bad = 0;
  std::map<std::string, std::uint64_t> findings;  // by load and rule: in how many runs
};

class States : public HostRunTest {
 protected:
  // False, and the test failed, if the run gives no result.
  bool explore(const std::string& mode, const std::string& load, unsigned seconds,
               std::uint64_t states) {
    const auto ended = run_words({"run",
                                  "--json",
                                  "--output",
                                  "results",
                                  "--size",
                                  "64",
                                  "--journal-size",
                                  "8",
                                  "--mount-options",
                                  "data=" + mode,
                                  "--seconds",
                                  std::to_string(seconds + 30),
                                  "--explore-seconds",
                                  "30",
                                  "--states",
                                  std::to_string(states),
                                  "--",
                                  POWERCUT_BUILT_PROGRAM,
                                  "workload",
                                  load,
                                  "--seconds",
                                  std::to_string(seconds),
                                  "."});
    if (!ended) return false;
    const Json run = ended->run();
    if (!run.is_object() || !run["exploration"].is_object()) {
      ADD_FAILURE() << mode << " " << load << ended->output << ended->errors;
      return false;
    }
    EXPECT_EQ(run["ending"], "the load ended in order") << run["trouble"] << run["load_output"];
    EXPECT_EQ(run["all_commits_seen"], true);
    const Json& exploration = run["exploration"];
    const Json& counts = exploration["counts"];
    ModeCounts& sum = counts_[mode];
    ++sum.runs;
    sum.commits += run["counters"]["commits"].get<std::uint64_t>();
    sum.crash_points += counts["crash_points"].get<std::uint64_t>();
    sum.explored += counts["explored"].get<std::uint64_t>();
    sum.walked += counts["walked"].get<std::uint64_t>();
    sum.recovered += counts["distinct_recovered"].get<std::uint64_t>();
    sum.judged += counts["judged"].get<std::uint64_t>();
    sum.bad += counts["bad"].get<std::uint64_t>();
    std::set<std::string> rules;
    if (!run["findings"].empty()) rules.insert("tag: checksum");
    for (const char* const list : {"findings", "stream_findings"}) {
      for (const Json& each : exploration[list]) {
        rules.insert(each["judge"].get<std::string>() + ": " + each["rule"].get<std::string>());
      }
    }
    const std::string where = mode + " " + load;
    for (const std::string& rule : rules) {
      ++sum.findings[load + " " + rule];
      EXPECT_TRUE(is_explained(where, rule)) << where << ": " << rule << "\n"
                                             << exploration.dump(1);
    }
    return true;
  }
  std::uint64_t recovered() const {
    std::uint64_t sum = 0;
    for (const auto& [mode, counts] : counts_) sum += counts.recovered;
    return sum;
  }
  void print_counts() const {
    for (const auto& [mode, counts] : counts_) {
      std::printf(
          "data=%s: %llu runs, %llu commits, %llu of %llu crash points, %llu walked, %llu distinct "
          "recovered, %llu judged, %llu bad\n",
          mode.c_str(), ull(counts.runs), ull(counts.commits), ull(counts.explored),
          ull(counts.crash_points), ull(counts.walked), ull(counts.recovered), ull(counts.judged),
          ull(counts.bad));
      for (const auto& [what, runs] : counts.findings) {
        std::printf("  %s: in %llu runs\n", what.c_str(), ull(runs));
      }
    }
  }

 private:
  static unsigned long long ull(std::uint64_t number) { return number; }
  std::map<std::string, ModeCounts> counts_;
};

TEST_F(States, OfALoadInEachMode) {
  EXPECT_TRUE(explore("journal", "rename", 1, 3000));
  EXPECT_TRUE(explore("ordered", "mixed", 1, 3000));
  EXPECT_TRUE(explore("writeback", "append", 1, 3000));
  EXPECT_GT(recovered(), 500U);
}

TEST_F(States, RecordingsOfEarlierRunsStay) {
  for (int i = 0; i < 2; ++i) {
    const auto ended = run_words({"run", "--json", "--output", "results", "--size", "64",
                                  "--journal-size", "4", "--check", "false", "--", "touch", "f"});
    if (!ended) return;
    SCOPED_TRACE(ended->output + ended->errors);
    EXPECT_EQ(ended->code, 1);  // the check calls every state bad
    const Json outcome = ended->run();
    EXPECT_TRUE(std::filesystem::exists(outcome["recording"].get<std::string>()));
    const Json& findings = outcome["exploration"]["findings"];
    ASSERT_FALSE(findings.empty());
    EXPECT_EQ(findings[0]["judge"], "command");
  }
  EXPECT_TRUE(is_there("results/run1.pcrec"));
  EXPECT_TRUE(is_there("results/run1-2.pcrec"));
}

TEST_F(States, ManyOfAllLoadsInAllModes) {
  const char* const wanted = std::getenv("POWERCUT_STATES");
  if (wanted == nullptr) GTEST_SKIP() << "a long one: POWERCUT_STATES says how many states";
  const std::uint64_t states = std::strtoull(wanted, nullptr, 10);
  constexpr std::uint64_t kRuns = std::size(kModes) * std::size(kLoads);
  while (recovered() < states && !HasFailure()) {
    for (const char* const mode : kModes) {
      for (const char* const load : kLoads) {
        if (!explore(mode, load, 3, std::max<std::uint64_t>(2000, 2 * states / kRuns))) return;
      }
    }
    print_counts();
  }
  EXPECT_GE(recovered(), states);
}

}  // namespace
}  // namespace powercut::host_run_testing
