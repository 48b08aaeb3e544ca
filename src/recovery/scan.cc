#include "recovery/scan.h"

#include <algorithm>

#include "base/crc32c.h"
#include "base/fuzzing.h"
#include "format/jbd2_disk.h"
#include "recovery/decide.h"

namespace powercut {
namespace {

ScannedKind kind_of(const JournalHeader& header) {
  if (header.is(JournalBlockType::kDescriptor)) return ScannedKind::kDescriptor;
  if (header.is(JournalBlockType::kRevoke)) return ScannedKind::kRevoke;
  if (header.is(JournalBlockType::kCommit)) return ScannedKind::kCommit;
  return ScannedKind::kOther;
}

TidRelation relation(Tid found, Tid expected) {
  if (found == expected) return TidRelation::kExpected;
  return found.comes_before(expected) ? TidRelation::kOlder : TidRelation::kNewer;
}

class Scanner {
 public:
  Scanner(const LogReader& reader, const JournalSuperblock& superblock,
          const RecoveryOptions& options)
      : reader_(reader),
        superblock_(superblock),
        format_(superblock.format()),
        options_(options),
        position_(superblock.start),
        budget_(superblock.ring_end() - superblock.first),
        expected_(superblock.sequence),
        block_(format_.block_bytes) {
    begin_transaction();
  }

  Result<LogScan> run();

 private:
  // What look() found out about the next block, for the step that follows.
  struct Look {
    ScanFacts facts;
    ChecksumPair checksum;
    std::vector<Tag> tags;
    std::vector<BlockNo> revokes;
    CommitBlock commit;
  };

  bool is_cut_short() const { return options_.up_to && options_.up_to->comes_before(expected_); }
  bool sums_data() const {
    return format_.checksum == ChecksumKind::kV1 && options_.verify_data && !kFuzzing;
  }
  LogBlock after(std::uint32_t count) const;
  void advance(std::uint32_t count);
  void begin_transaction();

  Result<Look> look();
  void look_at_descriptor(Look& look);
  void look_at_revokes(Look& look);
  void look_at_commit(Look& look);

  // True if the scan goes on.
  Result<bool> step(Look& look);
  Result<void> take_descriptor(const Look& look);
  void suspect(const Look& look);
  void commit_whole(const Look& look);
  void drop(const Look& look);
  void end(RecoveryRule rule);
  void refuse(const Damage& damage, bool is_replay_refused);
  Damage commit_damage(const Look& look) const;

  const LogReader& reader_;
  const JournalSuperblock& superblock_;
  const JournalFormat format_;
  const RecoveryOptions& options_;

