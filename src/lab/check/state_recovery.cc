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
      std::ranges::copy(owner_.pool_.bytes(content(log)),
                        into.begin() + static_cast<std::ptrdiff_t>(at));
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
      override_of_(block_count) {
  CHECK(pool.block_bytes() == map_.block_bytes(), "a journal of another block size");
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
  Log log(*this, state);
  const auto plan = plan_recovery(log, {.recover_as = rules_});
  if (!plan) {
    if (plan.error().code == Errc::kLimit) return Failure{plan.error()};
    outcome.trouble = plan.error();
    return outcome;
  }
  outcome.end = plan->end;
  outcome.next_tid = plan->next_tid;
  outcome.transaction_count = plan->transactions.size();
  outcome.damages = plan->damages;
  if (!outcome.needs_recovery) {  // Linux discards the log
    outcome.end = RecoveryEnd::kNothingToDo;
    return outcome;
  }
  TRY(add_overrides(*plan, state, outcome));
  return outcome;
}

// The last content that is replayed to a home counts.
Result<void> StateRecovery::add_overrides(const RecoveryPlan& plan, StateContents& state,
                                          LogOutcome& outcome) {
  std::vector<const LoggedBlock*> last;
  last.reserve(plan.replay_count);
  for (const LoggedTransaction& transaction : plan.transactions) {
    for (const LoggedBlock& block : transaction.blocks) {
      if (block.verdict != BlockVerdict::kReplay) continue;
      std::uint32_t& place = override_of_[block.home.value()];
      if (place == 0) {
        last.push_back(&block);
        place = static_cast<std::uint32_t>(last.size());
      }
      last[place - 1] = &block;
    }
  }
  for (const LoggedBlock* const block : last) override_of_[block->home.value()] = 0;
  outcome.overrides.reserve(last.size());
  for (const LoggedBlock* const block : last) {
    ContentId content = state.content(device_blocks_[block->log.value()]);
    if (block->is_escaped) content = TRY(facts_.unescaped(content));
    outcome.overrides.push_back({block->home, content});
  }
  return {};
}

}  // namespace powercut::lab
