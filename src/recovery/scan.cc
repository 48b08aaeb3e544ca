#include "recovery/scan.h"

#include <algorithm>

#include "base/crc32c.h"
#include "base/fuzzing.h"
#include "format/jbd2_disk.h"
#include "recovery/decide.h"

namespace powercut {
namespace {

// See is_right().
constexpr std::uint32_t kWrongWhileFuzzing = 0xBD;

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
      : superblock_(superblock),
        format_(superblock.format()),
        options_(options),
        sums_v1_(format_.checksum == ChecksumKind::kV1 && options.verify_data),
        sums_tags_(format_.tail_bytes() != 0 && options.verify_data),
        window_(reader, superblock.ring_end(), sums_v1_ || sums_tags_),
        position_(superblock.start),
        budget_(superblock.ring_end() - superblock.first),
        expected_(superblock.sequence) {
    begin_transaction();
  }

  Result<LogScan> run();

 private:
  // What look() found out about the next block, for the step that follows.
  struct Look {
    ScanFacts facts;
    ChecksumPair checksum;
    std::vector<Tag> tags;
    std::optional<std::vector<BlockNo>> revokes;
    std::uint32_t v1_sum = 0;  // v1_sum_ with this descriptor
    CommitBlock commit;
  };
  // A damaged commit block: the log ends before its transaction.
  struct Drop {
    Damage damage;
    std::size_t index;        // in scan_.whole
    bool is_noticed = false;  // it is among scan_.damages
  };

  bool is_cut_short() const { return options_.up_to && options_.up_to->comes_before(expected_); }
  LogBlock after(std::uint32_t count) const;
  void advance(std::uint32_t count);
  void begin_transaction();

  Result<Look> look();
  void look_at_descriptor(Bytes block, Look& look) const;
  void look_at_revokes(Bytes block, Look& look) const;
  void look_at_commit(Bytes block, Look& look) const;

  // True if the scan goes on.
  Result<bool> step(const Look& look);
  Result<void> take_descriptor(const Look& look);
  Result<void> sum_data(std::uint32_t count);
  void take_revokes(const Look& look);
  void suspect(const Look& look);
  void commit(const Look& look);
  void drop(const Look& look);
  void keep(const Look& look);
  void fail_at(const Look& look);
  void forget(const Look& look);
  void close_current(const Look& look);
  void notice_dropped();
  void end(RecoveryRule rule);
  void refuse_all(const Damage& damage);
  void refuse_early_end();
  Damage commit_damage(const Look& look, RecoveryRule rule) const;

  const JournalSuperblock& superblock_;
  const JournalFormat format_;
  const RecoveryOptions& options_;
  const bool sums_v1_, sums_tags_;

