// The first pass of a recovery: walks the ring from s_start, one decision of decide.h after
// another, and collects the whole transactions.
//
// Invariants
//   1. It looks at each block of the ring at most once: every step uses up at least one block of a
//      budget that begins with the ring's size.
//   2. A transaction is collected with its commit block, never in parts.
//   3. Data blocks are read only for the v1 checksum, and only if `verify_data`.
#pragma once

#include <optional>
#include <vector>

#include "recovery/log_reader.h"
#include "recovery/recovery.h"

namespace powercut {

struct ScannedTransaction {
  LoggedTransaction logged;              // all verdicts still kReplay
  std::vector<std::uint32_t> checksums;  // of logged.blocks, as their tags have them
};

struct LogScan {
  std::vector<ScannedTransaction> whole;  // oldest first
  RecoveryRule end_rule = RecoveryRule::kLogEnds;
  LogBlock end_block;
  Tid next_tid;
  // Nothing after an ordinary end.
  std::optional<Damage> damage;
  // With `damage`.  Not refused: Linux does not notice it (ScanStep::kDropLost).
  bool is_refused = false;
  // With `is_refused`: before the replay, so not even the whole transactions are written.
  bool is_replay_refused = false;
  // The scan stopped because of RecoveryOptions::up_to.
  bool is_cut_short = false;
};

// `superblock` is this journal's, with a start other than 0; `reader`'s map covers its ring.
// Errors: reading the device.
Result<LogScan> scan_log(const LogReader& reader, const JournalSuperblock& superblock,
                         const RecoveryOptions& options);

}  // namespace powercut
