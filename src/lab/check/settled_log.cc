// The part of StateRecovery that keeps what is settled from one crash point to the next.
#include <algorithm>

#include "lab/check/state_recovery.h"

namespace powercut::lab {

Result<void> StateRecovery::settle(StateContents& durable, std::span<const BlockNo> changed) {
  settled_changes_.clear();
  is_settled_pending_ = false;
  // Only the oldest can go: a settled block that is overwritten is damage, and rare.
  const bool is_overwritten =
      std::ranges::any_of(changed, [&](BlockNo block) { return is_settled_[block.value()]; });
  if (is_overwritten) forget_all();
  const ContentId content = durable.content(device_blocks_[0]);
  const auto superblock = JournalSuperblock::parse(pool_.bytes(content));
  const Result<bool>& needs = needs_recovery(durable.content(superblock_block_));
  if (!superblock || !needs || !*needs || superblock->start == LogBlock(0) ||
      superblock->block_bytes != map_.block_bytes() ||
      superblock->log_block_count > map_.block_count()) {
    forget_all();
    return {};
  }
  if (content != settled_superblock_content_) {
    const bool is_other_log = superblock->ring_end() != settled_superblock_.ring_end() ||
                              superblock->first != settled_superblock_.first ||
                              superblock->incompat != settled_superblock_.incompat ||
                              superblock->compat != settled_superblock_.compat ||
                              superblock->uuid != settled_superblock_.uuid;
    if (is_other_log) forget_all();
    while (!settled_.empty() && settled_.front().tid != superblock->sequence) forget_first();
    const bool is_other_place =
        !settled_.empty() &&
        map_.log_block(settled_.front().blocks.front().home) != std::optional(superblock->start);
    if (is_other_place) forget_all();
  }
  settled_superblock_ = *superblock;
  settled_superblock_content_ = content;
  const auto plan = plan_of(durable, !settled_.empty());
  if (!plan && plan.error().code == Errc::kLimit) return Failure{plan.error()};
  if (!plan || !can_settle(*plan)) return {};
  for (const LoggedTransaction& each : plan->transactions) TRY(settle_transaction(each, durable));
  return {};
}

void StateRecovery::note_pending(BlockNo block) {
  if (is_settled_[block.value()]) is_settled_pending_ = true;
}

ScanPoint StateRecovery::settled_end() const {
  const LogBlock first = settled_superblock_.first;
  const std::uint32_t ring = settled_superblock_.ring_end() - first;
  const SettledTransaction& last = settled_.back();
  // Where the log has come round to its start all of the ring was looked at.
  const std::uint32_t used = (last.end.value() + ring - settled_superblock_.start.value()) % ring;
  return {last.end, used == 0 ? 0 : ring - used, last.tid.next(), last.seconds};
}

// Nothing at all may be noteworthy.
bool StateRecovery::can_settle(const RecoveryPlan& plan) const {
  if (plan.end != RecoveryEnd::kClean || !plan.damages.empty() || !plan.notices.empty()) {
    return false;
  }
  return std::ranges::all_of(plan.transactions, [&](const LoggedTransaction& transaction) {
    return std::ranges::all_of(transaction.blocks, [&](const LoggedBlock& block) {
      const bool is_plain =
          block.verdict == BlockVerdict::kReplay || block.verdict == BlockVerdict::kRevoked;
      return is_plain && block.home.value() < block_count_ && !is_journal_[block.home.value()];
    });
  });
}

// Every block from its first to its commit block is part of it.
Result<void> StateRecovery::settle_transaction(const LoggedTransaction& transaction,
                                               StateContents& durable) {
  const LogBlock first = settled_superblock_.first;
  const LogBlock ring_end = settled_superblock_.ring_end();
  SettledTransaction settled;
  settled.tid = transaction.tid;
  settled.end = next_in_ring(transaction.commit, first, ring_end);
  settled.seconds = transaction.commit_seconds;
  for (LogBlock log = transaction.first; log != transaction.commit;
       log = next_in_ring(log, first, ring_end)) {
    add_block(settled, log, durable);
  }
  add_block(settled, transaction.commit, durable);
  for (const BlockNo home : transaction.revokes) {
    if (home.value() < block_count_) set_settled(home, kNoOverride, transaction.tid);
  }
  for (const LoggedBlock& block : transaction.blocks) {
    if (block.verdict != BlockVerdict::kReplay) continue;
    ContentId content = durable.content(device_blocks_[block.log.value()]);
    if (block.is_escaped) content = TRY(facts_.unescaped(content));
    settled.homes.push_back({block.home, content});
    set_settled(block.home, content, transaction.tid);
  }
  settled_.push_back(std::move(settled));
  return {};
}

void StateRecovery::add_block(SettledTransaction& transaction, LogBlock log,
                              StateContents& durable) {
  const BlockNo block = device_blocks_[log.value()];
  const ContentId content = durable.content(block);
  transaction.blocks.push_back({block, content});
  is_settled_[block.value()] = true;
  settled_read_sum_ += part_of_sum(block, content);
}

void StateRecovery::set_settled(BlockNo home, ContentId content, Tid tid) {
  SettledOverride& settled = overrides_[home.value()];
  const bool is_new = settled.content != content;
  settled = {content, tid};
  if (is_new) settled_changes_.push_back({home, content});
}

void StateRecovery::forget_first() {
  const SettledTransaction& first = settled_.front();
  for (const Override& block : first.blocks) {
    is_settled_[block.home.value()] = false;
    settled_read_sum_ -= part_of_sum(block.home, block.content);
  }
  for (const Override& each : first.homes) {
    const SettledOverride& settled = overrides_[each.home.value()];
    if (settled.tid == first.tid) set_settled(each.home, kNoOverride, settled.tid);
  }
  settled_.pop_front();
}

void StateRecovery::forget_all() {
  while (!settled_.empty()) forget_first();
}

}  // namespace powercut::lab
