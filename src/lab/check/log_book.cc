#include "lab/check/log_book.h"

#include <algorithm>
#include <utility>

namespace powercut::lab {

void LogBook::clear() {
  transactions_.clear();
  live_.clear();
  by_content_.clear();
  unreadable_count_ = 0;
}

void LogBook::add(BookedTransaction transaction, const std::vector<LoggedVersion>& versions) {
  if (!transaction.is_readable) ++unreadable_count_;
  for (std::size_t i = 0; i < versions.size(); ++i) {
    const BlockNo home = transaction.homes[i];
    LiveBlock& live = live_[home.value()];
    if (!live.versions.empty() && live.versions.back().tid == transaction.tid) {
      live.versions.back() = versions[i];
    } else {
      live.versions.push_back(versions[i]);
    }
    live.went_astray.reset();
    by_content_[versions[i].hash] = home;
  }
  transactions_.push_back(std::move(transaction));
}

LiveBlock* LogBook::find(BlockNo block) {
  const auto found = live_.find(block.value());
  return found == live_.end() ? nullptr : &found->second;
}

void LogBook::note_revoked(BlockNo block, Tid tid) {
  if (LiveBlock* const live = find(block)) live->revoked = tid;
}

void LogBook::note_freed(BlockNo block, Tid tid) {
  if (LiveBlock* const live = find(block)) live->freed = tid;
}

void LogBook::note_write(LiveBlock& live, const HomeWrite& write) {
  const auto last_durable =
      std::find_if(live.writes.rbegin(), live.writes.rend(),
                   [&](const HomeWrite& each) { return times_.is_durable(each.sequence); });
  if (last_durable != live.writes.rend()) {
    live.writes.erase(live.writes.begin(), last_durable.base() - 1);
  }
  live.writes.push_back(write);
}

void LogBook::pass(const LogTail& tail) {
  while (!transactions_.empty() && tail.passes(transactions_.front().tid)) {
    drop_versions(transactions_.front());
    if (!transactions_.front().is_readable) --unreadable_count_;
    transactions_.pop_front();
  }
}

void LogBook::drop_versions(const BookedTransaction& transaction) {
  for (const BlockNo home : transaction.homes) {
    const auto found = live_.find(home.value());
    if (found == live_.end()) continue;
    std::vector<LoggedVersion>& versions = found->second.versions;
    while (!versions.empty() && !transaction.tid.comes_before(versions.front().tid)) {
      const auto named = by_content_.find(versions.front().hash);
      if (named != by_content_.end() && named->second == home) by_content_.erase(named);
      versions.erase(versions.begin());
    }
    if (versions.empty()) live_.erase(found);
  }
}

bool LogBook::is_durable(Tid tid) const {
  if (transactions_.empty() || tid.comes_before(transactions_.front().tid)) return true;
  const std::uint32_t guess =
      tid.since(transactions_.front().tid);  // right while no tid is missing
  if (guess < transactions_.size() && transactions_[guess].tid == tid) {
    return times_.is_durable(transactions_[guess].commit_sequence);
  }
  const auto found = std::ranges::find(transactions_, tid, &BookedTransaction::tid);
  return found == transactions_.end() || times_.is_durable(found->commit_sequence);
}

bool LogBook::is_revoked(const LiveBlock& live) {
  return live.revoked && !live.revoked->comes_before(live.versions.back().tid);
}

bool LogBook::is_freed(const LiveBlock& live) {
  return live.freed && !live.freed->comes_before(live.versions.back().tid);
}

// Every content that a power cut may leave at home is this version or a later one.
bool LogBook::is_home(const LiveBlock& live, Tid tid) const {
  for (auto write = live.writes.rbegin(); write != live.writes.rend(); ++write) {
    if (!write->version || write->version->comes_before(tid)) return false;
    if (times_.is_durable(write->sequence)) return true;
  }
  return false;
}

bool LogBook::is_settled(const LiveBlock& live, Tid tid, const LogTail& tail) const {
  const auto done_by = [&](const std::optional<Tid>& other) {
    return other && !other->comes_before(tid) && is_durable(*other);
  };
  if (done_by(live.revoked) || done_by(live.freed)) return true;
  for (const LoggedVersion& version : live.versions) {
    const bool stays = tid.comes_before(version.tid) && !tail.passes(version.tid);
    if (stays && is_durable(version.tid)) return true;
  }
  return is_home(live, tid);
}

bool LogBook::is_blind_after(Tid tid) const {
  if (unreadable_count_ == 0) return false;
  return std::ranges::any_of(transactions_, [&](const BookedTransaction& each) {
    return !each.is_readable && !each.tid.comes_before(tid);
  });
}

std::optional<BlockNo> LogBook::homeless(const ContentHash& hash) const {
  const auto named = by_content_.find(hash);
  if (named == by_content_.end()) return std::nullopt;
  const auto found = live_.find(named->second.value());
  if (found == live_.end()) return std::nullopt;
  const LiveBlock& live = found->second;
  const Tid newest = live.versions.back().tid;
  if (live.versions.back().hash != hash || is_home(live, newest)) return std::nullopt;
  const bool is_under_way = std::ranges::any_of(live.writes, [&](const HomeWrite& write) {
    return write.version && !write.version->comes_before(newest);
  });
  return is_under_way || is_revoked(live) || is_freed(live) ? std::nullopt
                                                            : std::optional(named->second);
}

}  // namespace powercut::lab
