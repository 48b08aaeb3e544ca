#include "lab/check/logged_walk.h"

#include <algorithm>

namespace powercut::lab {
namespace {

// Takes the descriptor or revoke block `block` at `at`; the place behind what belongs to it.
std::optional<LogBlock> take_header(const JournalRing& ring, Bytes block, Tid tid, LogBlock at,
                                    WalkedTransaction& walked) {
  const auto header = parse_journal_header(block);
  if (!header || header->tid != tid || !tail_checksum_matches(block, ring.format())) {
    return std::nullopt;
  }
  walked.headers.push_back(at);
  if (header->is(JournalBlockType::kRevoke)) {
    const auto revokes = parse_revoke(block, ring.format(), tid);
    if (!revokes) return std::nullopt;
    walked.revokes.insert(walked.revokes.end(), revokes->begin(), revokes->end());
    return ring.next(at);
  }
  const auto tags = parse_descriptor(block, ring.format(), tid);
  if (!tags || tags->size() >= ring.ring_blocks()) return std::nullopt;
  for (const Tag& tag : *tags) {
    at = ring.next(at);
    walked.blocks.push_back({tag.block, at, tag.checksum, tag.is_escaped});
  }
  return ring.next(at);
}

}  // namespace

WalkedTransaction walk_transaction(JournalRing& ring, Tid tid, LogBlock start, LogBlock commit) {
  WalkedTransaction walked;
  const std::uint32_t whole = ring.distance(start, commit);
  for (LogBlock at = start; at != commit;) {
    const MutableBytes block = ring.scratch();
    if (!ring.read(at, block)) return walked;
    const auto next = take_header(ring, block, tid, at, walked);
    if (!next || ring.distance(start, *next) > whole || *next == start) return walked;
    at = *next;
  }
  walked.is_readable = true;
  return walked;
}

void unescape(MutableBytes block, bool is_escaped) {
  if (is_escaped) store(block, 0, Be32(kJournalMagic));
}

void escape(MutableBytes block, bool is_escaped) {
  if (is_escaped) std::fill_n(block.begin(), sizeof(Be32), std::uint8_t{0});
}

}  // namespace powercut::lab