  LogWindow window_;
  LogBlock position_;
  std::uint32_t budget_;  // blocks of the ring that were not looked at
  Tid expected_;
  ScannedTransaction current_;
  std::uint32_t v1_sum_ = ~std::uint32_t{0};
  std::optional<Damage> suspect_;  // in the current transaction
  // The current transaction had a commit block, which did not match: nothing behind it counts.
  bool is_closed_ = false;
  std::optional<Drop> dropped_;  // the last one
  bool has_failed_ = false;      // the recovery is refused because of dropped_
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
  suspect_.reset();
  is_closed_ = false;
}

void Scanner::look_at_descriptor(Bytes block, Look& look) const {
  look.checksum = tail_checksum(block, format_);
  look.facts.matches = is_right(look.checksum);
  look.tags = tags_that_fit(block, format_);
  if (sums_v1_) look.v1_sum = crc32_be(v1_sum_, block);
}

void Scanner::look_at_revokes(Bytes block, Look& look) const {
  look.checksum = tail_checksum(block, format_);
  look.facts.matches = is_right(look.checksum);
  look.revokes = revokes_that_fit(block, format_);
  look.facts.is_too_long = !look.revokes;
}

void Scanner::look_at_commit(Bytes block, Look& look) const {
  const auto commit = parse_commit(block, format_, expected_);
  CHECK(commit, "header and size of the commit block were looked at");
  look.commit = *commit;
  look.facts.is_older = commit->seconds < last_seconds_;
  look.checksum = commit_checksum(block, format_);
  look.facts.matches = is_right(look.checksum);
  look.facts.head_matches =
      format_.tail_bytes() != 0 && !kFuzzing && commit_head_checksum(block, format_).matches();
  if (kFuzzing) look.facts.head_matches = (commit->checksum & 0xFFFF) == kWrongWhileFuzzing;
  if (!sums_v1_) return;
  look.checksum = {commit->checksum, v1_sum_};
  const bool is_unused =
      commit->checksum == 0 && commit->checksum_type == 0 && commit->checksum_size == 0;
  const bool is_crc32 = commit->checksum_type == disk::kChecksumTypeCrc32 &&
                        commit->checksum_size == disk::kChecksumSizeCrc32;
  look.facts.matches = is_unused || (is_crc32 && is_right(look.checksum));
}

Result<Scanner::Look> Scanner::look() {
  Look look;
  look.facts.rules = options_.recover_as;
  look.facts.is_suspect = suspect_.has_value();
  look.facts.has_dropped = dropped_.has_value() && format_.checksum == ChecksumKind::kV1;
  look.facts.is_async = superblock_.has(JournalIncompat::kAsyncCommit);
  look.facts.is_tid_zero = expected_ == Tid(0);
  look.facts.is_inside = budget_ != 0 && !is_cut_short();
  if (!look.facts.is_inside) return look;
  const Bytes block = TRY(window_.block(position_));
  const auto header = parse_journal_header(block);
  look.facts.has_magic = header.has_value();
  if (!header) return look;
  look.facts.tid = relation(header->tid, expected_);
  look.facts.kind = kind_of(*header);
  if (look.facts.tid != TidRelation::kExpected) return look;
  switch (look.facts.kind) {
    case ScannedKind::kDescriptor: look_at_descriptor(block, look); break;
    case ScannedKind::kRevoke: look_at_revokes(block, look); break;
    case ScannedKind::kCommit: look_at_commit(block, look); break;
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
  for (std::uint32_t i = 0; i < count && !is_closed_; ++i) {
    const Tag& tag = look.tags[i];
    current_.logged.blocks.push_back(
        {tag.block, after(1 + i), tag.is_escaped, BlockVerdict::kReplay});
    current_.checksums.push_back(tag.checksum);
  }
  v1_sum_ = look.v1_sum;
  if (sums_v1_ || sums_tags_) TRY(sum_data(count));
  advance(1 + count);
  return {};
}

// The `count` data blocks behind the descriptor at position_.
Result<void> Scanner::sum_data(std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    const Bytes block = TRY(window_.block(after(1 + i)));
    if (sums_v1_) {
      v1_sum_ = crc32_be(v1_sum_, block);
    } else if (!is_closed_) {
      current_.computed.push_back(tag_checksum(block, format_, expected_));
    }
  }
  return {};
}

void Scanner::take_revokes(const Look& look) {
  if (look.revokes && !is_closed_) {
    std::vector<BlockNo>& revokes = current_.logged.revokes;
    revokes.insert(revokes.end(), look.revokes->begin(), look.revokes->end());
  } else if (!is_closed_ && !current_.bad_revoke) {
    current_.bad_revoke = Damage{RecoveryRule::kDescriptorFormat, expected_, position_};
  }
  advance(1);
}

void Scanner::suspect(const Look& look) {
  if (!suspect_) {
    suspect_ = Damage{RecoveryRule::kDescriptorChecksum,
                      expected_,
                      position_,
                      BlockNo(0),
                      look.checksum.stored,
                      look.checksum.computed};
  }
  advance(1 + static_cast<std::uint32_t>(look.tags.size()));
}

// What a replay takes for the current transaction ends with the commit block at position_.
void Scanner::close_current(const Look& look) {
  if (is_closed_) return;
  current_.logged.commit = position_;
  current_.logged.commit_seconds = look.commit.seconds;
  is_closed_ = true;
}

// The current transaction ends with the commit block at position_.
void Scanner::commit(const Look& look) {
  current_.goes_on = is_closed_;
  close_current(look);
  last_seconds_ = look.commit.seconds;
  scan_.whole.push_back(std::move(current_));
  expected_ = expected_.next();
  advance(1);
  begin_transaction();
}

Damage Scanner::commit_damage(const Look& look, RecoveryRule rule) const {
  return {rule, expected_, position_, BlockNo(0), look.checksum.stored, look.checksum.computed};
}

// A commit block lies behind the dropped one: that one is damage.
void Scanner::notice_dropped() {
  if (!dropped_ || dropped_->is_noticed) return;
  dropped_->is_noticed = true;
  scan_.damages.push_back(dropped_->damage);
}

// The recovery is refused, and yet the scan goes on with the same tid: what comes may be worse.
// This commit block's time is none that later ones are compared with.
void Scanner::fail_at(const Look& look) {
  has_failed_ = true;
  if (!look.facts.has_dropped) {
    dropped_ = Drop{commit_damage(look, RecoveryRule::kCommitChecksum), scan_.whole.size()};
  }
  notice_dropped();
  close_current(look);
  advance(1);
}

// The same for tid 0, which stands for "none": neither the end of the log nor the failure is known
// any more.
void Scanner::forget(const Look& look) {
  fail_at(look);
  dropped_.reset();
  has_failed_ = false;
}

void Scanner::drop(const Look& look) {
  dropped_ = Drop{commit_damage(look, RecoveryRule::kCommitChecksum), scan_.whole.size()};
  commit(look);
}

void Scanner::keep(const Look& look) {
  dropped_.reset();
  scan_.damages.push_back(commit_damage(look, RecoveryRule::kCommitChecksum));
  commit(look);
}

void Scanner::end(RecoveryRule rule) {
  scan_.end_rule = has_failed_ ? RecoveryRule::kCommitChecksum : rule;
  scan_.is_refused = has_failed_;
  scan_.end_block = position_;
  scan_.next_tid = expected_;
  scan_.is_cut_short = is_cut_short();
  if (!dropped_) return;
  // There the log ends, whatever lies behind it.
  scan_.end_block = dropped_->damage.log_block;
  scan_.next_tid = dropped_->damage.tid;
  scan_.whole.resize(dropped_->index);
}

void Scanner::refuse_all(const Damage& damage) {
  end(damage.rule);
  scan_.end_rule = damage.rule;
  scan_.damages.push_back(damage);
  scan_.is_refused = scan_.is_replay_refused = true;
}

// A later pass takes the first commit block of a tid for the end of its transaction, and finds no
// further one where the tid goes on: it ends sooner than this pass has said, unless that
// transaction is the last.
void Scanner::refuse_early_end() {
  if (scan_.is_replay_refused || scan_.whole.empty()) return;
  const auto last = scan_.whole.end() - 1;
  const auto early = std::find_if(scan_.whole.begin(), last,
                                  [](const ScannedTransaction& each) { return each.goes_on; });
  if (early == last) return;
  const Damage damage = {RecoveryRule::kTidGoesOn, early->logged.tid, early->logged.commit};
  scan_.damages.push_back(damage);
  scan_.end_rule = damage.rule;
  scan_.is_refused = scan_.is_replay_refused = true;
}

Result<bool> Scanner::step(const Look& look) {
  ScanFacts facts = look.facts;
  if (decide(facts).step == ScanStep::kAsDamaged) facts.head_matches = false;
  switch (decide(facts).step) {
    case ScanStep::kReadDescriptor: TRY(take_descriptor(look)); return true;
    case ScanStep::kCollectRevokes: take_revokes(look); return true;
    case ScanStep::kSuspect: suspect(look); return true;
    case ScanStep::kCommitTorn:
      scan_.notices.push_back(commit_damage(look, RecoveryRule::kCommitTorn));
      [[fallthrough]];
    case ScanStep::kCommitWhole:
      notice_dropped();
      commit(look);
      // The sum of a v1 transaction that was dropped goes on into the next.
      v1_sum_ = ~std::uint32_t{0};
      return true;
    case ScanStep::kDrop:
      notice_dropped();
      drop(look);
      return true;
    case ScanStep::kKeep:
      notice_dropped();
      keep(look);
      return true;
    case ScanStep::kLogEnds:
      end(!scan_.damages.empty() ? RecoveryRule::kCommitChecksum
          : suspect_             ? RecoveryRule::kNoCommitAfterDamage
                                 : RecoveryRule::kLogEnds);
      return false;
    case ScanStep::kStale: end(RecoveryRule::kStaleCommit); return false;
    case ScanStep::kForget: forget(look); return true;
    case ScanStep::kRefuseAll:
      notice_dropped();
      refuse_all(*suspect_);
      return false;
    case ScanStep::kRefuseRest: fail_at(look); return true;
    case ScanStep::kRefuseLength:
      refuse_all({RecoveryRule::kDescriptorFormat, expected_, position_});
      return false;
    case ScanStep::kAsDamaged: break;
  }
  CHECK(false, "a step that is none");
}

Result<LogScan> Scanner::run() {
  for (bool goes_on = true; goes_on;) {
    const Look next = TRY(look());
    goes_on = TRY(step(next));
  }
  refuse_early_end();
  return std::move(scan_);
}

}  // namespace

bool is_right(const ChecksumPair& checksum) {
  if (kFuzzing) return (checksum.stored & 0xFF) != kWrongWhileFuzzing;
  return checksum.matches();
}

Result<LogScan> scan_log(const LogReader& reader, const JournalSuperblock& superblock,
                         const RecoveryOptions& options) {
  return Scanner(reader, superblock, options).run();
}

}  // namespace powercut
