#include "base/chooser.h"

#include <algorithm>
#include <charconv>
#include <functional>

#include "base/check.h"
#include "base/simulated_step.h"

namespace powercut::detail {
namespace {

// In a schedule's order the task that ran last is the first, the others follow by number.
std::size_t in_ready(std::uint64_t chosen, std::size_t current, std::size_t ready_count) {
  if (current == ready_count) return chosen;
  if (chosen == 0) return current;
  return chosen <= current ? chosen - 1 : chosen;
}

std::uint64_t number_in(std::string_view text) {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  CHECK(parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size(),
        "a schedule is NUMBER:CHOSEN, with spaces between");
  return number;
}

}  // namespace

PctChooser::PctChooser(const Prng& prng, std::uint32_t depth, std::uint64_t steps)
    : priorities_(prng.child("priorities")), values_(prng.child("values")) {
  CHECK(depth > 0 && steps > 0, "a depth and a number of steps of 1 or more");
  Prng when = prng.child("changes");
  for (std::uint32_t i = 1; i < depth; ++i) changes_.push_back(1 + when.below(steps));
  std::ranges::sort(changes_, std::greater<>());
}

std::uint64_t& PctChooser::priority(std::uint32_t task) {
  while (priority_.size() <= task) {  // above all that a change gives
    priority_.push_back(priorities_.next() | std::uint64_t{1} << 63);
  }
  return priority_[task];
}

std::size_t PctChooser::highest(std::span<const std::uint32_t> ready) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < ready.size(); ++i) {
    if (priority(ready[i]) > priority(ready[best])) best = i;
  }
  return best;
}

std::size_t PctChooser::pick(const Moment& moment) {
  ++step_;
  while (!changes_.empty() && changes_.back() <= step_) {
    priority(moment.ready[highest(moment.ready)]) = changes_.size();  // lower than those before
    changes_.pop_back();
  }
  return highest(moment.ready);
}

std::uint64_t ExhaustiveChooser::decide(std::uint64_t count, std::uint32_t cost, bool is_expanded) {
  if (count == 1) return 0;
  std::uint64_t chosen = 0;
  if (depth_ < path_.size()) {
    const Decision& decision = path_[depth_];
    CHECK(decision.count == count && decision.preemptions == preemptions_,
          "what is simulated depends on something other than the schedule");
    chosen = decision.chosen;
  } else if (is_expanded) {
    CHECK(depth_ == path_.size(), "decisions are expanded in their order");
    path_.push_back({0, count, preemptions_, cost, true});
  }
  ++depth_;
  if (chosen != 0) preemptions_ += cost;
  return chosen;
}

bool ExhaustiveChooser::is_new_state(const Moment& moment) {
  if (!options_.reduces) return true;
  std::uint64_t key = moment.state;
  // How many preemptions the rest costs depends on who ran last.
  if (options_.preemptions_max != ~0u) {
    key = mixed(key, moment.current < moment.ready.size() ? moment.ready[moment.current] : ~0ull);
  }
  const auto known = states_.find(key);
  if (known == states_.end()) {
    if (states_.size() < options_.states_max) states_.emplace(key, preemptions_);
    return true;
  }
  if (options_.preemptions_max == ~0u || known->second <= preemptions_) return false;
  known->second = preemptions_;
  return true;
}

std::size_t ExhaustiveChooser::pick(const Moment& moment) {
  const std::size_t count = moment.ready.size();
  if (count == 1) return 0;
  if (depth_ >= path_.size() && !is_known_) is_known_ = !is_new_state(moment);
  const std::uint32_t cost = moment.current < count ? 1 : 0;
  return in_ready(decide(count, cost, !is_known_), moment.current, count);
}

std::uint64_t ExhaustiveChooser::choose(std::uint64_t count) {
  return decide(count, 0, !is_known_);
}

bool ExhaustiveChooser::next() {
  depth_ = 0;
  preemptions_ = 0;
  is_known_ = false;
  while (!path_.empty()) {
    Decision& last = path_.back();
    const bool is_allowed = last.preemptions + last.cost <= options_.preemptions_max;
    if (last.chosen + 1 < last.count && is_allowed) {
      ++last.chosen;
      return true;
    }
    if (!is_allowed) beyond_bound_ += last.count - 1 - last.chosen;
    path_.pop_back();
  }
  return false;
}

std::string ExhaustiveChooser::schedule() const {
  std::string text;
  for (std::size_t i = 0; i < path_.size(); ++i) {
    if (path_[i].chosen == 0) continue;
    if (!text.empty()) text += ' ';
    text += std::to_string(i) + ':' + std::to_string(path_[i].chosen);
  }
  return text;
}

ScheduleChooser::ScheduleChooser(std::string_view schedule) {
  while (!schedule.empty()) {
    const std::size_t end = std::min(schedule.find(' '), schedule.size());
    const std::string_view item = schedule.substr(0, end);
    const std::size_t colon = std::min(item.find(':'), item.size());
    chosen_.emplace_back(number_in(item.substr(0, colon)),
                         number_in(item.substr(std::min(colon + 1, item.size()))));
    schedule.remove_prefix(std::min(end + 1, schedule.size()));
  }
  CHECK(std::ranges::is_sorted(chosen_), "the decisions of a schedule stand in their order");
}

std::uint64_t ScheduleChooser::decide(std::uint64_t count) {
  if (count == 1) return 0;
  const std::uint64_t number = depth_++;
  if (next_ == chosen_.size() || chosen_[next_].first != number) return 0;
  CHECK(chosen_[next_].second < count, "a schedule of another program: there is no such choice");
  return chosen_[next_++].second;
}

std::size_t ScheduleChooser::pick(const Moment& moment) {
  return in_ready(decide(moment.ready.size()), moment.current, moment.ready.size());
}

}  // namespace powercut::detail
