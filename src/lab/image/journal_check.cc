#include "lab/image/journal_check.h"

#include <algorithm>
#include <unordered_map>

#include "base/crc32c.h"
#include "format/jbd2_disk.h"
#include "lab/verify/identify.h"

namespace powercut::lab {
namespace {

class Checker {
 public:
  Checker(const ImageFile& image, const ImageJournal& journal, JournalRing& ring,
          const CheckOptions& options, JournalCheck& check, const WorkWatcher& watcher)
      : image_(image),
        plan_(journal.plan),
        ring_(ring),
        options_(options),
        check_(check),
        watcher_(watcher) {
    for (const LoggedTransaction& transaction : plan_.transactions) {
      for (const BlockNo block : transaction.revokes) revoker_[block.value()] = transaction.tid;
      for (const LoggedBlock& block : transaction.blocks) {
        if (block.verdict == BlockVerdict::kRevoked) revoked_[block.log.value()] = block.home;
      }
    }
  }

  Result<void> run() {
    RingWalk walk = TRY(RingWalk::make(ring_, watcher_));
    for (const SortedFind& sorted : TRY(sort_ring(walk, ring_, plan_))) {
      if (is_to_check(sorted)) {
        TRY(check(walk, sorted));
      } else if (sorted.standing == Standing::kNotReached) {
        ++check_.not_reached_count;
      }
    }
    add_what_only_a_recovery_sees();
    return identify_all();
  }

 private:
  bool is_live(Standing standing) const {
    return standing == Standing::kLive || standing == Standing::kDamaged;
  }
  bool is_to_check(const SortedFind& sorted) const {
    if (is_live(sorted.standing)) return true;
    return options_.checks_old && sorted.found.commit && sorted.standing != Standing::kUncommitted;
  }

  Result<void> check(const RingWalk& walk, const SortedFind& sorted) {
    const FoundTransaction& found = sorted.found;
    const auto seen = walk.headers_in(found.first, found.length);
    const TransactionSpan span{found.tid, found.first, commit_of(sorted)};
    CheckedTransaction checked = TRY(check_transaction(ring_, span, seen));
    ++(is_live(sorted.standing) ? check_.live_count : check_.old_count);
    check_.block_count += checked.block_count;
    check_.verified_count += checked.verified_count;
    for (Finding& finding : checked.findings) {
      // Without its first blocks the sum over a whole transaction (kV1) cannot be made.
      const bool is_of_whole = finding.kind == FindingKind::kTransactionChecksum;
      if (is_of_whole && !found.has_beginning) continue;
      add(std::move(finding), sorted.standing);
    }
    return {};
  }

  std::optional<LogBlock> commit_of(const SortedFind& sorted) const {
    if (sorted.found.commit) return sorted.found.last;
    // Of a damaged one the recovery knows the commit block, even if its pieces do not lead there.
    if (sorted.standing == Standing::kDamaged) return plan_.end_block;
    return std::nullopt;
  }

  void add(Finding&& finding, Standing standing) {
    CheckedFinding& checked = check_.findings.emplace_back();
    finding.number = check_.findings.size();
    finding.commit_number = check_.live_count + check_.old_count;
    const bool is_revoked = standing == Standing::kLive &&
                            finding.kind == FindingKind::kDataChecksum &&
                            revoked_.contains(finding.log_block.value());
    if (is_revoked) checked.revoked_by = revoker_.at(finding.home.value());
    checked.is_accepted =
        finding.kind == FindingKind::kCommitChecksum &&
        std::ranges::any_of(plan_.notices, [&](const Damage& notice) {
          return notice.rule == RecoveryRule::kCommitTorn && notice.log_block == finding.log_block;
        });
    checked.standing = standing;
    checked.finding = std::move(finding);
  }

  // What no checksum of the log says, and a recovery does: a tag that names no block of the file
  // system, fast commits that cannot be read.
  void add_what_only_a_recovery_sees() {
    for (const Damage& damage : plan_.damages) {
      const bool is_outside = damage.rule == RecoveryRule::kBlockOutside;
      if (!is_outside && damage.rule != RecoveryRule::kFastCommits) continue;
      Finding finding;
      finding.kind = FindingKind::kDescriptorFormat;
      finding.tid = damage.tid;
      finding.log_block = damage.log_block;
      finding.home = damage.home;
      finding.rule = is_outside ? "its tag names block " + std::to_string(damage.home.value()) +
                                      ", which is outside the file system or in the log"
                                : std::string(recovery_rule_name(damage.rule)) + " cannot be read";
      finding.block_bytes = ring_.map().block_bytes();
      add(std::move(finding), is_outside ? Standing::kLive : Standing::kDamaged);
    }
  }

  Result<void> identify_all() {
    std::uint64_t done = 0;
    for (CheckedFinding& checked : check_.findings) {
      if (checked.finding.kind != FindingKind::kDataChecksum) continue;
      if (done == options_.identified_max) {
        ++check_.not_identified_count;
        continue;
      }
      if (watcher_ && !watcher_(done, std::min(check_.findings.size(), options_.identified_max))) {
        return fail(Errc::kAborted, "journal: interrupted while findings were identified");
      }
      identify(checked.finding, image_.device(), ring_);
      ++done;
    }
    return {};
  }

  const ImageFile& image_;
  const RecoveryPlan& plan_;
  JournalRing& ring_;
  const CheckOptions& options_;
  JournalCheck& check_;
  const WorkWatcher& watcher_;
  std::unordered_map<std::uint64_t, Tid> revoker_;      // the last one, by home block
  std::unordered_map<std::uint32_t, BlockNo> revoked_;  // home, by log block
};

// The journal's superblock as a finding.
Finding superblock_finding(const ImageFile& image, const Error& error) {
  Finding finding;
  finding.kind = FindingKind::kSuperblock;
  finding.number = 1;
  finding.rule = error_words(error);
  finding.block_bytes = image.volume_as_it_lies().superblock().block_bytes();
  const auto map = locate_journal(image.volume_as_it_lies());
  std::vector<std::uint8_t> block(finding.block_bytes);
  const bool has_sum =
      error.code == Errc::kChecksum && map &&
      image.device().read(map->device_block(LogBlock(0)).value() * block.size(), block);
  if (!has_sum) return finding;
  finding.stored = load<Be32>(block, offsetof(disk::JournalSuperblock, checksum)).value();
  store(MutableBytes(block), offsetof(disk::JournalSuperblock, checksum), Be32{});
  finding.computed = crc32c(~0u, Bytes(block).first(sizeof(disk::JournalSuperblock)));
  return finding;
}

}  // namespace

Result<JournalCheck> check_journal(const ImageFile& image, const CheckOptions& options,
                                   const WorkWatcher& watcher) {
  JournalCheck check;
  check.image = image.options();
  check.is_dirty = image.is_dirty();
  if (!image.journal()) {
    if (!is_damage(image.journal().error())) return Failure{image.journal().error()};
    check.findings.emplace_back().finding = superblock_finding(image, image.journal().error());
    return check;
  }
  const ImageJournal& journal = *image.journal();
  JournalRing ring = TRY(JournalRing::make(image.device(), journal.map, journal.plan.superblock));
  check.checksum = ring.format().checksum;
  TRY(Checker(image, journal, ring, options, check, watcher).run());
  return check;
}

}  // namespace powercut::lab
