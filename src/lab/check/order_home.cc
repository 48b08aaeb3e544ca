// Writes to the home blocks of what is in the log.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "lab/check/order_judge.h"

namespace powercut::lab {

void OrderJudge::take_home_block(BlockNo block, Bytes content, const Request& request) {
  if (block == superblock_block_) return;
  const ContentHash hash = hash_of(content);
  LiveBlock* const live = book_.find(block);
  if (live == nullptr) {
    take_direct_write(block, request);
    if (hash != zero_hash_ && !may_recover()) {
      suspect({block, hash, request.sequence, counters_.transaction_count, /*was_live=*/false,
               /*was_freed=*/false, book_.homeless(hash)});
    }
    return;
  }
  const LoggedVersion* const version = version_of(*live, hash, content);
  if (version == nullptr) return take_foreign_content(block, *live, hash, content, request);
  ++counters_.home_write_count;
  if (version->tid != live->versions.back().tid) ++counters_.older_write_count;
  if (!book_.is_durable(version->tid)) {
    report("home-before-commit", request.sequence,
           finding_of(block, version->tid,
                      fmt::format("block {} is written home as of tid {}, whose commit block is "
                                  "not durable",
                                  block.value(), version->tid.value())));
  }
  book_.note_write(*live, {request.sequence, version->tid});
}

// The stream began with a log that is not empty, and nothing was added to it: what is written home
// are versions that are not in the book, also where a later transaction logs the same again.
bool OrderJudge::may_recover() const {
  return !tail_.is_empty && !has_log_writes_;
}

// The newest version of that content whose commit is durable; else the newest of that content; else
// one whose tag says that this was to be logged.
const LoggedVersion* OrderJudge::version_of(const LiveBlock& live, const ContentHash& hash,
                                            Bytes content) {
  const LoggedVersion* best = nullptr;
  for (auto version = live.versions.rbegin(); version != live.versions.rend(); ++version) {
    if (version->hash != hash) continue;
    if (book_.is_durable(version->tid)) return &*version;
    if (best == nullptr) best = &*version;
  }
  if (best != nullptr || ring_->format().checksum != ChecksumKind::kV3) return best;
  for (auto version = live.versions.rbegin(); version != live.versions.rend(); ++version) {
    copy_bytes(content, block_);
    escape(block_, version->is_escaped);
    if (tag_checksum(block_, ring_->format(), version->tid) == version->checksum) return &*version;
  }
  return nullptr;
}

void OrderJudge::take_foreign_content(BlockNo block, LiveBlock& live, const ContentHash& hash,
                                      Bytes content, const Request& request) {
  const Tid newest = live.versions.back().tid;
  const bool is_revoked = LogBook::is_revoked(live);
  const bool is_freed = LogBook::is_freed(live) && book_.is_durable(*live.freed);
  // What the disk holds already is written again: that changes nothing, but where the block is
  // free: there somebody relies on what he writes.
  const bool is_news =
      !view_.read(block.value() * block_.size(), block_) || !std::ranges::equal(block_, content);
  take_direct_write(block, request);
  if (is_revoked && book_.is_durable(*live.revoked)) {
    ++counters_.direct_write_count;
  } else if (!is_news && !is_freed) {
    return;
  } else if (is_revoked) {
    report("reuse-before-revoke", request.sequence,
           finding_of(block, *live.revoked,
                      fmt::format("block {} is written directly, but its revoke in tid {} is not "
                                  "durable: a recovery would write tid {}'s content over it",
                                  block.value(), live.revoked->value(), newest.value())));
  } else if (!book_.is_blind_after(newest)) {
    suspect({block, hash, request.sequence, counters_.transaction_count, /*was_live=*/true,
             is_freed, book_.homeless(hash)});
  }
  book_.note_write(live, {request.sequence, std::nullopt});
}

// A discard may leave zeroes or what was there.
void OrderJudge::take_discard(BlockNo block, const Request& request) {
  const LiveBlock* const live = book_.find(block);
  if (live == nullptr || block == superblock_block_) return;
  const Tid newest = live->versions.back().tid;
  const bool is_freed = LogBook::is_freed(*live) && book_.is_durable(*live->freed);
  const bool is_revoked = LogBook::is_revoked(*live) && book_.is_durable(*live->revoked);
  if (is_freed || is_revoked || book_.is_blind_after(newest)) return;
  report("discard-before-free", request.sequence,
         finding_of(block, newest,
                    fmt::format("block {} is discarded, but no durable transaction frees it after "
                                "tid {}",
                                block.value(), newest.value())));
}

void OrderJudge::suspect(const Suspect& suspect) {
  ++counters_.suspect_count;
  if (suspect.belongs_to) {
    if (LiveBlock* const live = book_.find(*suspect.belongs_to)) {
      live->went_astray = HomeWrite{suspect.sequence, live->versions.back().tid};
    }
  }
  if (suspects_.size() >= kSuspectsMax) drop_oldest_suspect(/*is_sure=*/false);
  suspects_.push_back(suspect);
  suspects_of_[suspect.block.value()].push_back(suspect.sequence);
}

// Settles the suspects of a block that `explains` says are explained.
void OrderJudge::settle_suspects_of(BlockNo block,
                                    const std::function<bool(const Suspect&)>& explains) {
  const auto found = suspects_of_.find(block.value());
  if (found == suspects_of_.end()) return;
  std::erase_if(found->second, [&](std::uint64_t sequence) {
    // They lie in the order of their requests, of which each may have several.
    auto each = std::ranges::lower_bound(suspects_, sequence, {}, &Suspect::sequence);
    while (each->block != block) ++each;
    each->is_settled = explains(*each);
    return each->is_settled;
  });
  if (found->second.empty()) suspects_of_.erase(found);
}

// Suspects that this transaction explains: their content is what it commits, or it revokes what
// they have been written over.
void OrderJudge::settle_suspects(const BookedTransaction& transaction,
                                 const std::vector<LoggedVersion>& versions,
                                 const std::vector<BlockNo>& revokes,
                                 std::uint64_t first_log_write) {
  const auto durable_at = times_.durable_at(transaction.commit_sequence);
  for (std::size_t i = 0; i < versions.size(); ++i) {
    settle_suspects_of(transaction.homes[i], [&](const Suspect& each) {
      if (each.hash != versions[i].hash) return false;
      const bool is_early = !durable_at || times_.submitted_at(each.sequence) < *durable_at;
      const bool is_ahead = each.was_live && each.sequence < first_log_write;
      if (is_early) report_early(each, transaction.tid, is_ahead);
      return true;
    });
  }
  for (const BlockNo block : revokes) {
    settle_suspects_of(block, [&](const Suspect& each) {
      if (!each.was_live) return false;
      report("reuse-before-revoke", each.sequence,
             finding_of(each.block, transaction.tid,
                        fmt::format("block {} is written directly before tid {} revokes it",
                                    each.block.value(), transaction.tid.value())));
      return true;
    });
  }
  if (transaction.is_readable) return;
  suspects_.clear();
  suspects_of_.clear();
}

// A block that changes while it is on its way home is written ahead of its transaction.  As long as
// the log holds an older version, which a recovery would write over it, only the order is broken.
void OrderJudge::report_early(const Suspect& suspect, Tid tid, bool is_ahead) {
  if (LiveBlock* const live = book_.find(suspect.block)) {
    for (HomeWrite& write : live->writes) {
      if (write.sequence == suspect.sequence) write.version = tid;
    }
  }
  report(is_ahead ? "home-ahead" : "home-before-commit", suspect.sequence,
         finding_of(suspect.block, tid,
                    fmt::format("block {} is written home with what tid {} commits later{}",
                                suspect.block.value(), tid.value(),
                                is_ahead ? "; the log still holds an older version" : "")));
}

void OrderJudge::report_suspect(const Suspect& suspect) {
  if (!suspect.was_live) return;
  CheckFinding finding;
  finding.block = suspect.block;
  const std::uint64_t block = suspect.block.value();
  if (suspect.belongs_to) {
    finding.words = fmt::format("block {} is written with the content of block {}", block,
                                suspect.belongs_to->value());
    finding.block = suspect.belongs_to;
    report("misdirected-write", suspect.sequence, std::move(finding));
  } else if (suspect.was_freed) {
    finding.words = fmt::format(
        "block {} is written directly after it was freed, but the log still holds a version of it "
        "that is not revoked: a recovery would write that over it",
        block);
    report("reuse-without-revoke", suspect.sequence, std::move(finding));
  } else {
    finding.words = fmt::format(
        "block {} is written with a content that is no version of it in a "
        "transaction",
        block);
    report("home-not-a-version", suspect.sequence, std::move(finding));
  }
}

// `all`: the stream ends here; what a later transaction would have explained is not judged.
void OrderJudge::expire_suspects(bool all) {
  while (!suspects_.empty()) {
    const Suspect& oldest = suspects_.front();
    const std::uint64_t age = counters_.transaction_count - oldest.evaluated_then;
    const bool is_sure = age >= kSuspectTransactions || oldest.was_freed || oldest.belongs_to;
    if (!all && age < kSuspectTransactions) return;
    drop_oldest_suspect(is_sure);
  }
}

void OrderJudge::drop_oldest_suspect(bool is_sure) {
  const Suspect& oldest = suspects_.front();
  if (is_sure && !oldest.is_settled) report_suspect(oldest);
  const auto of_block = suspects_of_.find(oldest.block.value());
  if (of_block != suspects_of_.end()) {
    std::erase(of_block->second, oldest.sequence);
    if (of_block->second.empty()) suspects_of_.erase(of_block);
  }
  suspects_.pop_front();
}

}  // namespace powercut::lab
