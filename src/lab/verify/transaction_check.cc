#include "lab/verify/transaction_check.h"

#include <algorithm>

#include "base/crc32c.h"
#include "base/stored_int.h"

namespace powercut::lab {
namespace {

class Walk {
 public:
  Walk(JournalRing& ring, const TransactionSpan& span, std::span<const SeenHeader> seen)
      : ring_(ring), span_(span), block_(ring.scratch()) {
    checked_.tid = span.tid;
    const ChecksumKind kind = ring.format().checksum;
    has_own_sums_ = kind == ChecksumKind::kV2 || kind == ChecksumKind::kV3;
    has_whole_sum_ = kind == ChecksumKind::kV1;
    const Be32 stored_tid = span.tid.value();
    tag_start_ = ring.start_part(crc32c(ring.format().seed, bytes_of(stored_tid)));
    collect_headers(seen);
  }

  Result<CheckedTransaction> run() {
    LogBlock at = first_block();
    // Each turn moves forward; the ring bounds their number.
    for (std::uint32_t moved = 0; moved < ring_.ring_blocks();) {
      if (span_.commit && at == *span_.commit) break;
      const std::optional<LogBlock> after = TRY(check_header_block(at));
      if (!after) break;
      moved += std::max(1u, ring_.distance(at, *after));
      at = *after;
    }
    TRY(check_commit(at));
    for (Finding& finding : checked_.findings) finding.count = checked_.block_count;
    return std::move(checked_);
  }

 private:
  // Headers of this transaction, one for each place, in ring order up to the commit block.
  void collect_headers(std::span<const SeenHeader> seen) {
    for (const SeenHeader& header : seen) {
      const bool is_ours =
          header.header.tid == span_.tid && (header.header.is(JournalBlockType::kDescriptor) ||
                                             header.header.is(JournalBlockType::kRevoke));
      if (is_ours && ring_.holds(header.log)) headers_.push_back(header.log);
    }
    const LogBlock origin = span_.start    ? *span_.start
                            : span_.commit ? ring_.next(*span_.commit)
                                           : ring_.first();
    std::ranges::sort(headers_, {}, [&](LogBlock log) { return ring_.distance(origin, log); });
    headers_.erase(std::unique(headers_.begin(), headers_.end()), headers_.end());
  }

  LogBlock first_block() const {
    if (span_.start) return *span_.start;
    if (!headers_.empty()) return headers_.front();
    return span_.commit ? *span_.commit : ring_.first();
  }

  // The next header of this transaction after `at`; else the commit block; else nothing.
  std::optional<LogBlock> resume_after(LogBlock at) const {
    const LogBlock origin = first_block();
    for (const LogBlock header : headers_) {
      if (ring_.distance(origin, header) > ring_.distance(origin, at)) return header;
    }
    return span_.commit;
  }

  Finding& report(FindingKind kind, LogBlock at) {
    Finding& finding = checked_.findings.emplace_back();
    finding.kind = kind;
    finding.tid = span_.tid;
    finding.log_block = at;
    finding.block_bytes = ring_.map().block_bytes();
    return finding;
  }

  // Checks the descriptor or revoke block that should be at `at` and what belongs to it.
  // Returns where the walk goes on; nothing if `at` should hold the commit block.
  Result<std::optional<LogBlock>> check_header_block(LogBlock at) {
    TRY(ring_.read(at, block_));
    const auto header = parse_journal_header(block_);
    if (header && header->tid == span_.tid) {
      if (header->is(JournalBlockType::kDescriptor)) return check_descriptor(at);
      if (header->is(JournalBlockType::kRevoke)) return check_revoke(at);
    }
    const std::optional<LogBlock> resume = resume_after(at);
    // Without a commit block that was recognised, and with no header further on, this is its place.
    if (!resume) return std::optional<LogBlock>{};
    report(FindingKind::kDescriptorFormat, at).rule = "no descriptor or revoke block of this tid";
    return resume;
  }

  Result<bool> check_tail(FindingKind kind, LogBlock at) {
    if (!has_own_sums_) return true;
    const auto stored = TRY(load<Be32>(block_, block_.size() - sizeof(Be32)));
    const std::uint32_t computed = ring_.tail_checksum(TRY(ring_.sum(at)), stored);
    if (computed == stored.value()) return true;
    Finding& finding = report(kind, at);
    finding.stored = stored;
    finding.computed = computed;
    return false;
  }

  Result<std::optional<LogBlock>> check_revoke(LogBlock at) {
    ++checked_.revoke_block_count;
    fold_whole_sum_of_block(/*is_revoke=*/true);
    const bool is_whole = TRY(check_tail(FindingKind::kRevokeChecksum, at));
    if (!is_whole) return std::optional(ring_.next(at));
    const auto revokes = parse_revoke(block_, ring_.format(), span_.tid);
    if (!revokes) {
      report(FindingKind::kRevokeFormat, at).rule = revokes.error().what;
      return std::optional(ring_.next(at));
    }
    checked_.revoke_count += static_cast<std::uint32_t>(revokes->size());
    return std::optional(ring_.next(at));
  }

