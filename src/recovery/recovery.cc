// The plan: the scan's transactions, with a verdict on each logged block.
#include "recovery/recovery.h"

#include <algorithm>

#include "recovery/decide.h"
#include "recovery/scan.h"

namespace powercut {
namespace {

constexpr std::uint32_t kFastCommitBytesMax = 64u << 20;

Result<JournalSuperblock> read_superblock(LogSource& source) {
  std::vector<std::uint8_t> block(source.map().block_bytes());
  TRY(source.read(LogBlock(0), block));
  const JournalSuperblock superblock = TRY(JournalSuperblock::parse(block));
  if (superblock.block_bytes != source.map().block_bytes()) {
    return fail(Errc::kCorrupt, "journal: its block size is not the file system's",
                superblock.block_bytes);
  }
  if (superblock.log_block_count > source.map().block_count()) {
    return fail(Errc::kCorrupt, "journal: shorter than its superblock says",
                source.map().block_count());
  }
  return superblock;
}

// What the fast-commit area means behind a log that ended before `next_tid`.
struct FastCommitLook {
  bool is_damaged = false;             // the recovery is refused before it replays anything
  std::optional<FastCommits> commits;  // to be replayed
};

// An area without a head was never used.  One whose head has the tid that follows the log goes on
// from it, and must be sound up to the first tail.  Any other head is left over from before the
// last whole transaction; e2fsck gives up there.
Result<FastCommitLook> look_at_fast_commits(LogSource& source, const RecoveryPlan& plan,
                                            Tid next_tid) {
  const FastCommitArea area = fast_commit_area(plan.superblock);
  if (area.block_count == 0) return FastCommitLook{};
  std::vector<std::uint8_t> bytes(source.map().block_bytes());
  TRY(source.read(area.first, bytes));
  const auto head = parse_fast_commit_head(bytes);
  if (!head) return FastCommitLook{};
  if (*head != next_tid) return FastCommitLook{plan.recover_as == RecoverAs::kE2fsck, {}};
  if (area.block_count > kFastCommitBytesMax / source.map().block_bytes()) {
    return fail(Errc::kLimit, "journal: fast-commit area over 64 MiB", area.block_count);
  }
  bytes.resize(std::size_t{area.block_count} * source.map().block_bytes());
  TRY(source.read(area.first, bytes));
  auto commits = parse_fast_commits(bytes, source.map().block_bytes(), next_tid);
  return FastCommitLook{!commits, std::move(commits)};
}

// To ignore fast commits would drop what was fsynced: they are listed, or refused by name.
Result<void> settle_fast_commits(LogSource& source, const RecoveryOptions& options, LogScan& scan,
                                 RecoveryPlan& plan) {
  if (scan.is_cut_short || scan.is_refused) return {};
  FastCommitLook look = TRY(look_at_fast_commits(source, plan, scan.next_tid));
  if (look.is_damaged) {
    const LogBlock first = fast_commit_area(plan.superblock).first;
    scan.damages.push_back({RecoveryRule::kFastCommits, scan.next_tid, first});
    scan.end_rule = RecoveryRule::kFastCommits;
    scan.is_refused = scan.is_replay_refused = true;
  }
  plan.fast_commits = std::move(look.commits);
  if (!plan.fast_commits || options.lists_fast_commits) return {};
  return fail(Errc::kUnsupported, "journal: fast commits are not replayed", scan.next_tid.value());
}

// The last transaction that revokes a block, by block.
class RevokeTable {
 public:
  explicit RevokeTable(const std::vector<ScannedTransaction>& transactions) {
    for (const ScannedTransaction& transaction : transactions) {
      for (const BlockNo block : transaction.logged.revokes) {
        last_[block.value()] = transaction.logged.tid;
      }
    }
  }
  // A record suppresses the block in its own and in all older transactions.
  bool suppresses(BlockNo block, Tid tid) const {
    const auto found = last_.find(block.value());
    return found != last_.end() && !found->second.comes_before(tid);
  }

