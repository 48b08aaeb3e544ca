#include "lab/check/state_recovery.h"

#include <algorithm>

#include "format/ext4.h"

namespace powercut::lab {

class StateRecovery::Log final : public LogSource {
 public:
  Log(StateRecovery& owner, StateContents& state) : owner_(owner), state_(state) {}
  const JournalMap& map() const override { return owner_.map_; }
  Result<void> read(LogBlock log, MutableBytes into) override {
    const std::uint32_t block_bytes = owner_.map_.block_bytes();
    for (std::size_t at = 0; at < into.size(); at += block_bytes, ++log) {
      copy_bytes(owner_.pool_.bytes(content(log)), into.subspan(at));
    }
    return {};
  }
  void begin(const JournalFormat& format, LogBlock, bool) override {
    owner_.facts_.set_format(format);
  }
  Result<const LogBlockFacts*> facts(LogBlock log) override {
    return &owner_.facts_.of(content(log));
  }
  Result<std::uint32_t> data_checksum(LogBlock log, Tid tid) override {
    return owner_.facts_.data_checksum(content(log), tid);
  }
  Result<std::uint32_t> crc32_over(std::uint32_t start, LogBlock log) override {
    return crc32_be(start, owner_.pool_.bytes(content(log)));
  }
  bool sums_in_passing() const override { return false; }

 private:
  ContentId content(LogBlock log) { return state_.content(owner_.device_blocks_[log.value()]); }

