// The first pass of a recovery: walks the ring from s_start, one decision of decide.h after
// another, and collects the whole transactions.
//
// Invariants
//   1. It looks at each block of the ring at most once: every step uses up at least one block of a
//      budget that begins with the ring's size.
//   2. A transaction is collected with its commit block, never in parts.
//   3. Data blocks are asked for only with `verify_data`, and then once: as the scan passes them,
//   or
//      when it is over and only those of whole transactions, as the source likes it.
#pragma once

#include <optional>
#include <vector>

#include "recovery/log_source.h"
#include "recovery/recovery.h"

namespace powercut {

// Whether it matches; while fuzzing, where no checksum is looked at, it does not if the last byte
// stored is 0xBD, so that damage is reached too.
bool is_right(const ChecksumPair& checksum);

struct ScannedTransaction {
  LoggedTransaction logged;              // all verdicts still kReplay
  std::vector<std::uint32_t> checksums;  // of logged.blocks, as their tags have them
  std::vector<std::uint32_t> computed;   // as they are; empty where they are not looked at
  // Behind its commit block, which does not match, more blocks have its tid, and in the end a
  // commit block that matches.  They count for the scan alone.
  bool goes_on = false;
  // A revoke block whose count goes past its end.
  std::optional<Damage> bad_revoke;
};

struct LogScan {
  std::vector<ScannedTransaction> whole;  // oldest first
  RecoveryRule end_rule = RecoveryRule::kLogEnds;
  LogBlock end_block;
  Tid next_tid;
  // In log order; with `is_refused` the last one is why.  Without, Linux does not notice them.
  std::vector<Damage> damages;
  std::vector<Damage> notices;  // as RecoveryPlan
  bool is_refused = false;
  // With `is_refused`: before the replay, so not even the whole transactions are written.
  bool is_replay_refused = false;
  // The scan stopped because of RecoveryOptions::up_to.
  bool is_cut_short = false;
};

// A place behind a whole transaction, up to which all transactions were found whole and nothing was
// noticed: there a scan can go on that need not see them again.
struct ScanPoint {
  LogBlock position;
  std::uint32_t blocks_left = 0;  // of the ring, not yet looked at
  Tid expected;
  std::uint64_t last_seconds = 0;  // commit time of the transaction before it
};

// `superblock` is this journal's, with a start other than 0; `source`'s map covers its ring.
// With `from` the scan begins there, and `whole` holds what is behind it.  Errors: those of the
// source.
Result<LogScan> scan_log(LogSource& source, const JournalSuperblock& superblock,
                         const RecoveryOptions& options, const ScanPoint* from = nullptr);

}  // namespace powercut
