#include "lab/image/ring_walk.h"

#include <algorithm>

#include "base/crc32c.h"
#include "base/stored_int.h"

namespace powercut::lab {
namespace {

constexpr std::uint32_t kRingMax = std::uint32_t{1} << 26;  // blocks: 256 GiB with 4 KiB each
constexpr std::uint32_t kReadBytes = 1u << 20;              // at once

bool has_own_sums(const JournalFormat& format) {
  return format.checksum == ChecksumKind::kV2 || format.checksum == ChecksumKind::kV3;
}

}  // namespace

Result<RingWalk> RingWalk::make(JournalRing& ring, const WorkWatcher& watcher) {
  if (ring.ring_blocks() > kRingMax) {
    return fail(Errc::kLimit, "journal: too long to be looked through", ring.ring_blocks());
  }
  RingWalk walk(ring);
  walk.claimed_.resize(ring.end().value());
  walk.block_.resize(ring.map().block_bytes());
  TRY(walk.read_all(watcher));
  return walk;
}

Result<void> RingWalk::read_all(const WorkWatcher& watcher) {
  const std::uint32_t block_bytes = ring_->map().block_bytes();
  std::vector<std::uint8_t> buffer(std::max(kReadBytes, block_bytes));
  for (const JournalMap::Run& run : ring_->map().runs()) {
    const LogBlock run_end = std::min(run.log + run.count, ring_->end());
    for (LogBlock at = std::max(run.log, ring_->first()); at < run_end;) {
      const auto most = static_cast<std::uint32_t>(buffer.size() / block_bytes);
      const std::uint32_t count = std::min(most, run_end - at);
      const MutableBytes bytes = MutableBytes(buffer).first(std::size_t{count} * block_bytes);
      TRY(ring_->read(at, bytes));  // one after another on the device
      for (std::uint32_t i = 0; i < count; ++i) {
        take_header(at + i, bytes.subspan(std::size_t{i} * block_bytes, block_bytes));
      }
      at = at + count;
      if (watcher && !watcher(at - ring_->first(), ring_->ring_blocks())) {
        return fail(Errc::kAborted, "journal: interrupted while it was read");
      }
    }
  }
  return {};
}

void RingWalk::take_header(LogBlock log, Bytes block) {
  ring_->note_written(log, block);
  const auto header = parse_journal_header(block);
  const bool is_of_log =
      header && (header->is(JournalBlockType::kDescriptor) ||
                 header->is(JournalBlockType::kRevoke) || header->is(JournalBlockType::kCommit));
  if (is_of_log) headers_.push_back({log, *header});
}

const SeenHeader* RingWalk::header_at(LogBlock log) const {
  const auto found = std::ranges::lower_bound(headers_, log, {}, &SeenHeader::log);
  return found != headers_.end() && found->log == log ? &*found : nullptr;
}

std::vector<SeenHeader> RingWalk::headers_in(LogBlock first, std::uint32_t length) const {
  std::vector<SeenHeader> inside;
  const auto take = [&](LogBlock from, LogBlock end) {
    for (auto at = std::ranges::lower_bound(headers_, from, {}, &SeenHeader::log);
         at != headers_.end() && at->log < end; ++at) {
      inside.push_back(*at);
    }
  };
  const std::uint32_t to_end = ring_->end() - first;
  take(first, first + std::min(length, to_end));
  if (length > to_end) take(ring_->first(), ring_->first() + (length - to_end));
  return inside;
}

// The next header of the tid behind a damaged piece, if no other header comes before it.
std::optional<LogBlock> RingWalk::next_header(LogBlock after, Tid tid) const {
  if (headers_.empty()) return std::nullopt;
  auto next = std::ranges::upper_bound(headers_, after, {}, &SeenHeader::log);
  if (next == headers_.end()) next = headers_.begin();
  if (next->log == after || next->header.tid != tid) return std::nullopt;
  return next->log;
}

bool RingWalk::follows_a_commit(LogBlock first, Tid tid) const {
  if (first == ring_->first()) return true;
  const SeenHeader* const before = header_at(LogBlock(first.value() - 1));
  return before != nullptr && before->header.is(JournalBlockType::kCommit) &&
         before->header.tid == tid.previous();
}

Result<FoundTransaction> RingWalk::take_whole(LogBlock first, Tid tid) {
  return take(first, tid, true);
}

Result<FoundTransaction> RingWalk::take_find(LogBlock first) {
  const SeenHeader* const header = header_at(first);
  CHECK(header != nullptr, "a find begins with a header");
  return take(first, header->header.tid, false);
}

Result<FoundTransaction> RingWalk::take(LogBlock first, Tid tid, bool is_whole) {
  FoundTransaction found;
  found.tid = tid;
  found.first = found.last = first;
  found.has_beginning = is_whole || follows_a_commit(first, tid);
  std::optional<LogBlock> at = first;
  // Each turn claims a header that nobody had, so there are at most as many as headers.
  while (at && !claimed_[at->value()]) {
    const SeenHeader* const header = header_at(*at);
    if (header == nullptr || header->header.tid != tid) break;
    at = TRY(take_piece(*at, is_whole, found));
  }
  found.length = ring_->distance(found.first, found.last) + 1;
  return found;
}

// Returns where the next piece must be; nothing behind a commit block, or where the find ends.
Result<std::optional<LogBlock>> RingWalk::take_piece(LogBlock at, bool is_whole,
                                                     FoundTransaction& found) {
  TRY(ring_->read(at, block_));
  claim(at);
  found.last = at;
  const JournalFormat& format = ring_->format();
  const JournalHeader& header = header_at(at)->header;
  if (header.is(JournalBlockType::kCommit)) {
    const auto commit = parse_commit(block_, format, found.tid);
    if (commit) found.commit = *commit;
    found.commit_matches = commit_checksum_matches(block_, format);
    return std::optional<LogBlock>{};
  }
  const bool is_descriptor = header.is(JournalBlockType::kDescriptor);
  ++(is_descriptor ? found.descriptor_count : found.revoke_block_count);
  const auto note = [&](const char* trouble) {
    if (found.trouble != nullptr) return;
    found.trouble = trouble;
    found.trouble_at = at;
  };
  if (!tail_checksum_matches(block_, format)) {
    note(is_descriptor ? "a descriptor does not match its checksum"
                       : "a revoke block does not match its checksum");
    return next_header(at, found.tid);
  }
  // Read as a recovery reads them, which takes what fits; that more is wrong is noted.
  if (is_descriptor) {
    const auto tags = parse_descriptor(block_, format, found.tid);
    if (!tags) note(tags.error().what);
    TRY(take_tags(at, tags_that_fit(block_, format), is_whole, found));
    if (found.missing_count != 0) return std::optional<LogBlock>{};
    return std::optional(ring_->next(found.last));
  }
  const auto revokes = parse_revoke(block_, format, found.tid);
  if (!revokes) note(revokes.error().what);
  for (const BlockNo block : revokes_that_fit(block_, format).value_or(std::vector<BlockNo>())) {
    found.revokes.push_back(block);
  }
  return std::optional(ring_->next(at));
}

Result<void> RingWalk::take_tags(LogBlock at, const std::vector<Tag>& tags, bool is_whole,
                                 FoundTransaction& found) {
  const JournalFormat& format = ring_->format();
  const Be32 tid = found.tid.value();
  const std::uint32_t start = ring_->start_part(crc32c(format.seed, bytes_of(tid)));
  const std::uint32_t mask = format.checksum == ChecksumKind::kV2 ? 0xFFFF : 0xFFFFFFFF;
  LogBlock log = at;
  for (std::size_t i = 0; i < tags.size(); ++i) {
    log = ring_->next(log);
    const bool is_cut = claimed_[log.value()] || (!is_whole && header_at(log) != nullptr);
    if (is_cut) {
      found.missing_count = static_cast<std::uint32_t>(tags.size() - i);
      return {};
    }
    claim(log);
    found.last = log;
    found.escaped_count += tags[i].is_escaped ? 1 : 0;
    FoundBlock& block = found.blocks.emplace_back();
    block = {log, tags[i].block, tags[i].is_escaped, {}};
    if (!has_own_sums(format)) continue;
    block.checksum = {tags[i].checksum, (TRY(ring_->sum(log)) ^ start) & mask};
  }
  return {};
}

Result<std::vector<FoundTransaction>> RingWalk::take_rest(LogBlock from) {
  std::vector<FoundTransaction> rest;
  const auto middle = std::ranges::lower_bound(headers_, from, {}, &SeenHeader::log);
  const auto take_all = [&](auto first, auto end) -> Result<void> {
    for (auto header = first; header != end; ++header) {
      if (!claimed_[header->log.value()]) rest.push_back(TRY(take_find(header->log)));
    }
    return {};
  };
  TRY(take_all(middle, headers_.end()));
  TRY(take_all(headers_.begin(), middle));
  return rest;
}

}  // namespace powercut::lab