 private:
  std::unordered_map<std::uint64_t, Tid> last_;
};

// Settles the verdicts, block by block in log order.
class Judge {
 public:
  // All must outlive it.
  Judge(const JournalMap& map, const LogScan& scan, const RevokeTable& revokes, RecoveryPlan& plan,
        bool is_behind_others)
      : map_(map),
        scan_(scan),
        revokes_(revokes),
        plan_(plan),
        has_whole_(is_behind_others || !scan.whole.empty()) {}

  // What does not match is added to the plan's damages.
  void settle(ScannedTransaction& transaction) {
    for (std::size_t i = 0; i < transaction.logged.blocks.size(); ++i) {
      LoggedBlock& block = transaction.logged.blocks[i];
      block.verdict = BlockVerdict::kNotReached;
      if (has_stopped_) continue;
      const bool has_sum = i < transaction.computed.size();
      const ChecksumPair checksum =
          has_sum ? ChecksumPair{transaction.checksums[i], transaction.computed[i]}
                  : ChecksumPair{};
      settle_block(block, transaction.logged.tid, checksum);
    }
  }
  bool has_refused() const { return has_refused_; }

 private:
  void settle_block(LoggedBlock& block, Tid tid, const ChecksumPair& checksum) {
    const BlockFacts facts = {.is_revoked = revokes_.suppresses(block.home, tid),
                              .matches = is_right(checksum),
                              .is_outside = block.home.value() >= map_.home_blocks(),
                              .is_in_log = is_in_log(block.home),
                              .rules = plan_.recover_as};
    const BlockStep step = decide(facts).step;
    switch (step) {
      case BlockStep::kReplay: block.verdict = BlockVerdict::kReplay; return;
      case BlockStep::kRevoke: block.verdict = BlockVerdict::kRevoked; return;
      case BlockStep::kSkip:
      case BlockStep::kPassBy:
      case BlockStep::kStop: break;
    }
    block.verdict = BlockVerdict::kSkippedDamaged;
    has_refused_ = has_refused_ || step != BlockStep::kPassBy;
    has_stopped_ = step == BlockStep::kStop;
    const RecoveryRule rule =
        facts.matches ? RecoveryRule::kBlockOutside : RecoveryRule::kDataChecksum;
    const bool is_sum = rule == RecoveryRule::kDataChecksum;
    plan_.damages.push_back({rule, tid, block.log, block.home, is_sum ? checksum.stored : 0,
                             is_sum ? checksum.computed : 0});
  }

  // The journal's superblock, or a block of the ring from its start to where the log ends.
  bool is_in_log(BlockNo home) const {
    const auto log = map_.log_block(home);
    if (!log) return false;
    const JournalSuperblock& superblock = plan_.superblock;
    if (*log < superblock.first) return true;
    if (*log >= superblock.ring_end()) return false;
    const std::uint32_t ring = superblock.ring_end() - superblock.first;
    const auto from_start = [&](LogBlock at) {
      return (at.value() + ring - superblock.start.value()) % ring;
    };
    // The scan may have come round to its start.
    const std::uint32_t length = from_start(scan_.end_block);
    const bool is_whole_ring = length == 0 && has_whole_;
    return is_whole_ring || from_start(*log) < length;
  }

