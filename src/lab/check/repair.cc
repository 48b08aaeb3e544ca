// How each rule's breach is mended in a stream.
#include <fmt/format.h>

#include <algorithm>

#include "lab/check/cause.h"
#include "lab/verify/journal_place.h"

namespace powercut::lab {
namespace {

// What is known of the recording before any request: where its journal lies.
struct Ground {
  JournalMap map;
  JournalFormat format;
};

// The journal's place and format as of the end of the recording.
std::optional<Ground> ground_of(const Recording& recording) {
  RecordedView view(recording);
  for (const RecordedEvent& event : recording.events) view.apply(event);
  const auto volume = Volume::open(view);
  if (!volume) return std::nullopt;
  auto map = locate_journal_on(view, *volume, recording.split);
  if (!map) return std::nullopt;
  std::vector<std::uint8_t> block(map->block_bytes());
  const std::uint64_t at = map->device_block(LogBlock(0)).value() * block.size();
  if (!view.read(at, block)) return std::nullopt;
  const auto superblock = JournalSuperblock::parse_unverified(block);
  if (!superblock) return std::nullopt;
  return Ground{std::move(*map), superblock->format()};
}

class Mender {
 public:
  Mender(const Recording& recording, Ground ground, const StreamFinding& finding)
      : recording_(recording),
        edit_(recording),
        ground_(std::move(ground)),
        finding_(finding),
        sequence_(finding.check.sequence.value_or(0)) {}

  std::optional<Repair> mend() {
    const std::string words =
        finding_.check.judge == JudgeName::kTag ? mend_block() : mend_order(finding_.check.rule);
    if (words.empty()) return std::nullopt;
    return Repair{edit_.take(), words};
  }

 private:
  // The last write to that log block that is submitted before request `before` is completed, or at
  // all.
  const RecordedEvent* write_of(LogBlock log, std::uint64_t before) const {
    const std::uint64_t at = ground_.map.device_block(log).value() * ground_.map.block_bytes();
    const RecordedEvent* last = nullptr;
    for (const RecordedEvent& event : recording_.events) {
      if (event.kind != EventKind::kSubmitted || event.request != RequestKind::kWrite) continue;
      if (event.sequence > before) break;
      const bool holds =
          event.offset <= at && at + ground_.map.block_bytes() <= event.offset + event.length;
      if (holds) last = &event;
    }
    return last;
  }

  // The request that brings the commit block of `tid`; the last one, if the tid was used twice.
  const RecordedEvent* commit_of(Tid tid) const {
    const std::uint32_t size = ground_.map.block_bytes();
    const RecordedEvent* found = nullptr;
    for (const RecordedEvent& event : recording_.events) {
      if (event.kind != EventKind::kSubmitted || event.request != RequestKind::kWrite) continue;
      for (std::uint64_t at = 0; at + size <= event.length && event.offset % size == 0;
           at += size) {
        if (!ground_.map.log_block(BlockNo((event.offset + at) / size))) continue;
        const auto header = parse_journal_header(event.data.subspan(at, size));
        const bool is_it = header && header->tid == tid && header->is(JournalBlockType::kCommit);
        if (is_it) found = &event;
      }
    }
    return found;
  }

  // The first flush that is submitted after request `after` is completed; 0: none.
  std::uint64_t flush_after(std::uint64_t after) const {
    bool is_completed = false;
    for (const RecordedEvent& event : recording_.events) {
      if (event.kind == EventKind::kCompleted && event.sequence == after) is_completed = true;
      const bool is_flush =
          event.kind == EventKind::kSubmitted && event.request == RequestKind::kFlush;
      if (is_flush && is_completed) return event.sequence;
    }
    return 0;
  }

  bool completes_before(std::uint64_t first, std::uint64_t second) const {
    for (const RecordedEvent& event : recording_.events) {
      if (event.kind == EventKind::kCompleted && event.sequence == first) return true;
      if (event.kind == EventKind::kSubmitted && event.sequence == second) return false;
    }
    return false;
  }

  bool is_right(Bytes block) const {
    switch (finding_.tag.kind) {
      case FindingKind::kDataChecksum:
        return tag_checksum(block, ground_.format, finding_.tag.tid) == finding_.tag.stored;
      case FindingKind::kDescriptorChecksum:
      case FindingKind::kDescriptorFormat:
      case FindingKind::kRevokeChecksum:
      case FindingKind::kRevokeFormat: {
        const auto header = parse_journal_header(block);
        return header && header->tid == finding_.tag.tid &&
               tail_checksum_matches(block, ground_.format);
      }
      case FindingKind::kCommitChecksum:
      case FindingKind::kCommitMissing:
        return parse_commit(block, ground_.format, finding_.tag.tid).has_value() &&
               commit_checksum_matches(block, ground_.format);
      case FindingKind::kTransactionChecksum:
      case FindingKind::kTidGap:
      case FindingKind::kSuperblock: return false;
    }
    return false;
  }