  LogBlock position_;
  std::uint32_t budget_;  // blocks of the ring that were not looked at
  Tid expected_;
  std::vector<std::uint8_t> block_;  // the one at position_
  ScannedTransaction current_;
  std::uint32_t v1_sum_ = ~std::uint32_t{0};
  std::optional<Damage> suspect_;  // in the current transaction
  std::optional<Damage> dropped_;  // of an earlier one; log_block is its commit block
  std::uint64_t last_seconds_ = 0;
  LogScan scan_;
};

LogBlock Scanner::after(std::uint32_t count) const {
  const std::uint64_t ring = superblock_.ring_end() - superblock_.first;
  const std::uint64_t inside = std::uint64_t{position_ - superblock_.first} + count;
  return superblock_.first + static_cast<std::uint32_t>(inside % ring);
}

void Scanner::advance(std::uint32_t count) {
  position_ = after(count);
  budget_ -= std::min(budget_, count);
}

void Scanner::begin_transaction() {
  current_ = {};
  current_.logged.tid = expected_;
  current_.logged.first = position_;
  v1_sum_ = ~std::uint32_t{0};
  suspect_.reset();
}

void Scanner::look_at_descriptor(Look& look) {
  look.checksum = tail_checksum(block_, format_);
  look.facts.matches = kFuzzing || look.checksum.matches();
  auto tags = parse_descriptor(block_, format_, expected_);
  look.facts.is_readable = tags.has_value();
  if (tags) look.tags = *std::move(tags);
}

void Scanner::look_at_revokes(Look& look) {
  look.checksum = tail_checksum(block_, format_);
  look.facts.matches = kFuzzing || look.checksum.matches();
  auto revokes = parse_revoke(block_, format_, expected_);
  look.facts.is_readable = revokes.has_value();
  if (revokes) look.revokes = *std::move(revokes);
}

void Scanner::look_at_commit(Look& look) {
  const auto commit = parse_commit(block_, format_, expected_);
  CHECK(commit, "header and size of the commit block were looked at");
  look.commit = *commit;
  look.facts.is_older = commit->seconds < last_seconds_;
  look.checksum = commit_checksum(block_, format_);
  look.facts.matches = kFuzzing || look.checksum.matches();
  if (!sums_data()) return;
  look.checksum = {commit->checksum, v1_sum_};
  const bool is_unused =
      commit->checksum == 0 && commit->checksum_type == 0 && commit->checksum_size == 0;
  const bool is_crc32 = commit->checksum_type == disk::kChecksumTypeCrc32 &&
                        commit->checksum_size == disk::kChecksumSizeCrc32;
  look.facts.matches = is_unused || (is_crc32 && look.checksum.matches());
}

Result<Scanner::Look> Scanner::look() {
  Look look;
  look.facts.is_suspect = suspect_.has_value();
  look.facts.has_dropped = dropped_.has_value();
  look.facts.is_v1 = format_.checksum == ChecksumKind::kV1;
  look.facts.is_async = superblock_.has(JournalIncompat::kAsyncCommit);
  look.facts.is_inside = budget_ != 0 && !is_cut_short();
  if (!look.facts.is_inside) return look;
  TRY(reader_.read(position_, block_));
  const auto header = parse_journal_header(block_);
  look.facts.has_magic = header.has_value();
  if (!header) return look;
  look.facts.tid = relation(header->tid, expected_);
  look.facts.kind = kind_of(*header);
  if (look.facts.tid != TidRelation::kExpected) return look;
  switch (look.facts.kind) {
    case ScannedKind::kDescriptor: look_at_descriptor(look); break;
    case ScannedKind::kRevoke: look_at_revokes(look); break;
    case ScannedKind::kCommit: look_at_commit(look); break;
    case ScannedKind::kOther: break;
  }
  return look;
}

Result<void> Scanner::take_descriptor(const Look& look) {
  const auto count = static_cast<std::uint32_t>(look.tags.size());
  if (count >= budget_) {  // no room for its data blocks and a commit block: never whole
    advance(budget_);
    return {};
  }
  if (sums_data()) v1_sum_ = crc32_be(v1_sum_, block_);
  for (std::uint32_t i = 0; i < count; ++i) {
    const Tag& tag = look.tags[i];
    const LogBlock log = after(1 + i);
    current_.logged.blocks.push_back({tag.block, log, tag.is_escaped, BlockVerdict::kReplay});
    current_.checksums.push_back(tag.checksum);
    if (!sums_data()) continue;
    TRY(reader_.read(log, block_));
    v1_sum_ = crc32_be(v1_sum_, block_);
  }
  advance(1 + count);
  return {};
}

void Scanner::suspect(const Look& look) {
  if (!suspect_) {
    const RecoveryRule rule =
        look.facts.matches ? RecoveryRule::kDescriptorFormat : RecoveryRule::kDescriptorChecksum;
    suspect_ = Damage{
        rule, expected_, position_, BlockNo(0), look.checksum.stored, look.checksum.computed};
  }
  const bool is_descriptor = look.facts.kind == ScannedKind::kDescriptor;
  advance(1 + (is_descriptor ? count_tags(block_, format_) : 0));
}

void Scanner::commit_whole(const Look& look) {
  current_.logged.commit = position_;
  current_.logged.commit_seconds = look.commit.seconds;
  last_seconds_ = look.commit.seconds;
  scan_.whole.push_back(std::move(current_));
  expected_ = expected_.next();
  advance(1);
  begin_transaction();
}

Damage Scanner::commit_damage(const Look& look) const {
  return {RecoveryRule::kCommitChecksum, expected_, position_, BlockNo(0), look.checksum.stored,
          look.checksum.computed};
}

void Scanner::drop(const Look& look) {
  // Of several the first counts: there the log ends.
  if (!dropped_) dropped_ = commit_damage(look);
  expected_ = expected_.next();
  advance(1);
  begin_transaction();
}

void Scanner::end(RecoveryRule rule) {
  scan_.end_rule = rule;
  // A dropped transaction is where the log ends, whatever lies behind it.
  scan_.end_block = dropped_ ? dropped_->log_block : position_;
  scan_.next_tid = dropped_ ? dropped_->tid : expected_;
  scan_.is_cut_short = is_cut_short();
}

void Scanner::refuse(const Damage& damage, bool is_replay_refused) {
  end(damage.rule);
  scan_.damage = damage;
  scan_.is_refused = true;
  scan_.is_replay_refused = is_replay_refused;
}

Result<bool> Scanner::step(Look& look) {
  switch (decide(look.facts).step) {
    case ScanStep::kReadDescriptor: TRY(take_descriptor(look)); return true;
    case ScanStep::kCollectRevokes: {
      std::vector<BlockNo>& revokes = current_.logged.revokes;
      revokes.insert(revokes.end(), look.revokes.begin(), look.revokes.end());
      advance(1);
      return true;
    }
    case ScanStep::kSuspect: suspect(look); return true;
    case ScanStep::kCommitWhole: commit_whole(look); return true;
    case ScanStep::kDropWhole: drop(look); return true;
    case ScanStep::kDropLost:
      scan_.damage = dropped_;
      drop(look);
      return true;
    case ScanStep::kLogEnds:
      end(scan_.damage ? scan_.damage->rule
          : suspect_   ? RecoveryRule::kNoCommitAfterDamage
                       : RecoveryRule::kLogEnds);
      return false;
    case ScanStep::kStale: end(RecoveryRule::kStaleCommit); return false;
    case ScanStep::kRefuseAll: refuse(*suspect_, true); return false;
    case ScanStep::kRefuseRest:
      refuse(dropped_ ? *dropped_ : commit_damage(look), false);
      return false;
  }
  CHECK(false, "a step that is none");
}

Result<LogScan> Scanner::run() {
  for (bool goes_on = true; goes_on;) {
    Look next = TRY(look());
    goes_on = TRY(step(next));
  }
  return std::move(scan_);
}

}  // namespace

Result<LogScan> scan_log(const LogReader& reader, const JournalSuperblock& superblock,
                         const RecoveryOptions& options) {
  return Scanner(reader, superblock, options).run();
}

}  // namespace powercut
