// The recovered state that the judges look at, moved from one state to the next by differences.
//
// Words
//   under      what a block holds before the recovery
//   override   what the recovery gives it instead (state_recovery.h)
//   wanted     the override where there is one, else what is under it
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
  bool is_overridden(BlockNo block) const { return over_[block.value()] != kNone; }
  // In place of all overrides so far.
  void set_overrides(const std::vector<Override>& overrides);
  ContentId at(BlockNo block) const { return wanted_[block.value()]; }
  std::uint64_t sum() const { return sum_; }

  std::span<StateJudge* const> judges() const { return judges_; }
  void learn(std::string_view mark);
  // Brings image and judges up to date.  True if nothing is wrong.
  bool settle();
  // After settle().
  const StateImage& image() const { return image_; }

 private:
  static constexpr ContentId kNone{~std::uint32_t{0}};
  void want(std::uint64_t block, ContentId content);
  void set_override(const Override& override);

  const StateRecovery& recovery_;
  StateImage image_;  // what the judges know
  const std::vector<StateJudge*> judges_;
  std::vector<ContentId> under_, over_, wanted_;
  std::vector<Override> overrides_;
  std::vector<std::uint32_t> laps_;  // by block: the set_overrides() that named it last
  std::uint32_t lap_ = 0;
  std::vector<std::uint64_t> touched_;  // blocks where wanted_ and image_ may differ
  std::vector<bool> is_touched_;
  std::uint64_t sum_ = 0;
};

}  // namespace powercut::lab
