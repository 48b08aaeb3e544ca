// The states of one window, each a step from the one before: all of them, or a sample.
//
// Words
//   slot    a pending block, as an index
//   digit   the candidate that it holds, as an index; 0: no write got there
//   state   a digit for each slot
//   step    one write, in order of submission: the slot and the digit that it would leave
//
// Up to a bound on their number all states are walked, in reflected Gray code of mixed radix:
// neighbours differ in one slot by one.  Above it the walk takes, in this order: no write there;
// every prefix in order of submission, up to all; each write alone missing; each write alone there;
// and random states: each of them is drawn uniformly from all, but neighbours differ in one slot,
// so they are not independent of each other.  Where even the named ones are too many, a random part
// of them is taken, and no write and all writes always.
// Pure.  It may visit a state twice when it samples; who counts looks at what the states hold.
#pragma once

#include <span>
#include <vector>

#include "base/prng.h"
#include "lab/explore/crash_window.h"

namespace powercut::lab {

struct WalkBounds {
  std::uint64_t all_max = 4096;   // so many states are walked all
  std::uint64_t some_max = 4096;  // else so many of them; at least 2
};

class StateWalk {
 public:
  // `radices`: how many candidates each slot has, at least 1.  `steps`: as CrashWindow has them, of
  // these slots.  Begins at digits that are all 0.
  StateWalk(std::vector<std::uint32_t> radices, std::vector<Choice> steps, const WalkBounds& bounds,
            Prng prng);

  // Every state is walked.
  bool is_whole() const { return is_whole_; }
  double log2_states() const { return log2_states_; }
  // The digits now.
  std::span<const std::uint32_t> digits() const { return digits_; }
  // Goes on to the next state; what changes is in `changes`, perhaps several times for one slot, or
  // nothing.  False at the end.
  bool next(std::vector<Choice>& changes);

 private:
  enum class Phase : std::uint8_t { kGray, kPrefixes, kMissing, kAlone, kRandom };
  static constexpr std::uint64_t kWalkLength =
      64;  // random states before all digits are drawn anew

  bool next_gray(std::vector<Choice>& changes);
  bool next_prefix(std::vector<Choice>& changes);
  bool next_missing(std::vector<Choice>& changes);
  bool next_alone(std::vector<Choice>& changes);
  bool next_random(std::vector<Choice>& changes);
  void put(std::uint32_t slot, std::uint32_t digit, std::vector<Choice>& changes);
  void choose_named();

  const std::vector<std::uint32_t> radices_;
  const std::vector<Choice> steps_;
  const WalkBounds bounds_;
  Prng prng_;
  bool is_whole_ = false;
  double log2_states_ = 0;
  Phase phase_ = Phase::kGray;
  std::vector<std::uint32_t> digits_, all_;
  std::vector<std::uint32_t> before_;  // by write: the digit of its slot before it came
  std::vector<bool> is_last_;          // by write: no later one goes to its slot
  std::uint64_t walked_ = 1;
  std::size_t at_ = 0;                // in named_, of the phase
  std::vector<std::uint32_t> named_;  // indices of the writes that the named states are of
  std::vector<bool> goes_down_;       // Gray: the direction of each slot
};

}  // namespace powercut::lab
