// The recovery of crash states whose blocks are known by content: what one mount would make of the
// log, without a byte being copied or summed twice.
//
// Words
//   state     what each block holds when the power is gone; asked for block by block, since which
//             blocks matter is only known as the recovery reads them
//   override  a home block, and the content that the recovery gives it
//   settled   the whole transactions of the log that are on the disk for sure, and the overrides
//   that
//             a recovery of just these would make: kept from one crash point to the next
//   outcome   how the recovery ends, and how its overrides differ from the settled ones
//
// The rules are recovery/'s own: plan_recovery() over a LogSource that looks contents up.  Before
// it, as Linux does it: the file system's superblock says whether there is anything to recover.
//
// Invariants
//   1. A settled transaction was found whole and sound, with everything before it, and its blocks
//      have held the same contents since: a scan would find the same again, so it begins behind.
//   2. What lies behind the settled part changes nothing of it but by its revoke records.
//   3. Where a state's journal superblock is another, or a settled block may hold something else,
//      the whole log is scanned.
// Threads: one caller at a time.
#pragma once

#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "lab/check/content_sum.h"
#include "lab/check/log_facts.h"
#include "recovery/scan.h"

namespace powercut::lab {

class StateContents {
 public:
  virtual ~StateContents() = default;
  // What the block holds.  To ask is to depend on it.
  virtual ContentId content(BlockNo block) = 0;
  // All that it may hold, for a reader that need not know which.
  virtual void possible(BlockNo block, std::vector<ContentId>& into) const = 0;
};

struct Override {
  BlockNo home;
  ContentId content;
  friend bool operator==(const Override&, const Override&) = default;
};

// In an outcome: the settled override does not hold, the block stays as it lies.
inline constexpr ContentId kNoOverride{~std::uint32_t{0}};

struct LogOutcome {
  // The superblock or the log cannot be read as such: there is no mount, and nothing below.
  std::optional<Error> trouble;
  bool needs_recovery = false;
  RecoveryEnd end = RecoveryEnd::kNothingToDo;
  Tid next_tid;
  std::size_t transaction_count = 0;  // whole ones in the log
  std::vector<Damage> damages;
  // What differs from the settled overrides; each home once, in no order that matters.
  std::vector<Override> overrides;
  bool is_behind_settled = false;  // the settled part was not read again
  bool mounts() const { return !trouble && end != RecoveryEnd::kRefused; }
};

class StateRecovery {
 public:
  // `pool` must outlive it; unescaped contents are added to it.
  StateRecovery(ContentPool& pool, JournalMap map, std::uint64_t block_count,
                RecoverAs rules = RecoverAs::kLinux);

  const JournalMap& map() const { return map_; }
  bool is_journal(BlockNo block) const { return is_journal_[block.value()]; }
  BlockNo superblock_block() const { return superblock_block_; }
  LogFacts& facts() { return facts_; }
  // Errors: kLimit: the pool's.  Any damage is in the outcome.
  Result<LogOutcome> recover(StateContents& state);

  // A new crash point: settles what `durable`, the state in which nothing is there that may be
  // lost, has in its log.  `changed`: blocks that hold something else in it than at the last call.
  // Errors: kLimit: the pool's.
  Result<void> settle(StateContents& durable, std::span<const BlockNo> changed);
  // `block` may hold something else than in the durable state, until the next settle().
  void note_pending(BlockNo block);
  // What the last settle() changed; kNoOverride where an override is gone.  May name a home twice.
  std::span<const Override> settled_changes() const { return settled_changes_; }
  // The content that the recovery gives to `home` in an outcome, if any.
  std::optional<ContentId> override_of(const LogOutcome& outcome, BlockNo home) const;
  // A sum over the blocks of the settled part, as they are read.
  std::uint64_t settled_read_sum() const { return settled_read_sum_; }
  // What the file system's superblock says of `content`.
  const Result<bool>& needs_recovery(ContentId content);

 private:
  class Log;
  struct SettledTransaction {
    Tid tid;
    LogBlock end;  // behind its commit block
    std::uint64_t seconds = 0;
    std::vector<Override> homes;   // that it replays
    std::vector<Override> blocks;  // all of its blocks in the log, with what they hold
  };
  struct SettledOverride {
    ContentId content = kNoOverride;
    Tid tid;
  };

  Result<RecoveryPlan> plan_of(StateContents& state, bool uses_settled);
  Result<LogOutcome> recover_with(StateContents& state, bool uses_settled);
  Result<void> add_overrides(const RecoveryPlan& plan, StateContents& state, bool uses_settled,
                             LogOutcome& outcome);
  void put(Override override, std::vector<Override>& into);
  void lift_settled(std::vector<Override>& into);
  void forget_places(const std::vector<Override>& list);
  bool is_as_settled(StateContents& state);
  ScanPoint settled_end() const;
  bool can_settle(const RecoveryPlan& plan) const;
  Result<void> settle_transaction(const LoggedTransaction& transaction, StateContents& durable);
  void add_block(SettledTransaction& transaction, LogBlock log, StateContents& durable);
  void set_settled(BlockNo home, ContentId content, Tid tid);
  void forget_first();
  void forget_all();

  ContentPool& pool_;
  LogFacts facts_;
  const JournalMap map_;
  const std::uint64_t block_count_;
  const RecoverAs rules_;
  const BlockNo superblock_block_;
  std::vector<BlockNo> device_blocks_;                           // by log block
  std::vector<bool> is_journal_;                                 // by block
  std::unordered_map<std::uint32_t, Result<bool>> superblocks_;  // needs_recovery, by content
  std::vector<std::uint32_t> place_of_;  // by home: 1 + index in the list that is being made
  std::vector<ContentId> possible_;
  std::vector<const LoggedBlock*> last_;  // by index in that list: what is replayed there

  std::deque<SettledTransaction> settled_;
  JournalSuperblock settled_superblock_;  // of the durable state, while something is settled
  ContentId settled_superblock_content_;
  std::vector<SettledOverride> overrides_;  // by home
  std::vector<bool> is_settled_;            // by block: a block of the settled part
  bool is_settled_pending_ = false;         // one of these may hold something else
  std::vector<Override> settled_changes_;
  std::uint64_t settled_read_sum_ = 0;
};

}  // namespace powercut::lab
