// Writes to the log, and what a transaction must have kept to when its commit block came.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "lab/check/order_judge.h"
#include "lab/verify/transaction_check.h"

namespace powercut::lab {

void OrderJudge::take_log_block(LogBlock log, Bytes content, const Request& request) {
  if (log == LogBlock(0)) {
    superblock_write_ = request.sequence;
    take_tail(content, request);
    return;
  }
  if (!ring_->holds(log)) return;
  has_log_writes_ = true;
  LogSlot& slot = slots_[log.value()];
  if (slot.owner && !tail_.passes(*slot.owner)) {
    report("log-overwritten", request.sequence,
           finding_of(*slot.owner,
                      fmt::format("log block {} of tid {} is overwritten; the durable tail is at "
                                  "tid {}",
                                  log.value(), slot.owner->value(), tail_.sequence.value())));
  }
  slot = {request.sequence, std::nullopt};
  const auto header = parse_journal_header(content);
  if (!header) return;
  if (header->is(JournalBlockType::kCommit)) {
    take_commit_block(log, header->tid, content, request);
  } else if (headers_.size() < kHeadersMax) {
    headers_.push_back({log, header->tid});
  }
}

void OrderJudge::take_tail(Bytes content, const Request& request) {
  const auto superblock = JournalSuperblock::parse(content);
  if (!superblock) return;  // the `tag` judge's finding
  const LogTail tail{superblock->sequence, superblock->start == LogBlock(0)};
  evaluate_waiting();
  check_tail(tail, request.sequence);
  ++counters_.tail_count;
  pending_tails_.push_back({request.sequence, tail});
  if (!tail.is_empty) return;
  // An emptied log: the next transaction may begin anywhere.
  last_tid_ = superblock->sequence.previous();
  expected_next_.reset();
  headers_.clear();
}

// Everything that the tail passes must be settled before the superblock that says so is sent: from
// then on it may be durable.
void OrderJudge::check_tail(const LogTail& tail, std::uint64_t sequence) {
  std::vector<std::pair<BlockNo, Tid>> unsettled;
  for (const BookedTransaction& transaction : book_.transactions()) {
    if (!tail.passes(transaction.tid)) break;
    if (!times_.is_durable(transaction.commit_sequence)) {
      report("tail-before-commit", sequence,
             finding_of(transaction.tid, fmt::format("the tail passes tid {}, whose commit block "
                                                     "is not durable",
                                                     transaction.tid.value())));
      continue;
    }
    for (const BlockNo home : transaction.homes) {
      const LiveBlock* const live = book_.find(home);
      ++counters_.settled_count;
      if (live == nullptr || home == superblock_block_) continue;
      if (book_.is_settled(*live, transaction.tid, tail)) continue;
      if (!book_.is_blind_after(transaction.tid)) unsettled.emplace_back(home, transaction.tid);
    }
  }
  if (!unsettled.empty()) drop_given_up(unsettled);
  if (!unsettled.empty()) report_unsettled(unsettled, sequence);
}

// Leaves out blocks of files that a recovery would delete or cut, as of the newest durable commit.
void OrderJudge::drop_given_up(std::vector<std::pair<BlockNo, Tid>>& unsettled) {
  const auto& booked = book_.transactions();
  const auto newest = std::find_if(booked.rbegin(), booked.rend(), [&](const auto& each) {
    return times_.is_durable(each.commit_sequence);
  });
  if (newest == booked.rend()) return;
  const auto given_up = GivenUp::of(view_, ring_->map(), newest->tid);
  if (!given_up) return;
  const std::size_t all = unsettled.size();
  std::erase_if(unsettled, [&](const auto& each) { return given_up->has(each.first); });
  counters_.given_up_count += all - unsettled.size();
}

void OrderJudge::report_unsettled(const std::vector<std::pair<BlockNo, Tid>>& unsettled,
                                  std::uint64_t sequence) {
  std::optional<std::pair<BlockNo, Tid>> first;
  for (const auto& [home, tid] : unsettled) {
    const LiveBlock* const live = book_.find(home);
    if (!live->went_astray) {
      if (!first) first.emplace(home, tid);
      continue;
    }
    CheckFinding astray =
        finding_of(tid, fmt::format("the content of block {} as of tid {} was written elsewhere, "
                                    "and never home",
                                    home.value(), tid.value()));
    astray.block = home;
    report("misdirected-write", live->went_astray->sequence, std::move(astray));
  }
  if (!first) return;
  CheckFinding finding = finding_of(
      first->second,
      fmt::format("the tail passes tid {}, but block {} is not home durably, nor superseded, "
                  "revoked, freed or given up ({} such in all)",
                  first->second.value(), first->first.value(), unsettled.size()));
  finding.block = first->first;
  report("tail-before-home", sequence, std::move(finding));
}

void OrderJudge::take_commit_block(LogBlock log, Tid tid, Bytes content, const Request& request) {
  const Tid oldest = last_tid_ ? last_tid_->next() : ring_->superblock().sequence;
  const bool is_due = !tid.comes_before(oldest) && tid.since(oldest) <= kMissedMax;
  const ChecksumKind kind = ring_->format().checksum;
  const bool has_sums = kind == ChecksumKind::kV2 || kind == ChecksumKind::kV3;
  // Data that was not escaped may look like a commit block.
  if (!is_due && (!has_sums || !commit_checksum_matches(content, ring_->format()))) return;
  if (!ring_->superblock().has(JournalIncompat::kAsyncCommit)) {
    evaluate_waiting();
    check_stale_log(log, tid, request.sequence);
  }
  waiting_.push_back({log, tid, request.sequence});
}

// Behind the newest transaction a recovery goes on reading: what it finds there must not look like
// the next one.
void OrderJudge::check_stale_log(LogBlock commit, Tid tid, std::uint64_t sequence) {
  const LogBlock behind = ring_->next(commit);
  if (slots_[behind.value()].owner || !ring_->read(behind, block_)) return;
  const auto header = parse_journal_header(block_);
  if (!header || header->tid != tid.next()) return;
  const bool is_whole = header->is(JournalBlockType::kCommit)
                            ? commit_checksum_matches(block_, ring_->format())
                            : tail_checksum_matches(block_, ring_->format());
  if (!is_whole) return;
  report("stale-log", sequence,
         finding_of(tid, fmt::format("behind the commit block of tid {}, log block {} already "
                                     "holds a block of tid {}: a recovery reads on there",
                                     tid.value(), behind.value(), header->tid.value())));
}

// With async_commit the commit block may come before the rest, and another's flush in between: the
// transaction is there when it is whole, or when the next one begins, for which it was waited for.
bool OrderJudge::is_due(const WaitingCommit& commit) {
  if (!times_.is_completed(commit.sequence)) return false;
  if (!ring_->superblock().has(JournalIncompat::kAsyncCommit)) return true;
  const auto is_later = [&](const SeenHeader& seen) { return commit.tid.comes_before(seen.tid); };
  if (std::ranges::any_of(headers_, is_later)) return true;
  if (!ring_->holds(commit.log)) return true;
  const auto checked = check_transaction(*ring_, {commit.tid, start_of(commit), commit.log}, {});
  return checked && checked->findings.empty();
}

// With async_commit a transaction is durable when the last of its blocks is.
std::uint64_t OrderJudge::last_write_of(const WaitingCommit& commit, LogBlock start) const {
  if (!ring_->superblock().has(JournalIncompat::kAsyncCommit)) return commit.sequence;
  for (LogBlock log = start; log != commit.log; log = ring_->next(log)) {
    const std::uint64_t sequence = slots_[log.value()].sequence;
    if (sequence != 0 && !times_.is_durable(sequence)) return sequence;
  }
  return commit.sequence;
}

void OrderJudge::evaluate_waiting() {
  if (waiting_.empty()) return;
  std::vector<WaitingCommit> waiting = std::exchange(waiting_, {});
  for (const WaitingCommit& commit : waiting) {
    if (is_due(commit)) {
      evaluate(commit);
    } else {
      waiting_.push_back(commit);
    }
  }
}

// Where the transaction begins: behind the one before; else where the superblock says; else at its
// header that lies furthest before its commit block.
LogBlock OrderJudge::start_of(const WaitingCommit& commit) const {
  if (expected_next_ && ring_->holds(*expected_next_)) return *expected_next_;
  const JournalSuperblock& superblock = ring_->superblock();
  if (superblock.sequence == commit.tid && ring_->holds(superblock.start)) return superblock.start;
  LogBlock start = commit.log;
  for (const SeenHeader& seen : headers_) {
    const bool is_ours = seen.tid == commit.tid && ring_->holds(seen.log);
    if (is_ours && ring_->distance(seen.log, commit.log) > ring_->distance(start, commit.log)) {
      start = seen.log;
    }
  }
  return start;
}

// Transactions that passed without a commit block that could be recognised: what they hold is not
// known.
void OrderJudge::note_missing(Tid tid, std::uint64_t sequence) {
  if (!last_tid_ || tid == last_tid_->next()) return;
  if (tid.comes_before(last_tid_->next()) || tid.since(*last_tid_) > kMissedMax) {
    expected_next_.reset();
    return;
  }
  for (Tid missed = last_tid_->next(); missed != tid; missed = missed.next()) {
    BookedTransaction transaction;
    transaction.tid = missed;
    transaction.commit_sequence = sequence;
    transaction.is_readable = false;
    ++counters_.unreadable_count;
    book_.add(std::move(transaction), {});
  }
  expected_next_.reset();
}

void OrderJudge::evaluate(const WaitingCommit& commit) {
  if (!ring_->holds(commit.log)) return;  // the ring became another one meanwhile
  const bool goes_on = !last_tid_ || last_tid_->comes_before(commit.tid);
  if (!goes_on) book_.clear();  // another life of the journal
  note_missing(commit.tid, commit.sequence);
  const LogBlock start = start_of(commit);
  const WalkedTransaction walked = walk_transaction(*ring_, commit.tid, start, commit.log);
  BookedTransaction transaction;
  transaction.tid = commit.tid;
  transaction.first = start;
  transaction.commit = commit.log;
  transaction.commit_sequence = last_write_of(commit, start);
  transaction.is_readable = walked.is_readable;
  for (const WalkedBlock& block : walked.blocks) transaction.homes.push_back(block.home);
  const std::uint64_t first_write = first_write_of(commit, start);
  check_commit(commit, start, walked);
  take_reached(commit, walked);
  for (LogBlock log = start;; log = ring_->next(log)) {
    slots_[log.value()].owner = commit.tid;
    if (log == commit.log) break;
  }
  const std::vector<LoggedVersion> versions = versions_of(walked, commit.tid);
  settle_suspects(transaction, versions, walked.revokes, first_write);
  ++counters_.transaction_count;
  counters_.unreadable_count += walked.is_readable ? 0 : 1;
  counters_.version_count += versions.size();
  book_.add(std::move(transaction), versions);
  for (const BlockNo revoked : walked.revokes) book_.note_revoked(revoked, commit.tid);
  take_frees(walked, commit.tid, first_write);
  expire_suspects(/*all=*/false);
  last_tid_ = commit.tid;
  expected_next_ = ring_->next(commit.log);
  std::erase_if(headers_, [&](const SeenHeader& seen) {
    return !commit.tid.comes_before(seen.tid) || seen.tid.since(commit.tid) > kMissedMax;
  });
}

std::uint64_t OrderJudge::first_write_of(const WaitingCommit& commit, LogBlock start) const {
  std::uint64_t first = commit.sequence;
  for (LogBlock log = start; log != commit.log; log = ring_->next(log)) {
    const std::uint64_t sequence = slots_[log.value()].sequence;
    if (sequence != 0) first = std::min(first, sequence);
  }
  return first;
}

// All of the transaction is durable before its commit block is sent, and the commit block before it
// is durable before the first of its own blocks is.
void OrderJudge::check_commit(const WaitingCommit& commit, LogBlock start,
                              const WalkedTransaction& walked) {
  if (ring_->superblock().has(JournalIncompat::kAsyncCommit) || !walked.is_readable) return;
  std::optional<LogBlock> unflushed, absent;
  for (LogBlock log = start; log != commit.log; log = ring_->next(log)) {
    const std::uint64_t sequence = slots_[log.value()].sequence;
    if (sequence == 0) continue;
    if (times_.was_durable_before(sequence, commit.sequence)) continue;
    if (!unflushed) unflushed = log;
    if (!absent && !times_.was_completed_before(sequence, commit.sequence)) absent = log;
  }
  if (unflushed) {
    report(absent ? "commit-overtakes" : "commit-before-flush", commit.sequence,
           finding_of(commit.tid,
                      fmt::format("the commit block of tid {} is sent while log block {} of it is "
                                  "{}",
                                  commit.tid.value(), absent.value_or(*unflushed).value(),
                                  absent ? "not written yet" : "not flushed")));
  }
  const auto& before = book_.transactions();
  const std::uint64_t first_block = first_write_of(commit, start);
  if (before.empty() || before.back().tid.next() != commit.tid) return;
  if (times_.was_durable_before(before.back().commit_sequence, first_block)) return;
  report("commit-not-flushed", first_block,
         finding_of(before.back().tid,
                    fmt::format("tid {} is written while the commit block of tid {} is not durable",
                                commit.tid.value(), before.back().tid.value())));
}

std::vector<LoggedVersion> OrderJudge::versions_of(const WalkedTransaction& walked, Tid tid) {
  std::vector<LoggedVersion> versions;
  versions.reserve(walked.blocks.size());
  for (const WalkedBlock& block : walked.blocks) {
    LoggedVersion version{tid, {}, block.checksum, block.is_escaped, block.log};
    if (ring_->read(block.log, block_)) {
      unescape(block_, block.is_escaped);
      version.hash = hash_of(block_);
    }
    versions.push_back(version);
  }
  return versions;
}

void OrderJudge::take_frees(const WalkedTransaction& walked, Tid tid,
                            std::uint64_t first_log_write) {
  for (const WalkedBlock& block : walked.blocks) {
    if (!frees_.is_bitmap(block.home) || !ring_->read(block.log, block_)) continue;
    unescape(block_, block.is_escaped);
    frees_.take(view_, block.home, block_, [&](BlockNo first, std::uint64_t count) {
      for (std::uint64_t i = 0; i < count; ++i) {
        book_.note_freed(first + i, tid);
        take_freed_data(first + i, tid, first_log_write);
      }
    });
  }
}

// Once a commit is durable a program may rely on it: so a recovery must look for it.
void OrderJudge::check_announced() {
  for (BookedTransaction& transaction : book_.transactions()) {
    if (transaction.was_announced || !times_.is_durable(transaction.commit_sequence)) continue;
    transaction.was_announced = true;
    if (tail_.is_empty || transaction.tid.comes_before(tail_.sequence)) {
      report(
          "log-not-announced", transaction.commit_sequence,
          finding_of(transaction.tid, fmt::format("the commit block of tid {} is durable, but "
                                                  "the journal's superblock says that the log "
                                                  "{}",
                                                  transaction.tid.value(),
                                                  tail_.is_empty ? "is empty" : "begins later")));
    }
    if (!needs_recovery_) {
      report("recovery-not-announced", transaction.commit_sequence,
             finding_of(transaction.tid, fmt::format("the commit block of tid {} is durable, but "
                                                     "the file system's superblock does not say "
                                                     "needs_recovery",
                                                     transaction.tid.value())));
    }
  }
}

}  // namespace powercut::lab
