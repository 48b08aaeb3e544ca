// Who decides which task of a simulation goes next: at random, by priorities, or all of them in
// turn.
//
// Words
//   decision   a moment at which several tasks can go on, or a choice among several values
//   preemption a decision for another task although the one that ran last could go on
//   schedule   the decisions of a run.  In its text each decision that is not 0 stands as
//              NUMBER:CHOSEN; 0 is to go on with the task that ran last, or the first that can
//   state      where all tasks are, as far as it matters: two orders of steps that do not depend
//              on each other lead to the same state.  It is known by a hash over the partial order
//              of the steps that led there
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/prng.h"

namespace powercut::detail {

class Chooser {
 public:
  struct Moment {
    std::span<const std::uint32_t> ready;  // the tasks that can go on, by number; not empty
    std::size_t current = 0;               // the one that ran last, in `ready`; its size: none
    std::uint64_t state = 0;               // only if wants_states()
  };
  virtual ~Chooser() = default;
  // An index into moment.ready.
  virtual std::size_t pick(const Moment& moment) = 0;
  // A number below `count`, which is not 0.
  virtual std::uint64_t choose(std::uint64_t count) = 0;
  virtual bool wants_states() const { return false; }
};

class RandomChooser final : public Chooser {
 public:
  explicit RandomChooser(const Prng& prng)
      : tasks_(prng.child("tasks")), values_(prng.child("values")) {}
  std::size_t pick(const Moment& moment) override { return tasks_.below(moment.ready.size()); }
  std::uint64_t choose(std::uint64_t count) override { return values_.below(count); }

 private:
  Prng tasks_;
  Prng values_;
};

// Probabilistic concurrency testing (Burckhardt and others, 2010): tasks have random priorities,
// the highest goes on; at depth - 1 random steps of the first `steps` the one that would go is put
// behind all others.  With n tasks, a mistake that needs `depth` ordered steps is found by one run
// with a chance of at least 1 / (n * steps^(depth - 1)).
class PctChooser final : public Chooser {
 public:
  PctChooser(const Prng& prng, std::uint32_t depth, std::uint64_t steps);
  std::size_t pick(const Moment& moment) override;
  std::uint64_t choose(std::uint64_t count) override { return values_.below(count); }

 private:
  std::size_t highest(std::span<const std::uint32_t> ready);
  std::uint64_t& priority(std::uint32_t task);

  Prng priorities_;
  Prng values_;
  std::vector<std::uint64_t> changes_;   // the steps at which a priority changes, falling
  std::vector<std::uint64_t> priority_;  // by task; the low ones are of changes
  std::uint64_t step_ = 0;
};

// Every schedule within a bound of preemptions, one run after the other, by depth first; a state
// that was met before with as many preemptions left is not gone on from in all ways again.
class ExhaustiveChooser final : public Chooser {
 public:
  struct Options {
    std::uint32_t preemptions_max = 0;
    bool reduces = true;                            // does not expand a state twice
    std::size_t states_max = std::size_t{8} << 20;  // that are remembered
  };
  explicit ExhaustiveChooser(Options options) : options_(options) {}
  std::size_t pick(const Moment& moment) override;
  std::uint64_t choose(std::uint64_t count) override;
  bool wants_states() const override { return options_.reduces; }

  // Goes to the next schedule; false if there is none left.
  bool next();
  std::string schedule() const;
  std::uint64_t state_count() const { return states_.size(); }
  // Alternatives that were left out since they have more preemptions than allowed.
  std::uint64_t beyond_bound() const { return beyond_bound_; }

 private:
  struct Decision {
    std::uint64_t chosen = 0;
    std::uint64_t count = 0;
    std::uint32_t preemptions = 0;  // before this one
    std::uint32_t cost = 0;         // in preemptions, of each but 0
    bool is_expanded = false;       // its alternatives are this search's to try
  };
  std::uint64_t decide(std::uint64_t count, std::uint32_t cost, bool is_expanded);
  bool is_new_state(const Moment& moment);

  const Options options_;
  std::vector<Decision> path_;
  std::uint64_t depth_ = 0;        // decisions made in this run
  std::uint32_t preemptions_ = 0;  // in this run
  bool is_known_ = false;          // this run has come to a state that was met before
  std::unordered_map<std::uint64_t, std::uint32_t> states_;  // with the fewest preemptions so far
  std::uint64_t beyond_bound_ = 0;
};

// One schedule again, from its text.
class ScheduleChooser final : public Chooser {
 public:
  // Text that is no schedule is a mistake (CHECK).
  explicit ScheduleChooser(std::string_view schedule);
  std::size_t pick(const Moment& moment) override;
  std::uint64_t choose(std::uint64_t count) override { return decide(count); }

 private:
  std::uint64_t decide(std::uint64_t count);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> chosen_;  // NUMBER and CHOSEN, rising
  std::size_t next_ = 0;
  std::uint64_t depth_ = 0;
};

}  // namespace powercut::detail
