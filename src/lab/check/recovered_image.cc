#include "lab/check/recovered_image.h"

namespace powercut::lab {

RecoveredImage::RecoveredImage(const ContentPool& pool, std::span<const ContentId> base,
                               const StateRecovery& recovery, std::vector<StateJudge*> judges)
    : recovery_(recovery),
      image_(pool, std::vector<ContentId>(base.begin(), base.end())),
      judges_(std::move(judges)),
      under_(base.begin(), base.end()),
      settled_(base.size(), kNoOverride),
      top_(base.size(), kNotSaid),
      wanted_(base.begin(), base.end()),
      is_touched_(base.size()) {
  for (std::uint64_t block = 0; block < wanted_.size(); ++block) {
    sum_ += part_of_sum(BlockNo(block), wanted_[block]);
  }
  for (StateJudge* const judge : judges_) judge->begin(image_);
}

void RecoveredImage::want_again(std::uint64_t block) {
  const ContentId over = override_of(block);
  const ContentId content = over == kNoOverride ? under_[block] : over;
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
  want_again(block.value());
}

void RecoveredImage::change_settled(std::span<const Override> changes) {
  for (const Override& change : changes) {
    settled_[change.home.value()] = change.content;
    want_again(change.home.value());
  }
}

void RecoveredImage::set_top(const std::vector<Override>& overrides) {
  const std::vector<std::uint64_t> before = std::move(topped_);
  topped_.clear();
  for (const std::uint64_t block : before) top_[block] = kNotSaid;
  for (const Override& each : overrides) {
    if (recovery_.is_journal(each.home)) continue;
    top_[each.home.value()] = each.content;
    topped_.push_back(each.home.value());
  }
  for (const std::uint64_t block : before) want_again(block);
  for (const std::uint64_t block : topped_) want_again(block);
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