  Result<std::optional<LogBlock>> check_descriptor(LogBlock at) {
    ++checked_.descriptor_count;
    fold_whole_sum_of_block(/*is_revoke=*/false);
    const bool is_whole = TRY(check_tail(FindingKind::kDescriptorChecksum, at));
    if (!is_whole) return resume_or_count(at);
    const auto tags = parse_descriptor(block_, ring_.format(), span_.tid);
    if (!tags) {
      report(FindingKind::kDescriptorFormat, at).rule = tags.error().what;
      return resume_after(at);
    }
    if (tags->size() >= room_after(at)) {
      report(FindingKind::kDescriptorFormat, at).rule =
          "more blocks than the log has before the commit";
      return resume_after(at);
    }
    LogBlock log = at;
    for (const Tag& tag : *tags) {
      log = ring_.next(log);
      TRY(check_tag(tag, log));
    }
    return std::optional(ring_.next(log));
  }

  // Behind a damaged descriptor: at the next header, or, without one, past as many blocks as it
  // says, if it can be read at all.
  std::optional<LogBlock> resume_or_count(LogBlock at) const {
    const std::optional<LogBlock> resume = resume_after(at);
    if (resume) return resume;
    const auto tags = parse_descriptor(block_, ring_.format(), span_.tid);
    LogBlock log = ring_.next(at);
    if (tags) {
      for (std::size_t i = 0; i < tags->size(); ++i) log = ring_.next(log);
    }
    return log;
  }

  std::uint32_t room_after(LogBlock at) const {
    return span_.commit ? ring_.distance(at, *span_.commit) : ring_.ring_blocks();
  }

  Result<void> check_tag(const Tag& tag, LogBlock log) {
    ++checked_.block_count;
    if (tag.is_escaped) ++checked_.escaped_count;
    if (has_whole_sum_) {
      TRY(ring_.read(log, block_));
      whole_sum_ = crc32_be(whole_sum_, block_);
    }
    if (!has_own_sums_) return {};
    ++checked_.verified_count;
    const std::uint32_t sum = TRY(ring_.sum(log)) ^ tag_start_;
    const std::uint32_t computed =
        ring_.format().checksum == ChecksumKind::kV2 ? sum & 0xFFFF : sum;
    if (computed == tag.checksum) return {};
    Finding& finding = report(FindingKind::kDataChecksum, log);
    finding.home = tag.block;
    finding.stored = tag.checksum;
    finding.computed = computed;
    finding.index = checked_.block_count;
    finding.is_escaped = tag.is_escaped;
    return {};
  }

  // kV1 sums descriptors and data in log order; revoke blocks are left out.
  void fold_whole_sum_of_block(bool is_revoke) {
    if (has_whole_sum_ && !is_revoke) whole_sum_ = crc32_be(whole_sum_, block_);
  }

  Result<void> check_commit(LogBlock at) {
    checked_.commit = span_.commit ? *span_.commit : at;
    TRY(ring_.read(checked_.commit, block_));
    if (!span_.commit) {
      const auto header = parse_journal_header(block_);
      report(FindingKind::kCommitMissing, at).rule =
          !header                    ? "the block where the commit block must be has no magic"
          : header->tid != span_.tid ? "the block where the commit block must be has another tid"
                                     : "the block where the commit block must be has another type";
      return {};
    }
    const auto commit = parse_commit(block_, ring_.format(), span_.tid);
    if (!commit) {
      report(FindingKind::kCommitMissing, checked_.commit).rule = commit.error().what;
      return {};
    }
    checked_.commit_seconds = commit->seconds;
    if (has_own_sums_) {
      const std::uint32_t sum = TRY(ring_.sum(checked_.commit));
      const std::uint32_t computed = ring_.commit_checksum(sum, Be32(commit->checksum));
      if (computed != commit->checksum) {
        Finding& finding = report(FindingKind::kCommitChecksum, checked_.commit);
        finding.stored = commit->checksum;
        finding.computed = computed;
      }
    }
    check_whole_sum(*commit);
    return {};
  }

  void check_whole_sum(const CommitBlock& commit) {
    const bool is_unused =
        commit.checksum_type == 0 && commit.checksum_size == 0 && commit.checksum == 0;
    if (!has_whole_sum_ || is_unused || !checked_.findings.empty()) return;
    if (commit.checksum_type == 1 && commit.checksum_size == 4 && commit.checksum == whole_sum_) {
      checked_.verified_count = checked_.block_count;
      return;
    }
    Finding& finding = report(FindingKind::kTransactionChecksum, checked_.commit);
    finding.stored = commit.checksum;
    finding.computed = whole_sum_;
  }

  JournalRing& ring_;
  const TransactionSpan& span_;
  MutableBytes block_;  // the block being looked at
  std::vector<LogBlock> headers_;
  bool has_own_sums_ = false, has_whole_sum_ = false;
  std::uint32_t tag_start_ = 0;  // what seed and tid add to a block's sum
  std::uint32_t whole_sum_ = ~0u;
  CheckedTransaction checked_;
};

}  // namespace

Result<CheckedTransaction> check_transaction(JournalRing& ring, const TransactionSpan& span,
                                             std::span<const SeenHeader> seen) {
  return Walk(ring, span, seen).run();
}

}  // namespace powercut::lab
