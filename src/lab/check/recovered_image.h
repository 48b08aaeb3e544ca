// The recovered state that the judges look at, moved from one state to the next by differences.
//
// Words
//   under      what a block holds before the recovery
//   settled    the override of the settled part of the log (state_recovery.h)
//   top        how an outcome's overrides differ from the settled ones
//   wanted     what the top says, else what is settled, else what is under it
//
// Blocks of the journal are no part of it: they hold what they held at first.
// Invariants
//   1. sum() is that of the wanted contents of all blocks, at any time.
//   2. The judges are told of a block's change only when they are asked, so going there and back in
//      between costs them nothing.
// Threads: one caller at a time.
#pragma once

#include <span>

#include "lab/check/content_sum.h"
#include "lab/check/state_judge.h"
#include "lab/check/state_recovery.h"

namespace powercut::lab {

class RecoveredImage {
 public:
  // All must outlive it.  The judges begin with the base.
  RecoveredImage(const ContentPool& pool, std::span<const ContentId> base,
                 const StateRecovery& recovery, std::vector<StateJudge*> judges);

  void set_under(BlockNo block, ContentId content);
  ContentId under(BlockNo block) const { return under_[block.value()]; }
  // The recovery gives the block a content of its own.
  bool is_overridden(BlockNo block) const { return override_of(block.value()) != kNoOverride; }
  void change_settled(std::span<const Override> changes);
  // In place of the top so far.
  void set_top(const std::vector<Override>& overrides);
  ContentId at(BlockNo block) const { return wanted_[block.value()]; }
  std::uint64_t sum() const { return sum_; }

  std::span<StateJudge* const> judges() const { return judges_; }
  void learn(std::string_view mark);
  // Brings image and judges up to date.  True if nothing is wrong.
  bool settle();
  // After settle().
  const StateImage& image() const { return image_; }

 private:
  // In top_: nothing is said of the block.
  static constexpr ContentId kNotSaid{~std::uint32_t{0} - 1};
  ContentId override_of(std::uint64_t block) const {
    return top_[block] != kNotSaid ? top_[block] : settled_[block];
  }
  void want_again(std::uint64_t block);

  const StateRecovery& recovery_;
  StateImage image_;  // what the judges know
  const std::vector<StateJudge*> judges_;
  std::vector<ContentId> under_, settled_, top_, wanted_;
  std::vector<std::uint64_t> topped_;   // blocks that top_ says something of
  std::vector<std::uint64_t> touched_;  // blocks where wanted_ and image_ may differ
  std::vector<bool> is_touched_;
  std::uint64_t sum_ = 0;
};

}  // namespace powercut::lab
