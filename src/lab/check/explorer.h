// Goes through the crash points of a stream: which logs a cut may leave, what each recovers to, and
// what the judges say of it.
//
// At each crash point, in two stages:
//   1. the recovery runs over choices that are made when it reads a pending block (lazy_choices.h):
//      all states that it cannot tell apart are one run.  Runs with the same overrides are one
//      outcome.
//   2. under each outcome, the pending blocks that the recovery does not override are walked
//      (state_walk.h); each step changes the recovered image in one block, mostly.
//
// Words
//   state             what all blocks hold; named by its crash point and the writes that got there
//   distinct state    two states differ if they do in a block that the recovery reads, or when they
//                     are recovered
//   recovered state   what the judges see; a distinct one is judged once, and once more when a mark
//                     was learned since
//
// Threads: one caller at a time.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "lab/check/recover_judge.h"
#include "lab/check/recovered_image.h"
#include "lab/check/state_examiner.h"
#include "lab/explore/lazy_choices.h"
#include "lab/explore/state_walk.h"

namespace powercut::lab {

struct ExplorerOptions {
  CrashModel model = {};
  RecoverAs recover_as = RecoverAs::kLinux;
  std::uint64_t seed = 1;
  std::uint64_t states_max = 1'000'000;  // walked
  // Where the time does not do for all crash points, those that are left out lie evenly between the
  // others.
  std::optional<Nanoseconds> time_max = std::nullopt;
  RunBounds runs = {.all_max = 128, .random_max = 32};
  WalkBounds walk = {};                // of each outcome, as far as states_max leaves room
  std::uint64_t compare_every = 2000;  // one of so many judged states is recovered the slow way too
  std::size_t second_cuts = 4;         // of each of those
  bool judges_recovery = true;         // the recover judge's findings count
  // Of a part of a longer stream: the number that its first event has there.  Crash points and
  // states are named by it.
  std::uint64_t first_number = 0;
  // Crash points outside of these are passed over, and not counted.
  std::uint64_t first_point = 0, end_point = UINT64_MAX;
  bool stream_goes_on = false;                // its end is no crash point
  std::vector<std::string> known_marks = {};  // learned before the stream begins
  // These look at one of so many judged states, for a share of the time; must outlive the explorer.
  std::vector<StateExaminer*> examiners = {};
  std::uint64_t examine_every = 1;
  std::uint64_t examined_max = 1000;  // states
  Nanoseconds examine_time_max = std::chrono::seconds(60);
};

struct StateId {
  std::uint64_t crash_point = 0;
  std::string writes;  // as state_name()
};

// All findings of one rule.
struct GroupedFinding {
  CheckFinding finding;  // of the first state that has it
  StateId first;
  std::uint64_t state_count = 0;
};

struct ExplorerCounts {
  std::uint64_t crash_points = 0;  // in the stream
  std::uint64_t explored = 0;      // of those
  std::uint64_t whole = 0;         // of those: every state of it
  double log2_states = 0;          // of all crash points together, before anything is left out
  double log2_states_max = 0;      // of the crash point that has most
  std::uint64_t runs = 0, outcomes = 0;
  std::uint64_t walked = 0;
  std::uint64_t distinct = 0, recovered = 0, judged = 0, bad = 0;
  std::uint64_t compared = 0, second_cuts = 0;
  std::uint64_t examined = 0;  // by the examiners
  double examine_seconds = 0;  // of `seconds`
  double seconds = 0;

  // Those of another exploration, too.  Not log2_states: nobody tells it of several.
  void add(const ExplorerCounts& other);
};

class Explorer {
 public:
  // All must outlive it.  `stream`'s pool grows.  `map`: the journal of the disk, which lies on it.
  Explorer(BlockStream& stream, JournalMap map, std::vector<StateJudge*> judges, const Clock& clock,
           const ExplorerOptions& options);

  // Explores all crash points, as far as the bounds allow.  `goes_on` is asked now and then; false
  // ends it in order.  Errors: kLimit: the pool's.  kAborted: the fast way and the slow one differ,
  // which is a mistake of ours: the state is in its detail.
  Result<void> run(const std::function<bool(const ExplorerCounts&)>& goes_on);
  // Judges one state alone.  Errors: kInvalid: no such state; as run().
  Result<std::vector<CheckFinding>> judge_one(const StateId& state);
  // What each block of a state holds before it is recovered.  Errors: kInvalid: no such state.
  Result<std::vector<ContentId>> contents_of(const StateId& state);

  const ExplorerCounts& counts() const { return counts_; }
  // By judge and rule.
  std::vector<GroupedFinding> findings() const;

 private:
  class State;
  struct Outcome {
    LogOutcome log;
    std::uint64_t sum = 0;             // of the overrides
    std::vector<Choice> choices;       // of the first run that led to it
    std::vector<std::uint64_t> reads;  // of each run: the sum of what it read
    std::optional<CheckFinding> finding;
  };

  // The name of the crash point that `window` is at; nothing: it is not to be looked at.
  std::optional<std::uint64_t> wanted_point(const CrashWindow& window) const;
  std::uint64_t number_now() const { return options_.first_number + window_.crash_point(); }
  void learn(const std::string& mark);
  void count_crash_points();
  Result<bool> next_window();
  Result<void> explore_window(const std::function<bool(const ExplorerCounts&)>& goes_on);
  Result<std::vector<Outcome>> outcomes_of_window(bool& is_whole);
  Result<bool> walk(const Outcome& outcome, const WalkBounds& bounds);
  Result<void> visit(const Outcome& outcome);
  Result<void> compare(const Outcome& outcome);
  bool may_examine() const;
  Result<void> examine(const Outcome& outcome);
  void note(const CheckFinding& finding);
  void put_under(const Outcome& outcome);
  WalkBounds bounds_for(std::size_t outcomes) const;
  std::vector<ContentId> contents_now() const;
  // Of the time there is, more was used than of the crash points.
  bool is_behind() const;
  bool is_time_over() const;
  Result<void> go_to(const StateId& state);

  BlockStream& stream_;
  const Clock& clock_;
  const ExplorerOptions options_;
  Prng prng_;
  StateRecovery recovery_;
  RecoverJudge recover_judge_;
  RecoveredImage image_;
  CrashWindow window_;
  Nanoseconds began_{0};
  std::uint64_t passed_ = 0;            // crash points, explored or left out
  std::uint32_t next_event_ = 0;        // marks before it are learned
  std::uint32_t lap_ = 1;               // counts up when a mark is learned
  std::vector<std::string> marks_;      // learned so far; kept for examiners
  std::vector<std::uint32_t> digits_;   // of the state now, by slot
  std::vector<std::uint32_t> radices_;  // by slot
  std::vector<std::uint32_t> slot_of_;  // by block: 1 + slot; 0: not pending
  std::vector<std::uint32_t> asked_;    // by block: the last run that asked for it
  std::uint32_t run_ = 0;
  SumTable distinct_, recovered_;
  ExplorerCounts counts_;
  std::map<std::pair<JudgeName, std::string>, GroupedFinding> findings_;
};

}  // namespace powercut::lab