  StateRecovery& owner_;
  StateContents& state_;
};

StateRecovery::StateRecovery(ContentPool& pool, JournalMap map, std::uint64_t block_count,
                             RecoverAs rules)
    : pool_(pool),
      facts_(pool),
      map_(std::move(map)),
      block_count_(block_count),
      rules_(rules),
      superblock_block_(kSuperblockOffset / map_.block_bytes()),
      is_journal_(block_count),
      place_of_(block_count),
      overrides_(block_count),
      is_settled_(block_count) {
  CHECK(pool.block_bytes() == map_.block_bytes(), "a journal of another block size");
  CHECK(map_.home_blocks() <= block_count, "homes past the end of the disk");
  for (std::uint32_t log = 0; log < map_.block_count(); ++log) {
    const BlockNo device = map_.device_block(LogBlock(log));
    CHECK(device.value() < block_count, "a journal past the end of the disk");
    device_blocks_.push_back(device);
    is_journal_[device.value()] = true;
  }
}

const Result<bool>& StateRecovery::needs_recovery(ContentId content) {
  const auto found = superblocks_.find(content.value());
  if (found != superblocks_.end()) return found->second;
  const std::size_t inside = kSuperblockOffset % map_.block_bytes();
  const auto superblock = Superblock::parse(pool_.bytes(content).subspan(inside, kSuperblockBytes),
                                            block_count_ * map_.block_bytes());
  Result<bool> needs = superblock ? Result<bool>(superblock->needs_recovery())
                                  : Result<bool>(Failure{superblock.error()});
  return superblocks_.emplace(content.value(), std::move(needs)).first->second;
}

Result<LogOutcome> StateRecovery::recover(StateContents& state) {
  return recover_with(state, is_as_settled(state));
}

Result<RecoveryPlan> StateRecovery::plan_of(StateContents& state, bool uses_settled) {
  Log log(*this, state);
  const ScanPoint from = uses_settled ? settled_end() : ScanPoint{};
  return plan_recovery(log, {.recover_as = rules_}, uses_settled ? &from : nullptr);
}

// Reads the journal's superblock, as every recovery does.
bool StateRecovery::is_as_settled(StateContents& state) {
  return !settled_.empty() && !is_settled_pending_ &&
         state.content(device_blocks_[0]) == settled_superblock_content_;
}

Result<LogOutcome> StateRecovery::recover_with(StateContents& state, bool uses_settled) {
  LogOutcome outcome;
  possible_.clear();
  state.possible(superblock_block_, possible_);
  const bool is_one = std::ranges::all_of(possible_, [&](ContentId each) {
    const Result<bool>& needs = needs_recovery(each);
    return needs && *needs == needs_recovery(possible_.front()).value();
  });
  const Result<bool>& needs =
      needs_recovery(is_one ? possible_.front() : state.content(superblock_block_));
  if (!needs) {
    outcome.trouble = needs.error();
    return outcome;
  }
  outcome.needs_recovery = *needs;
  const auto plan = plan_of(state, uses_settled);
  if (!plan) {
    if (plan.error().code == Errc::kLimit) return Failure{plan.error()};
    outcome.trouble = plan.error();
    return outcome;
  }
  outcome.end = plan->end;
  outcome.next_tid = plan->next_tid;
  outcome.transaction_count = plan->transactions.size() + (uses_settled ? settled_.size() : 0);
  outcome.damages = plan->damages;
  outcome.is_behind_settled = uses_settled;
  if (!outcome.needs_recovery) {  // Linux discards the log
    outcome.end = RecoveryEnd::kNothingToDo;
    lift_settled(outcome.overrides);
    forget_places(outcome.overrides);
    return outcome;
  }
  TRY(add_overrides(*plan, state, uses_settled, outcome));
  return outcome;
}

// Replaces what `into` says of that home, or adds it.
void StateRecovery::put(Override override, std::vector<Override>& into) {
  std::uint32_t& place = place_of_[override.home.value()];
  if (place == 0) {
    into.push_back(override);
    place = static_cast<std::uint32_t>(into.size());
  }
  into[place - 1] = override;
}

void StateRecovery::forget_places(const std::vector<Override>& list) {
  for (const Override& each : list) place_of_[each.home.value()] = 0;
}

void StateRecovery::lift_settled(std::vector<Override>& into) {
  for (const SettledTransaction& transaction : settled_) {
    for (const Override& each : transaction.homes) {
      if (overrides_[each.home.value()].tid != transaction.tid) continue;
      if (overrides_[each.home.value()].content == kNoOverride) continue;
      put({each.home, kNoOverride}, into);
    }
  }
}

// The last content that is replayed to a home counts.
Result<void> StateRecovery::add_overrides(const RecoveryPlan& plan, StateContents& state,
                                          bool uses_settled, LogOutcome& outcome) {
  std::vector<Override>& into = outcome.overrides;
  if (!uses_settled) lift_settled(into);
  for (const LoggedTransaction& transaction : plan.transactions) {
    for (const BlockNo home : transaction.revokes) {
      if (!uses_settled || home.value() >= block_count_) continue;
      if (overrides_[home.value()].content != kNoOverride) put({home, kNoOverride}, into);
    }
  }
  for (const LoggedTransaction& transaction : plan.transactions) {
    for (const LoggedBlock& block : transaction.blocks) {
      if (block.verdict != BlockVerdict::kReplay) continue;
      put({block.home, kNoOverride}, into);
      last_.resize(into.size());
      last_[place_of_[block.home.value()] - 1] = &block;
    }
  }
  last_.resize(into.size());
  forget_places(into);
  for (std::size_t i = 0; i < into.size(); ++i) {
    if (last_[i] == nullptr) continue;
    into[i].content = state.content(device_blocks_[last_[i]->log.value()]);
    if (last_[i]->is_escaped) into[i].content = TRY(facts_.unescaped(into[i].content));
  }
  last_.clear();
  return {};
}

std::optional<ContentId> StateRecovery::override_of(const LogOutcome& outcome, BlockNo home) const {
  const auto found = std::ranges::find(outcome.overrides, home, &Override::home);
  const ContentId content =
      found != outcome.overrides.end() ? found->content : overrides_[home.value()].content;
  return content == kNoOverride ? std::nullopt : std::optional(content);
}

}  // namespace powercut::lab
