// Choices that are made only when somebody asks: the tree of all runs of something that reads a few
// of many pending blocks, depth first.
//
// Words
//   run   one time that the reader is let go over the state; it asks digit(slot) for what it reads
//
// What a run does not ask for does not matter to it, so all states that agree in what it did ask
// for are one run.  Up to a bound every run is made, else random ones follow, in which each choice
// is drawn uniformly.  The reader must be deterministic: what it asks depends on what it was told.
// Pure.
#pragma once

#include <span>
#include <vector>

#include "base/prng.h"
#include "lab/explore/crash_window.h"

namespace powercut::lab {

struct RunBounds {
  std::uint32_t all_max = 512;    // runs, depth first
  std::uint32_t random_max = 64;  // if there are more: so many random ones
};

class LazyChoices {
 public:
  // `radices`: candidates of each slot, at least 1.
  LazyChoices(std::span<const std::uint32_t> radices, const RunBounds& bounds, Prng prng);

  std::uint32_t digit(std::uint32_t slot);
  // What was asked in this run, in the order of asking.
  std::span<const Choice> made() const { return made_; }
  // On to the next run.  False at the end.
  bool next();
  // Every run was made; ask at the end.
  bool is_whole() const { return is_whole_; }
  // Of all states, the share that belongs to the runs made depth first.
  double share() const { return share_; }

 private:
  void forget();

  const std::span<const std::uint32_t> radices_;
  const RunBounds bounds_;
  Prng prng_;
  std::vector<Choice> made_;
  std::vector<Choice> path_;           // to be made again at the beginning of this run
  std::vector<std::uint32_t> digits_;  // by slot; kOpen: not asked for
  static constexpr std::uint32_t kOpen = ~std::uint32_t{0};
  std::uint32_t run_count_ = 0;  // finished
  double share_ = 0;
  bool is_random_ = false, is_whole_ = false;
};

}  // namespace powercut::lab
