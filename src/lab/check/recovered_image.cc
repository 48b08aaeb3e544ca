#include "lab/check/recovered_image.h"

namespace powercut::lab {

RecoveredImage::RecoveredImage(const ContentPool& pool, std::span<const ContentId> base,
                               const StateRecovery& recovery, std::vector<StateJudge*> judges)
    : recovery_(recovery),
      image_(pool, std::vector<ContentId>(base.begin(), base.end())),
      judges_(std::move(judges)),
      under_(base.begin(), base.end()),
      over_(base.size(), kNone),
      wanted_(base.begin(), base.end()),
      laps_(base.size()),
      is_touched_(base.size()) {
  for (std::uint64_t block = 0; block < wanted_.size(); ++block) {
    sum_ += part_of_sum(BlockNo(block), wanted_[block]);
  }
  for (StateJudge* const judge : judges_) judge->begin(image_);
}

void RecoveredImage::want(std::uint64_t block, ContentId content) {
  ContentId& wanted = wanted_[block];
  if (wanted == content) return;
  sum_ += part_of_sum(BlockNo(block), content) - part_of_sum(BlockNo(block), wanted);
  wanted = content;
  if (is_touched_[block]) return;
  is_touched_[block] = true;
  touched_.push_back(block);
}

void RecoveredImage::set_under(BlockNo block, ContentId content) {
  if (recovery_.is_journal(block)) return;
  under_[block.value()] = content;
  if (!is_overridden(block)) want(block.value(), content);
}

void RecoveredImage::set_override(const Override& override) {
  if (recovery_.is_journal(override.home)) return;
  const std::uint64_t home = override.home.value();
  laps_[home] = lap_;
  over_[home] = override.content;
  want(home, override.content);
}

void RecoveredImage::set_overrides(const std::vector<Override>& overrides) {
  ++lap_;
  for (const Override& override : overrides) set_override(override);
  for (const Override& before : overrides_) {
    const std::uint64_t home = before.home.value();
    if (laps_[home] == lap_ || over_[home] == kNone) continue;
    over_[home] = kNone;
    want(home, under_[home]);
  }
  overrides_ = overrides;
}

void RecoveredImage::learn(std::string_view mark) {
  for (StateJudge* const judge : judges_) judge->learn(mark);
}

bool RecoveredImage::settle() {
  for (const std::uint64_t at : touched_) {
    const BlockNo block(at);
    is_touched_[at] = false;
    const ContentId before = image_.at(block);
    const ContentId now = wanted_[at];
    if (before == now) continue;
    image_.set(block, now);
    for (StateJudge* const judge : judges_) judge->change(block, before, now);
  }
  touched_.clear();
  bool is_good = true;
  for (StateJudge* const judge : judges_) is_good = judge->settle() && is_good;
  return is_good;
}

}  // namespace powercut::lab
