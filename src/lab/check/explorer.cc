#include "lab/check/explorer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "lab/check/slow_recovery.h"
#include "lab/explore/state_name.h"

namespace powercut::lab {
namespace {

constexpr std::uint64_t kStatesOfOutcomeMin = 16;  // walked, however little room is left
constexpr std::size_t kFindingsOfState = 8;
// So many of the runs that lead to one outcome make states of their own; more are not counted.
constexpr std::size_t kReadsOfOutcome = 8;
// Among the first outcomes, those that do not mount are held against the slow way too.
constexpr std::uint64_t kRefusalsCompared = 256;

// log2(2^a + 2^b).
double log2_of_sum(double a, double b) {
  const double most = std::max(a, b);
  return most + std::log2(std::exp2(a - most) + std::exp2(b - most));
}

}  // namespace

// The state that the recovery is let go over: its pending blocks as `digit_of` says, asked for only
// when they are read.
class Explorer::State final : public StateContents {
 public:
  using DigitOf = std::function<std::uint32_t(std::uint32_t)>;
  State(Explorer& explorer, DigitOf digit_of)
      : explorer_(explorer),
        asked_(explorer.asked_),
        run_(++explorer.run_),
        digit_of_(std::move(digit_of)) {}

  ContentId content(BlockNo block) override {
    const std::uint32_t slot = explorer_.slot_of_[block.value()];
    const CrashWindow& window = explorer_.window_;
    const ContentId content =
        slot == 0 ? window.durable(block)
                  : window.candidates(window.pending()[slot - 1])[digit_of_(slot - 1)].content;
    if (asked_[block.value()] != run_) {
      asked_[block.value()] = run_;
      read_sum_ += part_of_sum(block, content);
    }
    return content;
  }
  void possible(BlockNo block, std::vector<ContentId>& into) const override {
    const std::uint32_t slot = explorer_.slot_of_[block.value()];
    const CrashWindow& window = explorer_.window_;
    if (slot == 0) return into.push_back(window.durable(block));
    for (const Candidate& each : window.candidates(window.pending()[slot - 1])) {
      into.push_back(each.content);
    }
  }
  // Of the blocks asked for, each once.
  std::uint64_t read_sum() const { return read_sum_; }

