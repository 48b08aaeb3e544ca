#include "lab/check/recover_judge.h"

#include <fmt/format.h>

namespace powercut::lab {
namespace {

CheckFinding recover_finding(std::string rule, std::string words) {
  return finding_of(JudgeName::kRecover, std::move(rule), std::move(words));
}

CheckFinding refused(const LogOutcome& outcome) {
  if (outcome.damages.empty())
    return recover_finding("recovery-refused", "the log does not recover");
  const Damage& damage = outcome.damages.front();
  CheckFinding result = recover_finding(
      "recovery-refused",
      fmt::format("the file system does not mount: {} in transaction {}, log block {}",
                  recovery_rule_name(damage.rule), damage.tid.value(), damage.log_block.value()));
  result.tid = damage.tid;
  if (damage.rule == RecoveryRule::kDataChecksum || damage.rule == RecoveryRule::kBlockOutside) {
    result.block = damage.home;
  }
  return result;
}

}  // namespace

Result<void> RecoverJudge::begin(StateContents& base) {
  const LogOutcome outcome = TRY(recovery_.recover(base));
  if (outcome.mounts()) floor_ = outcome.next_tid;
  take_superblock(base.content(recovery_.map().device_block(LogBlock(0))));
  return {};
}

void RecoverJudge::take_superblock(ContentId content) {
  const auto superblock = JournalSuperblock::parse(pool_.bytes(content));
  if (superblock) is_async_ = superblock->has(JournalIncompat::kAsyncCommit);
}

void RecoverJudge::note_durable(BlockNo block, ContentId content) {
  if (!recovery_.is_journal(block)) return;
  if (block == recovery_.map().device_block(LogBlock(0))) return take_superblock(content);
  const auto header = parse_journal_header(pool_.bytes(content));
  if (!header || (!is_async_ && !header->is(JournalBlockType::kCommit))) return;
  const Tid reached = is_async_ ? header->tid : header->tid.next();
  if (!floor_ || floor_->comes_before(reached)) floor_ = reached;
}

std::optional<CheckFinding> RecoverJudge::judge(const LogOutcome& outcome) {
  if (outcome.trouble) {
    return recover_finding("superblock-unreadable", "no mount: " + error_words(*outcome.trouble));
  }
  if (outcome.end == RecoveryEnd::kRefused) return refused(outcome);
  if (!outcome.needs_recovery && outcome.transaction_count != 0) {
    return recover_finding(
        "log-ignored",
        fmt::format("{} whole transactions are in the log, but the superblock says that "
                    "there is nothing to recover",
                    outcome.transaction_count));
  }
  if (floor_ && outcome.next_tid.comes_before(*floor_)) {
    CheckFinding lost = recover_finding(
        "commit-lost",
        fmt::format("transaction {} was durably committed, but the recovery ends before {}",
                    floor_->previous().value(), outcome.next_tid.value()));
    lost.tid = floor_->previous();
    return lost;
  }
  const auto superblock = recovery_.override_of(outcome, recovery_.superblock_block());
  if (!superblock) return std::nullopt;
  const Result<bool>& needs = recovery_.needs_recovery(*superblock);
  if (needs && *needs) return std::nullopt;
  return recover_finding("recovery-not-repeatable",
                         "the log holds a superblock that does not say that it needs recovery");
}

}  // namespace powercut::lab