  // A block of the log that is one bit away from what its checksum says.
  std::string mend_block() {
    if (ground_.format.checksum != ChecksumKind::kV3) return {};
    const RecordedEvent* const write = write_of(finding_.tag.log_block, sequence_);
    if (write == nullptr) return {};
    const std::uint32_t size = ground_.map.block_bytes();
    const std::uint64_t at =
        ground_.map.device_block(finding_.tag.log_block).value() * size - write->offset;
    std::vector<std::uint8_t> data(write->data.begin(), write->data.end());
    const MutableBytes block = MutableBytes(data).subspan(at, size);
    for (std::uint32_t bit = 0; bit < size * 8; ++bit) {
      const auto mask = static_cast<std::uint8_t>(1u << (bit % 8));
      block[bit / 8] ^= mask;
      if (is_right(block)) {
        edit_.replace(write->sequence, data);
        return fmt::format("bit {} of log block {} put back", bit, finding_.tag.log_block.value());
      }
      block[bit / 8] ^= mask;
    }
    return {};
  }

  std::string mend_order(std::string_view rule) {
    if (rule == "commit-before-flush") {
      edit_.insert_flush_before(sequence_);
      return "a flush put in before the commit block";
    }
    if (rule == "commit-overtakes") return delay_commit();
    if (rule == "commit-not-flushed") return flush_commit();
    const bool is_early =
        rule == "home-before-commit" || rule == "home-ahead" || rule == "reuse-before-revoke";
    if (is_early) return delay_behind_commit();
    if (rule == "misdirected-write") return redirect();
    if (rule == "stale-log") return wipe_behind_commit();
    const bool is_removable = rule == "home-not-a-version" || rule == "reuse-without-revoke" ||
                              rule == "tail-before-home" || rule == "tail-before-commit" ||
                              rule == "log-overwritten" || rule == "discard-before-free";
    if (!is_removable) return {};
    edit_.remove(sequence_);
    return "the request taken out";
  }

  std::string delay_commit() {
    const std::uint64_t flush = flush_after(sequence_);
    if (flush == 0) return {};
    edit_.move_after(sequence_, flush);
    edit_.insert_flush_after(sequence_);
    return "the commit block moved behind the flush";
  }

  std::string flush_commit() {
    const RecordedEvent* const commit = commit_of(finding_.check.tid.value_or(Tid{}));
    if (commit == nullptr) return {};
    edit_.insert_flush_after(commit->sequence);
    return "a flush put in behind the commit block";
  }

  std::string delay_behind_commit() {
    const RecordedEvent* const commit = commit_of(finding_.check.tid.value_or(Tid{}));
    if (commit == nullptr) return {};
    if (completes_before(commit->sequence, sequence_)) {
      edit_.insert_flush_after(commit->sequence);
      return "a flush put in behind the commit block";
    }
    const std::uint64_t flush = flush_after(commit->sequence);
    if (flush == 0) return {};
    edit_.move_after(sequence_, flush);
    return "the write moved behind the commit";
  }

  // To the block whose content it is.
  std::string redirect() {
    const RecordedEvent* const write = edit_.find(sequence_);
    const std::uint32_t size = ground_.map.block_bytes();
    if (write == nullptr || write->length != size || !finding_.check.block) return {};
    const std::vector<std::uint8_t> data(write->data.begin(), write->data.end());
    edit_.insert_write_before(sequence_, finding_.check.block->value() * size, data);
    edit_.remove(sequence_);
    return "the write moved to the block whose content it is";
  }

  std::string wipe_behind_commit() {
    const std::uint32_t size = ground_.map.block_bytes();
    const RecordedEvent* const commit = edit_.find(sequence_);
    if (commit == nullptr) return {};
    const BlockNo last((commit->offset + commit->length) / size - 1);
    const auto log = ground_.map.log_block(last);
    if (!log || log->value() + 1 >= ground_.map.block_count()) return {};
    const BlockNo behind = ground_.map.device_block(*log + 1);
    edit_.insert_write_before(sequence_, behind.value() * size, std::vector<std::uint8_t>(size));
    return "the log block behind the commit block wiped";
  }

  const Recording& recording_;
  RecordingEdit edit_;
  const Ground ground_;
  const StreamFinding& finding_;
  const std::uint64_t sequence_;
};

}  // namespace

std::optional<Repair> repair(const Recording& recording, const StreamFinding& finding) {
  auto ground = ground_of(recording);
  if (!ground || !finding.check.sequence) return std::nullopt;
  return Mender(recording, std::move(*ground), finding).mend();
}

}  // namespace powercut::lab