 private:
  const Explorer& explorer_;
  std::vector<std::uint32_t>& asked_;
  const std::uint32_t run_;
  const DigitOf digit_of_;
  std::uint64_t read_sum_ = 0;
};

void ExplorerCounts::add(const ExplorerCounts& other) {
  crash_points += other.crash_points;
  explored += other.explored;
  whole += other.whole;
  log2_states_max = std::max(log2_states_max, other.log2_states_max);
  runs += other.runs;
  outcomes += other.outcomes;
  walked += other.walked;
  distinct += other.distinct;
  recovered += other.recovered;
  judged += other.judged;
  bad += other.bad;
  compared += other.compared;
  second_cuts += other.second_cuts;
  examined += other.examined;
  examine_seconds += other.examine_seconds;
  seconds += other.seconds;
}

Explorer::Explorer(BlockStream& stream, JournalMap map, std::vector<StateJudge*> judges,
                   const Clock& clock, const ExplorerOptions& options)
    : stream_(stream),
      clock_(clock),
      options_(options),
      prng_(Prng(options.seed).child("explorer")),
      recovery_(stream.pool(), std::move(map), stream.block_count(), options.recover_as),
      recover_judge_(stream.pool(), recovery_),
      image_(stream.pool(), stream.base(), recovery_, std::move(judges)),
      window_(stream, options.model),
      slot_of_(stream.block_count()),
      asked_(stream.block_count()) {}

std::optional<std::uint64_t> Explorer::wanted_point(const CrashWindow& window) const {
  if (options_.stream_goes_on && window.is_at_end()) return std::nullopt;
  const std::uint64_t number = options_.first_number + window.crash_point();
  const bool is_wanted = number >= options_.first_point && number < options_.end_point;
  return is_wanted ? std::optional(number) : std::nullopt;
}

void Explorer::learn(const std::string& mark) {
  image_.learn(mark);
  if (!options_.examiners.empty()) marks_.push_back(mark);
  ++lap_;
}

void Explorer::count_crash_points() {
  CrashModel whole_blocks = options_.model;
  whole_blocks.atomic_bytes = 0;  // tears make no crash points
  CrashWindow window(stream_, whole_blocks);
  while (window.advance().value()) {
    if (!wanted_point(window)) continue;
    const double log2_states = window.log2_states();
    counts_.log2_states =
        counts_.crash_points == 0 ? log2_states : log2_of_sum(counts_.log2_states, log2_states);
    counts_.log2_states_max = std::max(counts_.log2_states_max, log2_states);
    ++counts_.crash_points;
  }
}

// The durable contents and the marks up to the next crash point.
Result<bool> Explorer::next_window() {
  for (const PendingBlock& pending : window_.pending()) slot_of_[pending.block.value()] = 0;
  if (!TRY(window_.advance())) return false;
  for (const BlockNo block : window_.changed()) {
    image_.set_under(block, window_.durable(block));
    recover_judge_.note_durable(block, window_.durable(block));
  }
  State durable(*this, [](std::uint32_t) { return 0u; });  // no block has a slot yet
  TRY(recovery_.settle(durable, window_.changed()));
  image_.change_settled(recovery_.settled_changes());
  const auto pending = window_.pending();
  radices_.clear();
  for (std::uint32_t slot = 0; slot < pending.size(); ++slot) {
    slot_of_[pending[slot].block.value()] = slot + 1;
    recovery_.note_pending(pending[slot].block);
    radices_.push_back(pending[slot].count);
  }
  digits_.assign(pending.size(), 0);
  for (; next_event_ < window_.crash_point(); ++next_event_) {
    const StreamEvent& event = stream_.events()[next_event_];
    if (event.kind == StreamEventKind::kMark) learn(stream_.mark(event));
  }
  return true;
}

Result<void> Explorer::run(const std::function<bool(const ExplorerCounts&)>& goes_on) {
  began_ = clock_.now();
  for (const std::string& mark : options_.known_marks) learn(mark);
  count_crash_points();
  State base(*this, [](std::uint32_t) { return 0u; });
  TRY(recover_judge_.begin(base));
  while (TRY(next_window())) {
    if (!wanted_point(window_)) continue;
    if (counts_.walked >= options_.states_max || is_time_over()) break;
    if (!is_behind()) TRY(explore_window(goes_on));
    ++passed_;
    counts_.seconds = seconds_of(clock_.now() - began_);
    if (!goes_on(counts_)) break;
  }
  counts_.seconds = seconds_of(clock_.now() - began_);
  return {};
}

bool Explorer::is_time_over() const {
  return options_.time_max && clock_.now() - began_ >= *options_.time_max;
}

bool Explorer::is_behind() const {
  if (!options_.time_max) return false;
  const double time_used = seconds_of(clock_.now() - began_) / seconds_of(*options_.time_max);
  return time_used * static_cast<double>(counts_.crash_points) > static_cast<double>(passed_ + 1);
}

Result<void> Explorer::explore_window(const std::function<bool(const ExplorerCounts&)>& goes_on) {
  bool is_whole = true;
  const std::vector<Outcome> outcomes = TRY(outcomes_of_window(is_whole));
  const WalkBounds bounds = bounds_for(outcomes.size());
  for (const Outcome& outcome : outcomes) {
    put_under(outcome);
    if (outcome.finding && options_.judges_recovery) {
      note(*outcome.finding);
      ++counts_.bad;
    }
    if (!outcome.log.mounts()) {
      if (counts_.outcomes < kRefusalsCompared) TRY(compare(outcome));
      if (may_examine()) TRY(examine(outcome));
      continue;
    }
    image_.set_top(outcome.log.overrides);
    is_whole = TRY(walk(outcome, bounds)) && is_whole;
    if (!goes_on(counts_)) return {};
  }
  // The next window begins with no write there.
  std::ranges::fill(digits_, 0u);
  for (const PendingBlock& pending : window_.pending()) {
    image_.set_under(pending.block, window_.durable(pending.block));
  }
  ++counts_.explored;
  if (is_whole) ++counts_.whole;
  return {};
}

Result<std::vector<Explorer::Outcome>> Explorer::outcomes_of_window(bool& is_whole) {
  std::vector<Outcome> outcomes;
  std::map<std::uint64_t, std::size_t> known;  // by sum and finding
  LazyChoices choices(radices_, options_.runs, prng_.child(fmt::format("runs {}", number_now())));
  do {
    State state(*this, [&choices](std::uint32_t slot) { return choices.digit(slot); });
    Outcome outcome;
    outcome.log = TRY(recovery_.recover(state));
    outcome.finding = recover_judge_.judge(outcome.log);
    outcome.choices.assign(choices.made().begin(), choices.made().end());
    for (const Override& each : outcome.log.overrides) {
      outcome.sum += part_of_sum(each.home, each.content);
    }
    // A home block that the recovery has read (the superblock) is under it.
    for (const Choice& choice : outcome.choices) {
      const PendingBlock& pending = window_.pending()[choice.slot];
      if (recovery_.is_journal(pending.block)) continue;
      outcome.sum +=
          mixed(part_of_sum(pending.block, window_.candidates(pending)[choice.digit].content));
    }
    if (outcome.finding) {
      outcome.sum +=
          mixed(hash_of(Bytes(reinterpret_cast<const std::uint8_t*>(outcome.finding->words.data()),
                              outcome.finding->words.size()))
                    .low);
    }
    ++counts_.runs;
    const bool is_behind = outcome.log.is_behind_settled;
    const auto [at, is_new] = known.emplace(outcome.sum, outcomes.size());
    if (is_new) outcomes.push_back(std::move(outcome));
    std::vector<std::uint64_t>& reads = outcomes[at->second].reads;
    if (reads.size() == kReadsOfOutcome) continue;
    reads.push_back(state.read_sum() + (is_behind ? recovery_.settled_read_sum() : 0));
  } while (choices.next());
  is_whole = choices.is_whole();
  counts_.outcomes += outcomes.size();
  return outcomes;
}

WalkBounds Explorer::bounds_for(std::size_t outcomes) const {
  const std::uint64_t left = options_.states_max - std::min(options_.states_max, counts_.walked);
  const std::uint64_t crash_points = std::max<std::uint64_t>(1, counts_.crash_points - passed_);
  const std::uint64_t room = 2 * left / crash_points / std::max<std::size_t>(1, outcomes);
  WalkBounds bounds = options_.walk;
  bounds.all_max = std::max(kStatesOfOutcomeMin, std::min(bounds.all_max, room));
  bounds.some_max = std::max(kStatesOfOutcomeMin, std::min(bounds.some_max, room));
  return bounds;
}

void Explorer::put_under(const Outcome& outcome) {
  const auto pending = window_.pending();
  for (std::uint32_t slot = 0; slot < digits_.size(); ++slot) {
    if (digits_[slot] == 0) continue;
    digits_[slot] = 0;
    image_.set_under(pending[slot].block, window_.durable(pending[slot].block));
  }
  for (const Choice& choice : outcome.choices) {
    digits_[choice.slot] = choice.digit;
    const PendingBlock& block = pending[choice.slot];
    image_.set_under(block.block, window_.candidates(block)[choice.digit].content);
  }
}

// True if every state under the outcome was visited.
Result<bool> Explorer::walk(const Outcome& outcome, const WalkBounds& bounds) {
  const auto pending = window_.pending();
  std::vector<std::uint32_t> slots, radices;
  std::vector<std::uint32_t> place(pending.size());  // 1 + index in slots
  std::vector<bool> is_read(pending.size());
  for (const Choice& choice : outcome.choices) is_read[choice.slot] = true;
  for (std::uint32_t slot = 0; slot < pending.size(); ++slot) {
    const BlockNo block = pending[slot].block;
    if (is_read[slot] || recovery_.is_journal(block) || image_.is_overridden(block)) continue;
    slots.push_back(slot);
    radices.push_back(pending[slot].count);
    place[slot] = static_cast<std::uint32_t>(slots.size());
  }
  std::vector<Choice> steps;
  for (const Choice& step : window_.steps()) {
    if (place[step.slot] != 0) steps.push_back({place[step.slot] - 1, step.digit});
  }
  StateWalk states(std::move(radices), std::move(steps), bounds,
                   prng_.child(fmt::format("walk {} {}", number_now(), outcome.sum)));
  std::vector<Choice> changes;
  do {
    for (const Choice& change : changes) {
      const std::uint32_t slot = slots[change.slot];
      digits_[slot] = change.digit;
      image_.set_under(pending[slot].block,
                       window_.candidates(pending[slot])[change.digit].content);
    }
    TRY(visit(outcome));
    if (counts_.walked % 256 == 0 && is_time_over()) return false;
  } while (states.next(changes));
  return states.is_whole();
}

Result<void> Explorer::visit(const Outcome& outcome) {
  ++counts_.walked;
  for (const std::uint64_t read : outcome.reads) distinct_.of(mixed(read) + image_.sum());
  counts_.distinct = distinct_.size();
  std::uint32_t& judged_in = recovered_.of(image_.sum());
  counts_.recovered = recovered_.size();
  if (judged_in == lap_) return {};
  judged_in = lap_;
  ++counts_.judged;
  if (!image_.settle()) {
    ++counts_.bad;
    std::set<std::pair<JudgeName, std::string>> noted;
    for (StateJudge* const judge : image_.judges()) {
      for (const CheckFinding& finding : judge->findings(kFindingsOfState)) {
        if (noted.emplace(finding.judge, finding.rule).second) note(finding);
      }
    }
  }
  if (counts_.judged % options_.examine_every == 0 && may_examine()) TRY(examine(outcome));
  if (options_.compare_every == 0 || counts_.judged % options_.compare_every != 1) return {};
  return compare(outcome);
}

bool Explorer::may_examine() const {
  return !options_.examiners.empty() && counts_.examined < options_.examined_max &&
         counts_.examine_seconds < seconds_of(options_.examine_time_max);
}

// The examiners get the state as bytes, before and after our recovery.
Result<void> Explorer::examine(const Outcome& outcome) {
  const Nanoseconds before = clock_.now();
  std::vector<ContentId> before_recovery = contents_now();
  std::vector<ContentId> contents;
  std::vector<BlockNo> changed;
  if (outcome.log.mounts()) {
    contents.reserve(stream_.block_count());
    for (std::uint64_t block = 0; block < stream_.block_count(); ++block) {
      contents.push_back(image_.at(BlockNo(block)));
      if (contents.back() != before_recovery[block]) changed.emplace_back(block);
    }
  }
  const ContentView crashed(stream_.pool(), std::move(before_recovery));
  const ContentView recovered(stream_.pool(), std::move(contents));
  const ExaminedState state = {crashed, outcome.log.mounts() ? &recovered : nullptr, marks_,
                               changed};
  ++counts_.examined;
  for (StateExaminer* const examiner : options_.examiners) {
    for (const CheckFinding& finding : TRY(examiner->examine(state))) note(finding);
  }
  counts_.examine_seconds += seconds_of(clock_.now() - before);
  return {};
}

Result<void> Explorer::compare(const Outcome& outcome) {
  if (options_.compare_every == 0) return {};
  if (outcome.log.mounts()) image_.settle();
  ++counts_.compared;
  const ContentView view(stream_.pool(), contents_now());
  std::string words = difference(view, recovery_.map(), options_.recover_as, outcome.log, image_);
  if (words.empty() && outcome.log.mounts()) {
    Prng prng = prng_.child(fmt::format("cuts {}", counts_.compared));
    words =
        TRY(second_crashes(view, recovery_.map(), options_.recover_as, options_.second_cuts, prng));
    counts_.second_cuts += options_.second_cuts;
  }
  if (words.empty()) return {};
  return fail_with(
      Errc::kAborted, "the fast recovery differs from the slow one",
      fmt::format("{}; --crash {} --keep {}", words, number_now(), state_name(window_, digits_)),
      number_now());
}

void Explorer::note(const CheckFinding& finding) {
  GroupedFinding& group = findings_[{finding.judge, finding.rule}];
  if (group.state_count++ != 0) return;
  group.finding = finding;
  group.first = {number_now(), state_name(window_, digits_)};
}

std::vector<GroupedFinding> Explorer::findings() const {
  std::vector<GroupedFinding> all;
  for (const auto& [rule, group] : findings_) all.push_back(group);
  return all;
}

std::vector<ContentId> Explorer::contents_now() const {
  std::vector<ContentId> contents;
  contents.reserve(stream_.block_count());
  for (std::uint64_t block = 0; block < stream_.block_count(); ++block) {
    contents.push_back(window_.durable(BlockNo(block)));
  }
  for (std::uint32_t slot = 0; slot < digits_.size(); ++slot) {
    const PendingBlock& pending = window_.pending()[slot];
    contents[pending.block.value()] = window_.candidates(pending)[digits_[slot]].content;
  }
  return contents;
}

Result<void> Explorer::go_to(const StateId& state) {
  State base(*this, [](std::uint32_t) { return 0u; });
  TRY(recover_judge_.begin(base));
  std::uint64_t last = 0;
  while (TRY(next_window())) {
    if (number_now() == state.crash_point) {
      digits_ = TRY(parse_state_name(window_, state.writes));
      return {};
    }
    if (number_now() > state.crash_point) break;
    last = number_now();
  }
  return fail(Errc::kInvalid, "no such crash point; the one before it is", last);
}

Result<std::vector<CheckFinding>> Explorer::judge_one(const StateId& id) {
  TRY(go_to(id));
  State state(*this, [this](std::uint32_t slot) { return digits_[slot]; });
  Outcome outcome;
  outcome.log = TRY(recovery_.recover(state));
  std::vector<CheckFinding> findings;
  const auto refusal = recover_judge_.judge(outcome.log);
  if (refusal && options_.judges_recovery) findings.push_back(*refusal);
  for (std::uint32_t slot = 0; slot < digits_.size(); ++slot) {
    const PendingBlock& pending = window_.pending()[slot];
    image_.set_under(pending.block, window_.candidates(pending)[digits_[slot]].content);
  }
  if (outcome.log.mounts()) {
    image_.set_top(outcome.log.overrides);
    image_.settle();
    for (StateJudge* const judge : image_.judges()) {
      const auto more = judge->findings(kFindingsOfState);
      findings.insert(findings.end(), more.begin(), more.end());
    }
  }
  if (may_examine()) TRY(examine(outcome));
  for (const GroupedFinding& group : this->findings()) findings.push_back(group.finding);
  TRY(compare(outcome));
  return findings;
}

Result<std::vector<ContentId>> Explorer::contents_of(const StateId& state) {
  TRY(go_to(state));
  return contents_now();
}

}  // namespace powercut::lab
