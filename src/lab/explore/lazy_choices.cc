#include "lab/explore/lazy_choices.h"

namespace powercut::lab {

LazyChoices::LazyChoices(std::span<const std::uint32_t> radices, const RunBounds& bounds, Prng prng)
    : radices_(radices), bounds_(bounds), prng_(prng), digits_(radices.size(), kOpen) {}

std::uint32_t LazyChoices::digit(std::uint32_t slot) {
  if (digits_[slot] != kOpen) return digits_[slot];
  std::uint32_t digit = 0;
  if (is_random_) {
    digit = static_cast<std::uint32_t>(prng_.below(radices_[slot]));
  } else if (made_.size() < path_.size()) {
    CHECK(path_[made_.size()].slot == slot, "a reader that asks otherwise than before");
    digit = path_[made_.size()].digit;
  }
  digits_[slot] = digit;
  made_.push_back({slot, digit});
  return digit;
}

void LazyChoices::forget() {
  for (const Choice& choice : made_) digits_[choice.slot] = kOpen;
  made_.clear();
}

bool LazyChoices::next() {
  ++run_count_;
  if (is_random_) {
    forget();
    return run_count_ < bounds_.all_max + bounds_.random_max;
  }
  double weight = 1;
  for (const Choice& choice : made_) weight /= radices_[choice.slot];
  share_ += weight;
  path_ = made_;
  while (!path_.empty() && path_.back().digit + 1 == radices_[path_.back().slot]) path_.pop_back();
  forget();
  if (path_.empty()) {
    is_whole_ = true;
    return false;
  }
  ++path_.back().digit;
  if (run_count_ < bounds_.all_max) return true;
  is_random_ = true;
  return bounds_.random_max != 0;
}

}  // namespace powercut::lab
