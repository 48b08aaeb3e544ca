// The one place of a recovery that writes.
#include "base/stored_int.h"
#include "recovery/log_reader.h"
#include "recovery/recovery.h"

namespace powercut {
namespace {

Result<void> replay_block(const LogReader& reader, const LoggedBlock& block, MutableBytes buffer,
                          BlockDevice& target) {
  TRY(reader.read(block.log, buffer));
  if (block.is_escaped) store(buffer, 0, Be32(kJournalMagic));
  return target.write(block.home.value() * reader.block_bytes(), buffer);
}

// A tid beyond any that the log holds, so that none of its blocks can be taken for one of a later
// transaction: at most one incomplete transaction lies behind an ordinary end, and at most as many
// transactions as the ring has blocks behind an end that was asked for.
Tid next_sequence(const RecoveryPlan& plan) {
  if (!plan.is_cut_short) return plan.next_tid.next();
  const std::uint32_t ring = plan.superblock.ring_end() - plan.superblock.first;
  return Tid(plan.next_tid.value() + ring);
}

Result<void> empty_log(const RecoveryPlan& plan, const LogReader& reader, MutableBytes buffer,
                       BlockDevice& target) {
  TRY(reader.read(LogBlock(0), buffer));
  JournalSuperblock superblock = plan.superblock;
  superblock.start = LogBlock(0);
  superblock.sequence = next_sequence(plan);
  superblock.encode(buffer);
  TRY(target.write(reader.map().device_block(LogBlock(0)).value() * reader.block_bytes(), buffer));
  return target.flush();
}

}  // namespace

Result<void> apply_recovery(const RecoveryPlan& plan, const BlockView& source,
                            const JournalMap& map, BlockDevice& target) {
  if (plan.end == RecoveryEnd::kNothingToDo) return {};
  if (plan.fast_commits) {
    return fail(Errc::kUnsupported, "journal: fast commits are not replayed",
                plan.fast_commits->tid.value());
  }
  const LogReader reader(source, map);
  std::vector<std::uint8_t> buffer(reader.block_bytes());
  for (const LoggedTransaction& transaction : plan.transactions) {
    for (const LoggedBlock& block : transaction.blocks) {
      if (block.verdict != BlockVerdict::kReplay) continue;
      TRY(replay_block(reader, block, buffer, target));
    }
  }
  TRY(target.flush());
  if (!plan.empties_log) return {};
  return empty_log(plan, reader, buffer, target);
}

}  // namespace powercut
