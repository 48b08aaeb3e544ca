#include "lab/verify/finding.h"

#include <fmt/format.h>

namespace powercut::lab {
namespace {

std::string describe_version(const KnownVersion& version) {
  std::string text;
  switch (version.place) {
    case KnownVersion::Place::kHome: text = "its copy at home"; break;
    case KnownVersion::Place::kEarlierLog:
      text = fmt::format("its copy in transaction {}", version.tid.value());
      break;
    case KnownVersion::Place::kWord: text = "the block the checksum was made of"; break;
  }
  std::string ranges;
  for (const ByteRange& range : version.ranges) {
    ranges +=
        fmt::format("{}0x{:x}-0x{:x}", ranges.empty() ? "" : ", ", range.first, range.end - 1);
  }
  if (version.ranges.size() == KnownVersion::kRangesMax) ranges += ", ...";
  return fmt::format("; {} bytes differ from {}{} (at {})", version.byte_count, text,
                     version.matches_checksum ? ", which the checksum matches" : "", ranges);
}

}  // namespace

std::string_view finding_kind_name(FindingKind kind) {
  switch (kind) {
    case FindingKind::kDataChecksum: return "data block";
    case FindingKind::kTransactionChecksum: return "transaction";
    case FindingKind::kDescriptorChecksum: return "descriptor checksum";
    case FindingKind::kDescriptorFormat: return "descriptor format";
    case FindingKind::kRevokeChecksum: return "revoke checksum";
    case FindingKind::kRevokeFormat: return "revoke format";
    case FindingKind::kCommitChecksum: return "commit checksum";
    case FindingKind::kCommitMissing: return "commit missing";
    case FindingKind::kTidGap: return "commits missing";
    case FindingKind::kSuperblock: return "journal superblock";
  }
  return "unknown";
}

std::string Finding::describe() const {
  std::string text;
  if (kind == FindingKind::kDataChecksum) {
    text = fmt::format(
        "checksum changed (tag3: 0x{:08x}, calc: 0x{:08x}) tid {} journal block {} "
        "file-system block {}",
        stored, computed, tid.value(), log_block.value(), home.value());
    if (owner) text += " = " + owner->describe(block_bytes);
    text += fmt::format(", block {} of {} in its transaction", index, count);
    if (is_escaped) text += ", escaped";
  } else if (kind == FindingKind::kTidGap) {
    text = fmt::format("commits missing: before tid {} ({})", tid.value(), rule);
  } else {
    text = fmt::format("{} (stored: 0x{:08x}, calc: 0x{:08x}) tid {} journal block {}",
                       finding_kind_name(kind), stored, computed, tid.value(), log_block.value());
    if (!rule.empty()) text += ": " + rule;
  }
  if (version) text += describe_version(*version);
  if (replayable) text += fmt::format("; replayable for {:.2f} s", seconds_of(*replayable));
  return text;
}

}  // namespace powercut::lab
