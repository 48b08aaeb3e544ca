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
  Scanner(LogSource& source, const JournalSuperblock& superblock, const RecoveryOptions& options)
      : source_(source),
        superblock_(superblock),
        format_(superblock.format()),
        options_(options),
        sums_v1_(format_.checksum == ChecksumKind::kV1 && options.verify_data),
        sums_tags_(format_.tail_bytes() != 0 && options.verify_data),
        position_(superblock.start),
        budget_(superblock.ring_end() - superblock.first),
        expected_(superblock.sequence) {
    source_.begin(format_, superblock.ring_end(), sums_v1_ || sums_tags_);
    begin_transaction();
  }

  void go_on_from(const ScanPoint& from) {
    position_ = from.position;
    budget_ = from.blocks_left;
    expected_ = from.expected;
    last_seconds_ = from.last_seconds;
    begin_transaction();
  }
  Result<LogScan> run();

 private:
  // What look() found out about the next block, for the step that follows.
  struct Look {
    ScanFacts facts;
    ChecksumPair checksum;
    const LogBlockFacts* block = nullptr;  // of a descriptor, revoke or commit block that is due
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
  Result<void> look_at_commit(Look& look);
  Result<void> sum_v1();

  // True if the scan goes on.
  Result<bool> step(const Look& look);
  Result<void> take_descriptor(const Look& look);
  Result<void> sum_tags(ScannedTransaction& transaction) const;
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

  LogSource& source_;
  const JournalSuperblock& superblock_;
  const JournalFormat format_;
  const RecoveryOptions& options_;
  const bool sums_v1_, sums_tags_;

  LogBlock position_;
  std::uint32_t budget_;  // blocks of the ring that were not looked at
  Tid expected_;
  ScannedTransaction current_;
  std::uint32_t v1_sum_ = ~std::uint32_t{0};
  std::vector<LogBlock> to_sum_v1_;  // blocks that v1_sum_ is still to go over, in order
  std::optional<Damage> suspect_;    // in the current transaction
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

Result<void> Scanner::look_at_commit(Look& look) {
  const CommitBlock& commit = look.block->commit;
  look.facts.is_older = commit.seconds < last_seconds_;
  look.facts.head_matches = look.block->head_matches && !is_fuzzing();
  if (is_fuzzing()) look.facts.head_matches = (commit.checksum & 0xFFFF) == kWrongWhileFuzzing;
  if (!sums_v1_) return {};
  TRY(sum_v1());
  look.checksum = {commit.checksum, v1_sum_};
  const bool is_unused =
      commit.checksum == 0 && commit.checksum_type == 0 && commit.checksum_size == 0;
  const bool is_crc32 = commit.checksum_type == disk::kChecksumTypeCrc32 &&
                        commit.checksum_size == disk::kChecksumSizeCrc32;
  look.facts.matches = is_unused || (is_crc32 && is_right(look.checksum));
  return {};
}

Result<void> Scanner::sum_v1() {
  for (const LogBlock log : to_sum_v1_) v1_sum_ = TRY(source_.crc32_over(v1_sum_, log));
  to_sum_v1_.clear();
  return {};
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
  const LogBlockFacts& block = *TRY(source_.facts(position_));
  look.facts.has_magic = block.header.has_value();
  if (!block.header) return look;
  look.facts.tid = relation(block.header->tid, expected_);
  look.facts.kind = kind_of(*block.header);
  if (look.facts.tid != TidRelation::kExpected) return look;
  if (look.facts.kind == ScannedKind::kOther) return look;
  look.block = &block;
  look.checksum = block.checksum;
  look.facts.matches = is_right(look.checksum);
  look.facts.is_too_long = look.facts.kind == ScannedKind::kRevoke && !block.revokes;
  if (look.facts.kind == ScannedKind::kCommit) TRY(look_at_commit(look));
  return look;
}

Result<void> Scanner::take_descriptor(const Look& look) {
  const std::vector<Tag>& tags = look.block->tags;
  const auto count = static_cast<std::uint32_t>(tags.size());
  if (count >= budget_) {  // no room for its data blocks and a commit block: never whole
    advance(budget_);
    return {};
  }
  if (sums_v1_) to_sum_v1_.push_back(position_);
  for (std::uint32_t i = 0; i < count; ++i) {
    const LogBlock log = after(1 + i);
    if (sums_v1_) to_sum_v1_.push_back(log);
    if (is_closed_) continue;
    current_.logged.blocks.push_back(
        {tags[i].block, log, tags[i].is_escaped, BlockVerdict::kReplay});
    current_.checksums.push_back(tags[i].checksum);
  }
  advance(1 + count);
  if (!source_.sums_in_passing()) return {};
  TRY(sum_v1());
  return sum_tags(current_);
}

// Goes on with the sums of its data blocks, up to the last.
Result<void> Scanner::sum_tags(ScannedTransaction& transaction) const {
  const std::vector<LoggedBlock>& blocks = transaction.logged.blocks;
  if (!sums_tags_) return {};
  for (std::size_t i = transaction.computed.size(); i < blocks.size(); ++i) {
    transaction.computed.push_back(
        TRY(source_.data_checksum(blocks[i].log, transaction.logged.tid)));
  }
  return {};
}

void Scanner::take_revokes(const Look& look) {
  if (look.block->revokes && !is_closed_) {
    std::vector<BlockNo>& revokes = current_.logged.revokes;
    revokes.insert(revokes.end(), look.block->revokes->begin(), look.block->revokes->end());
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
  advance(1 + static_cast<std::uint32_t>(look.block->tags.size()));
}

// What a replay takes for the current transaction ends with the commit block at position_.
void Scanner::close_current(const Look& look) {
  if (is_closed_) return;
  current_.logged.commit = position_;
  current_.logged.commit_seconds = look.block->commit.seconds;
  is_closed_ = true;
}

// The current transaction ends with the commit block at position_.
void Scanner::commit(const Look& look) {
  current_.goes_on = is_closed_;
  close_current(look);
  last_seconds_ = look.block->commit.seconds;
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
  for (ScannedTransaction& transaction : scan_.whole) TRY(sum_tags(transaction));
  return std::move(scan_);
}

}  // namespace

bool is_right(const ChecksumPair& checksum) {
  if (is_fuzzing()) return (checksum.stored & 0xFF) != kWrongWhileFuzzing;
  return checksum.matches();
}

Result<LogScan> scan_log(LogSource& source, const JournalSuperblock& superblock,
                         const RecoveryOptions& options, const ScanPoint* from) {
  Scanner scanner(source, superblock, options);
  if (from != nullptr) scanner.go_on_from(*from);
  return scanner.run();
}

}  // namespace powercut
