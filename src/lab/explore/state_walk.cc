#include "lab/explore/state_walk.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace powercut::lab {
namespace {

std::uint64_t product_up_to(std::span<const std::uint32_t> radices, std::uint64_t most) {
  std::uint64_t product = 1;
  for (const std::uint32_t radix : radices) {
    CHECK(radix != 0, "a block without a candidate");
    if (product > most / radix) return most + 1;
    product *= radix;
  }
  return product;
}

}  // namespace

StateWalk::StateWalk(std::vector<std::uint32_t> radices, std::vector<Choice> steps,
                     const WalkBounds& bounds, Prng prng)
    : radices_(std::move(radices)),
      steps_(std::move(steps)),
      bounds_(bounds),
      prng_(prng),
      digits_(radices_.size()),
      all_(radices_.size()) {
  for (const std::uint32_t radix : radices_) log2_states_ += std::log2(radix);
  is_whole_ = product_up_to(radices_, bounds.all_max) <= bounds.all_max;
  if (is_whole_) {
    goes_down_.resize(radices_.size());
    return;
  }
  is_last_.resize(steps_.size());
  std::vector<std::size_t> last(radices_.size());
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    before_.push_back(all_[steps_[i].slot]);
    all_[steps_[i].slot] = steps_[i].digit;
    last[steps_[i].slot] = i;
  }
  for (std::size_t i = 0; i < steps_.size(); ++i) is_last_[i] = last[steps_[i].slot] == i;
  phase_ = Phase::kPrefixes;
  choose_named();
}

// The prefixes, the missing and the alone are three states a write.
void StateWalk::choose_named() {
  named_.resize(steps_.size());
  std::iota(named_.begin(), named_.end(), std::uint32_t{0});
  const std::uint64_t room = std::max<std::uint64_t>(1, bounds_.some_max / 4);
  if (named_.size() <= room) return;
  for (std::size_t i = 0; i < room; ++i) {
    std::swap(named_[i], named_[i + prng_.below(named_.size() - i)]);
  }
  named_.resize(room);
  std::ranges::sort(named_);
  named_.back() = static_cast<std::uint32_t>(steps_.size() - 1);  // the prefix that is all writes
}

bool StateWalk::next(std::vector<Choice>& changes) {
  changes.clear();
  if (phase_ == Phase::kGray) return next_gray(changes);
  if (walked_ >= bounds_.some_max) return false;
  ++walked_;
  if (phase_ == Phase::kPrefixes && next_prefix(changes)) return true;
  if (phase_ == Phase::kMissing && next_missing(changes)) return true;
  if (phase_ == Phase::kAlone && next_alone(changes)) return true;
  return next_random(changes);
}

void StateWalk::put(std::uint32_t slot, std::uint32_t digit, std::vector<Choice>& changes) {
  if (digits_[slot] == digit) return;
  digits_[slot] = digit;
  changes.push_back({slot, digit});
}

// The first slot that can go on in its direction does; those before it turn round.
bool StateWalk::next_gray(std::vector<Choice>& changes) {
  for (std::uint32_t slot = 0; slot < radices_.size(); ++slot) {
    const bool is_at_end =
        goes_down_[slot] ? digits_[slot] == 0 : digits_[slot] + 1 == radices_[slot];
    if (is_at_end) {
      goes_down_[slot] = !goes_down_[slot];
      continue;
    }
    put(slot, goes_down_[slot] ? digits_[slot] - 1 : digits_[slot] + 1, changes);
    return true;
  }
  return false;
}

bool StateWalk::next_prefix(std::vector<Choice>& changes) {
  if (at_ == named_.size()) {
    at_ = 0;
    phase_ = Phase::kMissing;
    return false;
  }
  const std::size_t first = at_ == 0 ? 0 : named_[at_ - 1] + 1;
  for (std::size_t i = first; i <= named_[at_]; ++i) put(steps_[i].slot, steps_[i].digit, changes);
  ++at_;
  return true;
}

// From all writes there: the last one that was missing comes back, the next one goes.
bool StateWalk::next_missing(std::vector<Choice>& changes) {
  if (at_ != 0) {
    const std::uint32_t slot = steps_[named_[at_ - 1]].slot;
    put(slot, all_[slot], changes);
  }
  if (at_ == named_.size()) {
    for (std::uint32_t slot = 0; slot < digits_.size(); ++slot) put(slot, 0, changes);
    at_ = 0;
    phase_ = Phase::kAlone;
    return false;
  }
  const std::uint32_t index = named_[at_];
  if (is_last_[index]) put(steps_[index].slot, before_[index], changes);
  ++at_;
  return true;
}

bool StateWalk::next_alone(std::vector<Choice>& changes) {
  if (at_ != 0) put(steps_[named_[at_ - 1]].slot, 0, changes);
  if (at_ == named_.size()) {
    at_ = 0;
    phase_ = Phase::kRandom;
    return false;
  }
  put(steps_[named_[at_]].slot, steps_[named_[at_]].digit, changes);
  ++at_;
  return true;
}

bool StateWalk::next_random(std::vector<Choice>& changes) {
  if (at_++ % kWalkLength == 0) {
    for (std::uint32_t slot = 0; slot < digits_.size(); ++slot) {
      put(slot, static_cast<std::uint32_t>(prng_.below(radices_[slot])), changes);
    }
    return true;
  }
  const auto slot = static_cast<std::uint32_t>(prng_.below(digits_.size()));
  if (radices_[slot] == 1) return true;
  const auto other = static_cast<std::uint32_t>(1 + prng_.below(radices_[slot] - 1));
  put(slot, (digits_[slot] + other) % radices_[slot], changes);
  return true;
}

}  // namespace powercut::lab
