// The recovery of crash states whose blocks are known by content: what one mount would make of the
// log, without a byte being copied or summed twice.
//
// Words
//   state     what each block holds when the power is gone; asked for block by block, since which
//             blocks matter is only known as the recovery reads them
//   override  a home block, and the content that the recovery gives it
//   outcome   how the recovery ends, and all its overrides
//
// The rules are recovery/'s own: plan_recovery() over a LogSource that looks contents up.  Before
// it, as Linux does it: the file system's superblock says whether there is anything to recover.
// Threads: one caller at a time.
#pragma once

#include <optional>
#include <vector>

#include "lab/check/log_facts.h"
#include "recovery/recovery.h"

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

struct LogOutcome {
  // The superblock or the log cannot be read as such: there is no mount, and nothing below.
  std::optional<Error> trouble;
  bool needs_recovery = false;
  RecoveryEnd end = RecoveryEnd::kNothingToDo;
  Tid next_tid;
  std::size_t transaction_count = 0;  // whole ones in the log
  std::vector<Damage> damages;
  std::vector<Override> overrides;  // each home once, in no order that matters
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
  // What the file system's superblock says of `content`.
  const Result<bool>& needs_recovery(ContentId content);

 private:
  class Log;
  Result<void> add_overrides(const RecoveryPlan& plan, StateContents& state, LogOutcome& outcome);

  ContentPool& pool_;
  LogFacts facts_;
  const JournalMap map_;
  const std::uint64_t block_count_;
  const RecoverAs rules_;
  const BlockNo superblock_block_;
  std::vector<BlockNo> device_blocks_;                           // by log block
  std::vector<bool> is_journal_;                                 // by block
  std::unordered_map<std::uint32_t, Result<bool>> superblocks_;  // needs_recovery, by content
  std::vector<std::uint32_t> override_of_;                       // by home: 1 + index in overrides
  std::vector<ContentId> possible_;
};

}  // namespace powercut::lab
