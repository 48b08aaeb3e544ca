// The plan: the scan's transactions, with a verdict on each logged block.
#include "recovery/recovery.h"

#include <algorithm>

#include "base/fuzzing.h"
#include "recovery/scan.h"

namespace powercut {
namespace {

constexpr std::uint32_t kFastCommitBytesMax = 64u << 20;

Result<JournalSuperblock> read_superblock(const LogReader& reader) {
  std::vector<std::uint8_t> block(reader.block_bytes());
  TRY(reader.read(LogBlock(0), block));
  const JournalSuperblock superblock = TRY(JournalSuperblock::parse(block));
  if (superblock.block_bytes != reader.block_bytes()) {
    return fail(Errc::kCorrupt, "journal: its block size is not the file system's",
                superblock.block_bytes);
  }
  if (superblock.log_block_count > reader.map().block_count()) {
    return fail(Errc::kCorrupt, "journal: shorter than its superblock says",
                reader.map().block_count());
  }
  return superblock;
}

// Linux replays the fast-commit area if it goes on from the last whole transaction (`next_tid` is
// one past it); anything else there is left over.
Result<std::optional<FastCommits>> read_fast_commits(const LogReader& reader,
                                                     const JournalSuperblock& superblock,
                                                     Tid next_tid) {
  const FastCommitArea area = fast_commit_area(superblock);
  if (area.block_count == 0) return std::optional<FastCommits>();
  std::vector<std::uint8_t> bytes(reader.block_bytes());
  TRY(reader.read(area.first, bytes));
  if (parse_fast_commit_head(bytes) != next_tid) return std::optional<FastCommits>();
  if (area.block_count > kFastCommitBytesMax / reader.block_bytes()) {
    return fail(Errc::kLimit, "journal: fast-commit area over 64 MiB", area.block_count);
  }
  bytes.resize(std::size_t{area.block_count} * reader.block_bytes());
  for (std::uint32_t i = 0; i < area.block_count; ++i) {
    const std::size_t at = std::size_t{i} * reader.block_bytes();
    TRY(reader.read(area.first + i, MutableBytes(bytes).subspan(at, reader.block_bytes())));
  }
  return parse_fast_commits(bytes, reader.block_bytes(), next_tid);
}

// To ignore fast commits would drop what was fsynced: they are listed, or refused by name.
Result<void> look_at_fast_commits(const LogReader& reader, const RecoveryOptions& options,
                                  Tid next_tid, RecoveryPlan& plan) {
  plan.fast_commits = TRY(read_fast_commits(reader, plan.superblock, next_tid));
  if (!plan.fast_commits || options.lists_fast_commits) return {};
  return fail(Errc::kUnsupported, "journal: fast commits are not replayed", next_tid.value());
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

class Judge {
 public:
  Judge(const LogReader& reader, const JournalFormat& format, const RevokeTable& revokes,
        const RecoveryOptions& options)
      : reader_(reader),
        format_(format),
        revokes_(revokes),
        verifies_((format.checksum == ChecksumKind::kV2 || format.checksum == ChecksumKind::kV3) &&
                  options.verify_data && !kFuzzing),
        block_(format.block_bytes) {}

  // Settles the verdicts of one transaction; what does not match is added to `damages`.
  Result<void> settle(ScannedTransaction& transaction, std::vector<Damage>& damages) {
    for (std::size_t i = 0; i < transaction.logged.blocks.size(); ++i) {
      LoggedBlock& block = transaction.logged.blocks[i];
      const Tid tid = transaction.logged.tid;
      if (revokes_.suppresses(block.home, tid)) {  // before its checksum is looked at
        block.verdict = BlockVerdict::kRevoked;
        continue;
      }
      const auto damage = TRY(damage_of(block, tid, transaction.checksums[i]));
      if (!damage) continue;
      block.verdict = BlockVerdict::kSkippedDamaged;
      damages.push_back(*damage);
    }
    return {};
  }

 private:
  Result<std::optional<Damage>> damage_of(const LoggedBlock& block, Tid tid, std::uint32_t stored) {
    const bool is_outside = block.home.value() >= reader_.home_blocks() ||
                            reader_.map().log_block(block.home).has_value();
    if (is_outside) {
      return std::optional(Damage{RecoveryRule::kBlockOutside, tid, block.log, block.home});
    }
    if (!verifies_) return std::optional<Damage>();
    TRY(reader_.read(block.log, block_));
    const std::uint32_t computed = tag_checksum(block_, format_, tid);
    if (computed == stored) return std::optional<Damage>();
    return std::optional(
        Damage{RecoveryRule::kDataChecksum, tid, block.log, block.home, stored, computed});
  }

  const LogReader& reader_;
  const JournalFormat& format_;
  const RevokeTable& revokes_;
  const bool verifies_;
  std::vector<std::uint8_t> block_;
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

// How the recovery as a whole ends; `plan.damages` are those of data blocks so far.  What stops the
// scan comes before what is found in the replay.
void settle_end(RecoveryPlan& plan, const LogScan& scan) {
  const bool skips = !plan.damages.empty();
  plan.end = scan.is_refused || skips ? RecoveryEnd::kRefused : RecoveryEnd::kClean;
  plan.end_rule = skips && !scan.is_refused ? plan.damages.front().rule : scan.end_rule;
  plan.end_block = scan.end_block;
  plan.next_tid = scan.next_tid;
  plan.is_cut_short = scan.is_cut_short;
  plan.empties_log = plan.end == RecoveryEnd::kClean || plan.recover_as == RecoverAs::kE2fsck;
  if (scan.damage) plan.damages.push_back(*scan.damage);
  if (scan.is_replay_refused) refuse_replay(plan);
  count_verdicts(plan);
}

}  // namespace

Result<RecoveryPlan> plan_recovery(const BlockView& device, const JournalMap& map,
                                   const RecoveryOptions& options) {
  const LogReader reader(device, map);
  RecoveryPlan plan;
  plan.recover_as = options.recover_as;
  plan.superblock = TRY(read_superblock(reader));
  plan.next_tid = plan.superblock.sequence;
  if (plan.superblock.start.value() == 0) return plan;
  LogScan scan = TRY(scan_log(reader, plan.superblock, options));
  if (!scan.is_cut_short && !scan.is_refused) {
    TRY(look_at_fast_commits(reader, options, scan.next_tid, plan));
  }
  const JournalFormat format = plan.superblock.format();
  const RevokeTable revokes(scan.whole);
  Judge judge(reader, format, revokes, options);
  plan.transactions.reserve(scan.whole.size());
  for (ScannedTransaction& transaction : scan.whole) {
    TRY(judge.settle(transaction, plan.damages));
    plan.transactions.push_back(std::move(transaction.logged));
  }
  settle_end(plan, scan);
  return plan;
}

std::string_view recovery_rule_name(RecoveryRule rule) {
  switch (rule) {
    case RecoveryRule::kLogEnds: return "log ends";
    case RecoveryRule::kStaleCommit: return "stale commit block";
    case RecoveryRule::kNoCommitAfterDamage: return "no commit block after damage";
    case RecoveryRule::kDataChecksum: return "data block checksum";
    case RecoveryRule::kDescriptorChecksum: return "descriptor or revoke block checksum";
    case RecoveryRule::kDescriptorFormat: return "descriptor or revoke block format";
    case RecoveryRule::kCommitChecksum: return "commit block checksum";
    case RecoveryRule::kBlockOutside: return "block outside the file system";
  }
  return "?";
}

}  // namespace powercut