  const JournalMap& map_;
  const LogScan& scan_;
  const RevokeTable& revokes_;
  RecoveryPlan& plan_;
  const bool has_whole_;
  bool has_refused_ = false;
  bool has_stopped_ = false;
};

void refuse_replay(RecoveryPlan& plan) {
  for (LoggedTransaction& transaction : plan.transactions) {
    for (LoggedBlock& block : transaction.blocks) {
      if (block.verdict == BlockVerdict::kReplay) block.verdict = BlockVerdict::kNotReached;
    }
  }
}

void count_verdicts(RecoveryPlan& plan) {
  for (const LoggedTransaction& transaction : plan.transactions) {
    for (const LoggedBlock& block : transaction.blocks) {
      switch (block.verdict) {
        case BlockVerdict::kReplay: ++plan.replay_count; break;
        case BlockVerdict::kRevoked: ++plan.revoked_count; break;
        case BlockVerdict::kSkippedDamaged: ++plan.skipped_count; break;
        case BlockVerdict::kNotReached: break;
      }
    }
  }
}

// A revoke block of a whole transaction whose records go past its end stops the recovery before the
// replay.
void refuse_bad_revokes(LogScan& scan) {
  const auto bad = std::ranges::find_if(
      scan.whole, [](const ScannedTransaction& each) { return each.bad_revoke.has_value(); });
  if (bad == scan.whole.end() || scan.is_replay_refused) return;
  scan.damages.push_back(*bad->bad_revoke);
  scan.end_rule = bad->bad_revoke->rule;
  scan.is_refused = scan.is_replay_refused = true;
}

// How the recovery as a whole ends; `plan.damages` are those of the replay so far.  What stops the
// scan comes before what is found in the replay.
void settle_end(RecoveryPlan& plan, const LogScan& scan, bool is_replay_bad) {
  const bool is_refused = scan.is_refused || is_replay_bad;
  plan.end = is_refused ? RecoveryEnd::kRefused : RecoveryEnd::kClean;
  plan.end_rule = is_refused && !scan.is_refused ? plan.damages.front().rule : scan.end_rule;
  plan.end_block = scan.end_block;
  plan.next_tid = scan.next_tid;
  plan.is_cut_short = scan.is_cut_short;
  plan.empties_log = plan.end == RecoveryEnd::kClean || plan.recover_as == RecoverAs::kE2fsck;
  plan.damages.insert(plan.damages.end(), scan.damages.begin(), scan.damages.end());
  plan.notices = scan.notices;
  if (scan.is_replay_refused) refuse_replay(plan);
  count_verdicts(plan);
}

}  // namespace

Result<RecoveryPlan> plan_recovery(const BlockView& device, const JournalMap& map,
                                   const RecoveryOptions& options) {
  DeviceLog source(device, map);
  return plan_recovery(source, options);
}

Result<RecoveryPlan> plan_recovery(LogSource& source, const RecoveryOptions& options,
                                   const ScanPoint* from) {
  RecoveryPlan plan;
  plan.recover_as = options.recover_as;
  plan.superblock = TRY(read_superblock(source));
  plan.next_tid = plan.superblock.sequence;
  if (plan.superblock.start.value() == 0) return plan;
  LogScan scan = TRY(scan_log(source, plan.superblock, options, from));
  TRY(settle_fast_commits(source, options, scan, plan));
  refuse_bad_revokes(scan);
  const RevokeTable revokes(scan.whole);
  Judge judge(source.map(), scan, revokes, plan, from != nullptr);
  plan.transactions.reserve(scan.whole.size());
  for (ScannedTransaction& transaction : scan.whole) {
    judge.settle(transaction);
    plan.transactions.push_back(std::move(transaction.logged));
  }
  settle_end(plan, scan, judge.has_refused());
  return plan;
}

std::string_view recovery_rule_name(RecoveryRule rule) {
  switch (rule) {
    case RecoveryRule::kLogEnds: return "log ends";
    case RecoveryRule::kStaleCommit: return "stale commit block";
    case RecoveryRule::kNoCommitAfterDamage: return "no commit block after damage";
    case RecoveryRule::kDataChecksum: return "data block checksum";
    case RecoveryRule::kDescriptorChecksum: return "descriptor or revoke block checksum";
    case RecoveryRule::kDescriptorFormat: return "revoke block format";
    case RecoveryRule::kCommitChecksum: return "commit block checksum";
    case RecoveryRule::kCommitTorn: return "commit block torn";
    case RecoveryRule::kTidGoesOn: return "tid goes on behind its commit block";
    case RecoveryRule::kFastCommits: return "fast-commit area";
    case RecoveryRule::kBlockOutside: return "block outside the file system";
  }
  return "?";
}

}  // namespace powercut
