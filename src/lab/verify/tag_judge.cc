#include "lab/verify/tag_judge.h"

#include <algorithm>
#include <utility>

#include "base/crc32c.h"
#include "base/stored_int.h"

#include "lab/verify/identify.h"

namespace powercut::lab {
namespace {

// How many tids in a row may be missed and still be told one by one.
constexpr std::uint32_t kMissedMax = 16;
// How far a tid may be past the journal's tail before it is taken for data that looks like a
// header.
constexpr std::uint32_t kPlausibleTids = 1u << 20;

// Adds the time of its life to `sum`, less what was spent in the sink meanwhile.
class Stopwatch {
 public:
  Stopwatch(const Clock* clock, Nanoseconds& sum, const Nanoseconds& sink_time)
      : clock_(clock),
        sum_(sum),
        sink_time_(sink_time),
        sink_before_(sink_time),
        start_(clock != nullptr ? clock->now() : Nanoseconds{0}) {}
  ~Stopwatch() {
    if (clock_ != nullptr) sum_ += clock_->now() - start_ - (sink_time_ - sink_before_);
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  const Clock* clock_;  // null: no time is kept
  Nanoseconds& sum_;
  const Nanoseconds& sink_time_;
  const Nanoseconds sink_before_;
  const Nanoseconds start_;
};

}  // namespace

TagJudge::TagJudge(const BlockView& view, const Clock& clock, FindingSink& sink,
                   const JudgeOptions& options)
    : view_(view),
      clock_(clock),
      sink_(sink),
      options_(options),
      own_clock_(options.measures_time ? &clock : nullptr),
      place_(view, options.split) {
  find_journal();
}

void TagJudge::find_journal() {
  const JournalPlace::Found found = place_.look();
  trouble_ = place_.trouble();
  if (found != JournalPlace::Found::kNew) return;
  if (ring_ != nullptr) ++counters_.chain_reset_count;
  ring_ = place_.ring();
  block_.resize(ring_->map().block_bytes());
  headers_.clear();
  waiting_.clear();
  expected_next_.reset();
  last_tid_.reset();
}

void TagJudge::on_submitted(const Request& request, Nanoseconds when) {
  const Stopwatch stopwatch(own_clock_, counters_.judge_time, sink_time_);
  if (!first_request_) first_request_ = when;
  if (request.kind != RequestKind::kFlush) return;
  ++counters_.flush_count;
  if (place_.is_in_doubt()) find_journal();
  if (!place_.is_flushed_by(request)) return;
  // What was completed before this moment is what the flush makes durable.
  judge_whole(when);
  has_unflushed_blocks_ = false;
}

void TagJudge::on_completed(const Request& request, Nanoseconds when) {
  const Stopwatch stopwatch(own_clock_, counters_.judge_time, sink_time_);
  if (request.kind == RequestKind::kFlush) {
    if (!place_.is_flushed_by(request)) return;
    if (written_tail_) pass_tail(*std::exchange(written_tail_, std::nullopt), when);
    return;
  }
  if (request.kind != RequestKind::kDiscard) {
    ++counters_.write_count;
    counters_.written_bytes += request.length;
  }
  place_.note_written(request.offset, request.length);
  if (ring_ != nullptr) take_change(request, when);
}

void TagJudge::on_power_cycle(Nanoseconds when) {
  judge_whole(when);
  waiting_.clear();
  headers_.clear();
  expected_next_.reset();
  last_tid_.reset();
  has_unflushed_blocks_ = false;
  place_.doubt();
  ++counters_.chain_reset_count;
}

void TagJudge::finish(Nanoseconds when) {
  const Stopwatch stopwatch(own_clock_, counters_.judge_time, sink_time_);
  judge_whole(when);
  waiting_.clear();
}

// The part of a request that lies in the journal.  All its blocks are taken first, then its commit
// blocks are judged: a request may hold a transaction in any order.
void TagJudge::take_change(const Request& request, Nanoseconds when) {
  const std::uint64_t block_bytes = ring_->map().block_bytes();
  const BlockNo first(request.offset / block_bytes);
  const BlockNo end((request.offset + request.length + block_bytes - 1) / block_bytes);
  if (end <= ring_->map().lowest() || first >= ring_->map().end()) return;
  superblock_was_written_ = false;
  newest_.reset();
  for (const JournalMap::Run& run : ring_->map().runs()) {
    if (run.device < end && first < run.device + run.count) take_run(run, request);
  }
  if (superblock_was_written_) take_superblock(request, when);
  if (!ring_->superblock().has(JournalIncompat::kAsyncCommit) || waiting_.size() >= kWaitingMax) {
    judge_waiting(when);
  } else if (newest_) {
    judge_before(*newest_, when);
  }
}

void TagJudge::take_run(const JournalMap::Run& run, const Request& request) {
  const std::uint64_t block_bytes = ring_->map().block_bytes();
  const std::uint64_t request_end = request.offset + request.length;
  const std::uint64_t first = std::max(request.offset / block_bytes, run.device.value());
  const std::uint64_t end =
      std::min((request_end + block_bytes - 1) / block_bytes, run.device.value() + run.count);
  for (std::uint64_t block = first; block < end; ++block) {
    const LogBlock log = run.log + static_cast<std::uint32_t>(block - run.device.value());
    const std::uint64_t offset = block * block_bytes;
    if (request.kind != RequestKind::kWrite) {
      ring_->forget_sum(log);
      superblock_was_written_ |= log == LogBlock(0);
    } else if (offset >= request.offset && offset + block_bytes <= request_end) {
      take_block(log, request.data.subspan(offset - request.offset, block_bytes), request.sequence);
    } else if (view_.read(offset, block_)) {
      take_block(log, block_, request.sequence);  // written in part: the disk has the whole
    }
  }
}

void TagJudge::take_block(LogBlock log, Bytes block, std::uint64_t sequence) {
  counters_.journal_bytes += block.size();
  ring_->note_written(log, block);
  if (log == LogBlock(0)) {
    superblock_was_written_ = true;
    return;
  }
  const auto header = parse_journal_header(block);
  if (header && (!newest_ || newest_->comes_before(header->tid))) newest_ = header->tid;
  if (header && header->is(JournalBlockType::kCommit)) {
    waiting_.push_back({log, header->tid, sequence});
    return;
  }
  has_unflushed_blocks_ = true;
  if (header && headers_.size() < kHeadersMax) headers_.push_back({log, *header});
}

void TagJudge::take_superblock(const Request& request, Nanoseconds when) {
  if (const auto read = ring_->read(LogBlock(0), block_); !read) return;
  const auto superblock = JournalSuperblock::parse(block_);
  if (!superblock) {
    Finding finding;
    finding.kind = FindingKind::kSuperblock;
    finding.rule = superblock.error().what;
    if (superblock.error().code == Errc::kChecksum) {
      finding.stored = load<Be32>(block_, 0xFC).value().value();
      store(MutableBytes(block_), 0xFC, Be32{});
      finding.computed = crc32c(~0u, Bytes(block_).first(1024));
    }
    finding.tid = last_tid_.value_or(ring_->superblock().sequence);
    report(std::move(finding), when, request.sequence);
    return;
  }
  if (const auto set = ring_->set_superblock(*superblock); !set) {
    trouble_ = set.error().what;
    return;
  }
  note_tail(request, when);
}

void TagJudge::note_tail(const Request& request, Nanoseconds when) {
  const JournalSuperblock& superblock = ring_->superblock();
  judge_before(superblock.sequence, when);
  const bool is_empty = superblock.start == LogBlock(0);
  if (is_empty) {
    // An emptied log: all that was begun is committed, and the next transaction may begin anywhere.
    // Linux skips a tid when it unmounts, so one that left no block in the log was not missed.
    if (last_tid_ && has_headers_of(last_tid_->next())) {
      judge_missed(last_tid_->next().next(), when, request.sequence);
    }
    if (last_tid_) last_tid_ = superblock.sequence.previous();
    expected_next_.reset();
    headers_.clear();
    ++counters_.chain_reset_count;
  }
  written_tail_ = Tail{superblock.sequence, is_empty};
  if (request.durability == Durability::kFua) {
    pass_tail(*std::exchange(written_tail_, std::nullopt), when);
  }
}

bool TagJudge::has_headers_of(Tid tid) const {
  return std::ranges::any_of(headers_, [&](const SeenHeader& seen) {
    return seen.header.tid == tid && (seen.header.is(JournalBlockType::kDescriptor) ||
                                      seen.header.is(JournalBlockType::kRevoke));
  });
}

void TagJudge::pass_tail(const Tail& tail, Nanoseconds when) {
  std::erase_if(bad_, [&](const BadTransaction& bad) {
    if (!tail.is_empty && !bad.tid.comes_before(tail.sequence)) return false;
    const Nanoseconds before = clock_.now();
    sink_.on_no_longer_replayable(bad.tid, when - bad.since);
    sink_time_ += clock_.now() - before;
    return true;
  });
  counters_.bad_replayable_count = bad_.size();
}

void TagJudge::judge_waiting(Nanoseconds when) {
  const std::vector<WaitingCommit> waiting = std::exchange(waiting_, {});
  for (const WaitingCommit& commit : waiting) {
    if (is_plausible(commit)) judge(commit, when);
  }
}

void TagJudge::judge_whole(Nanoseconds when) {
  std::vector<WaitingCommit> others;
  for (const WaitingCommit& commit : std::exchange(waiting_, {})) {
    if (!is_plausible(commit)) continue;
    if (is_whole(commit)) {
      judge(commit, when);
    } else {
      others.push_back(commit);
    }
  }
  waiting_ = std::move(others);
}

// Those before it were waited for.
void TagJudge::judge_before(Tid tid, Nanoseconds when) {
  std::vector<WaitingCommit> others;
  for (const WaitingCommit& commit : std::exchange(waiting_, {})) {
    if (!commit.tid.comes_before(tid)) {
      others.push_back(commit);
    } else if (is_plausible(commit)) {
      judge(commit, when);
    }
  }
  waiting_ = std::move(others);
}

bool TagJudge::is_whole(const WaitingCommit& commit) {
  const auto checked =
      check_transaction(*ring_, {commit.tid, expected_next_, commit.log}, headers_);
  return checked && checked->findings.empty();
}

// Whether a block with a commit block's header is one, and not file data that looks like it.
bool TagJudge::is_plausible(const WaitingCommit& commit) {
  if (!ring_->holds(commit.log)) return false;
  const Tid oldest = last_tid_ ? last_tid_->next() : ring_->superblock().sequence;
  const std::uint32_t reach = last_tid_ ? kMissedMax : kPlausibleTids;
  if (!commit.tid.comes_before(oldest) && commit.tid.since(oldest) <= reach) return true;
  const ChecksumKind kind = ring_->format().checksum;
  if (kind != ChecksumKind::kV2 && kind != ChecksumKind::kV3) return false;
  return ring_->read(commit.log, block_) && commit_checksum_matches(block_, ring_->format());
}

void TagJudge::judge(const WaitingCommit& commit, Nanoseconds when) {
  if (last_tid_) judge_missed(commit.tid, when, commit.sequence);
  if (has_unflushed_blocks_ && !ring_->superblock().has(JournalIncompat::kAsyncCommit)) {
    ++counters_.commits_without_flush;
  }
  const TransactionSpan span{commit.tid, expected_next_, commit.log};
  auto checked = check_transaction(*ring_, span, headers_);
  if (!checked) {
    trouble_ = checked.error().what;
    return;
  }
  settle(std::move(*checked), when, commit.sequence);
}

// Tids after the last one and before `end` passed without a commit block that could be recognised.
void TagJudge::judge_missed(Tid end, Nanoseconds when, std::uint64_t sequence) {
  Tid tid = last_tid_->next();
  if (tid == end) return;
  const bool is_gap = end.comes_before(tid) || end.since(tid) > kMissedMax || !expected_next_;
  if (is_gap) {
    Finding finding;
    finding.kind = FindingKind::kTidGap;
    finding.tid = end;
    finding.rule = "the last tid seen committed is " + std::to_string(last_tid_->value());
    if (!end.comes_before(tid)) counters_.tid_count += end.since(tid);
    last_tid_ = end.previous();
    expected_next_.reset();
    report(std::move(finding), when, sequence);
    return;
  }
  for (; tid != end && expected_next_; tid = tid.next()) {
    auto checked = check_transaction(*ring_, {tid, expected_next_, std::nullopt}, headers_);
    if (!checked) return;
    settle(std::move(*checked), when, sequence);
  }
}

void TagJudge::settle(CheckedTransaction&& checked, Nanoseconds when, std::uint64_t sequence) {
  const bool has_commit = std::ranges::none_of(checked.findings, [](const Finding& finding) {
    return finding.kind == FindingKind::kCommitMissing;
  });
  if (counters_.tid_count == 0) counters_.first_tid = checked.tid;
  ++counters_.tid_count;
  counters_.commit_count += has_commit ? 1 : 0;
  counters_.last_tid = checked.tid;
  counters_.block_count += checked.block_count;
  counters_.verified_count += checked.verified_count;
  counters_.descriptor_count += checked.descriptor_count;
  counters_.revoke_block_count += checked.revoke_block_count;
  counters_.revoke_count += checked.revoke_count;
  counters_.escaped_count += checked.escaped_count;
  last_tid_ = checked.tid;
  expected_next_ = ring_->next(checked.commit);
  std::erase_if(headers_, [&](const SeenHeader& seen) {
    const Tid oldest = checked.tid.next();
    return seen.header.tid.comes_before(oldest) || seen.header.tid.since(oldest) > kMissedMax;
  });
  if (checked.findings.empty()) return;
  ++counters_.bad_transaction_count;
  bad_.push_back({checked.tid, when});
  counters_.bad_replayable_count = bad_.size();
  for (Finding& finding : checked.findings) report(std::move(finding), when, sequence);
}

void TagJudge::report(Finding&& finding, Nanoseconds when, std::uint64_t sequence) {
  finding.number = ++counters_.finding_count;
  finding.when = when;
  finding.sequence = sequence;
  finding.commit_number = counters_.commit_count;
  finding.block_bytes = ring_->map().block_bytes();
  if (finding.kind == FindingKind::kDataChecksum && may_identify(when)) {
    const Nanoseconds before = clock_.now();
    identify(finding, view_, *ring_);
    identify_time_ += clock_.now() - before;
  }
  const Nanoseconds before = clock_.now();
  sink_.on_finding(finding);
  sink_time_ += clock_.now() - before;
}

bool TagJudge::may_identify(Nanoseconds when) const {
  if (identify_time_ < options_.identify_free) return true;
  const double elapsed = seconds_of(when - first_request_.value_or(when));
  return seconds_of(identify_time_) < options_.identify_share * elapsed;
}

}  // namespace powercut::lab
