// What a recovery of a journal would do, as decisions; and a device as it would be afterwards.
//
// Words
//   scan      walks the ring from s_start and finds the whole transactions and the end of the log
//   decision  what happens with one logged block: replayed, skipped, revoked
//   plan      all decisions, in log order, and how the recovery as a whole ends
//
// Invariants
//   1. A plan is made without writing.  apply() is the one place that writes.
//   2. Every loop is bounded by the ring: a log block is looked at once per pass.
//   3. Each step of the scan is decided by exactly one row of the table in decide.h.
#pragma once

#include <array>
#include <string>
#include <unordered_map>
#include <vector>

#include "block/block_device.h"
#include "format/jbd2.h"
#include "format/jbd2_fast_commit.h"
#include "recovery/journal_map.h"

namespace powercut {

// Whose rules: they differ in a few rows of the table, and in what becomes of a damaged log.
enum class RecoverAs : std::uint8_t {
  kLinux,     // Linux 6.18, and others from 6.13 on
  kLinux612,  // Linux 6.11 and 6.12
  kLinux61,   // Linux 5.10 to 6.10
  kE2fsck,    // e2fsck 1.47: replays what it can, empties the log whatever it found
};
inline constexpr std::array kAllRecoverAs = {RecoverAs::kLinux, RecoverAs::kLinux612,
                                             RecoverAs::kLinux61, RecoverAs::kE2fsck};
// "linux", "linux-6.12", "linux-6.1", "e2fsck".
std::string_view recover_as_name(RecoverAs rules);
std::optional<RecoverAs> recover_as_of(std::string_view name);
// The rules of a Linux by its release ("6.1.0-56-cloud-amd64"); kLinux if that does not begin with
// two numbers.  Before 5.10 other rules were in force that nobody here has asked about.
RecoverAs recover_as_of_release(std::string_view release);

// How the recovery as a whole ends, in Linux's terms.
enum class RecoveryEnd : std::uint8_t {
  kNothingToDo,  // s_start is 0
  kClean,        // the log ended in an ordinary way; all whole transactions are replayed
  kRefused,      // damage: the file system does not mount.  Blocks that match are still written,
                 // but none if a descriptor or revoke block is damaged, and none behind one whose
                 // home cannot be written (kNotReached)
};

// The rule by which the log ended, or by which a recovery is refused.
enum class RecoveryRule : std::uint8_t {
  kLogEnds,              // no magic, another tid, or an unknown type: the ordinary end
  kStaleCommit,          // a damaged block with a commit time older than the one before: stale log
  kNoCommitAfterDamage,  // a damaged descriptor or revoke block and no commit block after it
  kDataChecksum,         // a data block does not match its tag
  kDescriptorChecksum,   // a descriptor or revoke block does not match its tail
  kDescriptorFormat,     // a revoke block whose records go past its end
  kCommitChecksum,       // a commit block does not match (or, with kV1, its transaction does not)
  kCommitTorn,           // a commit block would match if all behind its header was zero
  kTidGoesOn,            // behind a damaged commit block its tid goes on, and later tids come
  kFastCommits,          // the fast-commit area cannot be read; the log itself is sound
  kBlockOutside,         // a tag names a block past the file system, or one of the log itself
};
std::string_view recovery_rule_name(RecoveryRule rule);

struct Damage {
  RecoveryRule rule;
  Tid tid;
  LogBlock log_block;  // the block that does not match
  BlockNo home = {};   // kDataChecksum, kBlockOutside: the file-system block concerned
  std::uint32_t stored = 0, computed = 0;
};

enum class BlockVerdict : std::uint8_t {
  kReplay,
  kRevoked,
  kSkippedDamaged,
  kNotReached,  // the recovery is refused before it comes so far; nothing is said of the block
};

struct LoggedBlock {
  BlockNo home;
  LogBlock log;
  bool is_escaped = false;
  BlockVerdict verdict = BlockVerdict::kReplay;
};

struct LoggedTransaction {
  Tid tid;
  LogBlock first;   // its first block in the ring
  LogBlock commit;  // its commit block
  std::uint64_t commit_seconds = 0;
  std::vector<LoggedBlock> blocks;  // in log order
  std::vector<BlockNo> revokes;
};

struct RecoveryPlan {
  JournalSuperblock superblock;
  RecoveryEnd end = RecoveryEnd::kNothingToDo;
  RecoveryRule end_rule = RecoveryRule::kLogEnds;
  LogBlock end_block;                           // where the scan stopped
  Tid next_tid;                                 // the tid expected there
  bool is_cut_short = false;                    // the scan stopped because of `up_to`
  std::vector<LoggedTransaction> transactions;  // whole ones, oldest first
  // In log order, what stopped the scan last.  With kClean: only what the implementation itself
  // does not notice.  kCommitChecksum: damaged commit blocks of an async journal with crc32c, where
  // whole transactions are dropped or a damaged one is replayed without a word, that of tid 0, and
  // one whose tid goes on behind it;
  // kBlockOutside, with kE2fsck.
  std::vector<Damage> damages;
  // What was accepted although it is not whole (kCommitTorn).
  std::vector<Damage> notices;
  std::uint64_t replay_count = 0, revoked_count = 0, skipped_count = 0;
  RecoverAs recover_as = RecoverAs::kLinux;
  // Whether apply_recovery() empties the log: after a clean end; with kE2fsck after any.
  bool empties_log = false;
  // Fast commits that go on from the last whole transaction; only with `lists_fast_commits`.
  std::optional<FastCommits> fast_commits;
};

struct RecoveryOptions {
  // Stop after this transaction as if the log ended there: "as of tid N".
  std::optional<Tid> up_to = std::nullopt;
  // Look at the checksum of every data block (the view of a live disk need not).  Without it no
  // data block is read, and a kV1 transaction counts as whole with its commit block.
  bool verify_data = true;
  RecoverAs recover_as = RecoverAs::kLinux;
  // Fast commits that would have to be replayed are put into the plan, which can then be looked at
  // but not applied.  Without it they are an error.
  bool lists_fast_commits = false;
};

// Scans the journal of `device` and decides.  `device` is the file system's device and holds the
// journal at `map`.
// Errors: as JournalSuperblock::parse; kIo; kCorrupt if the map is shorter than the superblock
// says; kUnsupported for a valid fast-commit area with the expected tid (refused by name). Damage
// in the log is not an error: it is in the plan.
Result<RecoveryPlan> plan_recovery(const BlockView& device, const JournalMap& map,
                                   const RecoveryOptions& options = {});

// The same of a log that comes from elsewhere.  With `from` (scan.h) the plan holds what lies
// behind it; revoke records of that count for what lies before it, too.  Errors: also those of
// `source`.
class LogSource;
struct ScanPoint;
Result<RecoveryPlan> plan_recovery(LogSource& source, const RecoveryOptions& options = {},
                                   const ScanPoint* from = nullptr);

// Writes what the plan replays to its home blocks on `target`, then flushes; with `empties_log`
// also empties the log and flushes again: s_start = 0, and an s_sequence beyond every tid that the
// log still holds (one past next_tid as Linux does; further if the plan is cut short; as it was if
// kE2fsck gave up).  A home block that several transactions hold is written once, with its last
// content, in ascending order, neighbours together.
// Can be interrupted at any point and made again: the log is whole until all of it is home.
// `source` is what the plan was made of; it may be `target`.
// Errors: kUnsupported: the plan holds fast commits; kInvalid: `target` is too short for a home
// block (both before the first write); kIo, kNoSpace.
Result<void> apply_recovery(const RecoveryPlan& plan, const BlockView& source,
                            const JournalMap& map, BlockDevice& target);

// Says in the ext4 superblock of `target` that its journal was recovered, and flushes: clears
// needs_recovery; an error that the journal recorded, or a damaged log that was emptied (kE2fsck),
// leaves the file system marked as in need of a check.  For a plan with `empties_log` or with
// kNothingToDo, after apply_recovery().  Errors: as Superblock::parse; kIo.
Result<void> mark_recovered(const RecoveryPlan& plan, BlockDevice& target);
// The same, and then clears the error in the journal's superblock, as Linux and e2fsck do: it is in
// the file system's now.
Result<void> mark_recovered(const RecoveryPlan& plan, const JournalMap& map, BlockDevice& target);

// A device as it would read after a plan: a home block that is replayed comes from the log.
// Holds references to `device` and `map`; they must outlive it.  Read-only, made in one pass over
// the plan.
class RecoveredView final : public BlockView {
 public:
  RecoveredView(const BlockView& device, const JournalMap& map, const RecoveryPlan& plan);
  std::uint64_t size_bytes() const override { return device_.size_bytes(); }

 private:
  struct Source {
    LogBlock log;
    bool is_escaped;
  };
  Result<void> do_read(std::uint64_t offset, MutableBytes into) const override;

  const BlockView& device_;
  const JournalMap& map_;
  std::unordered_map<std::uint64_t, Source> from_log_;
};

}  // namespace powercut
