// The scan's decision about the next log block, as a table.  Pure: facts in, one row out.
//
// The table itself, with a paragraph for each row, is in decide.cc; docs/recovery.md prints it.
// Exactly one row matches any combination of facts (decide_test.cc tries all of them).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace powercut {

enum class ScannedKind : std::uint8_t { kDescriptor, kRevoke, kCommit, kOther };
enum class TidRelation : std::uint8_t { kExpected, kOlder, kNewer };

// What is known of the next log block when the scan decides.  A fact that makes no sense for a
// block (whether a descriptor's commit time is older) is false, and no row asks for it.
struct ScanFacts {
  // The ring is not yet walked once around, and the expected tid does not come after `up_to`.
  bool is_inside = false;
  bool has_magic = false;
  TidRelation tid = TidRelation::kExpected;
  ScannedKind kind = ScannedKind::kOther;
  // Descriptor, revoke block: the tail checksum.  Commit block: its own checksum (kV2, kV3), or
  // that of its transaction (kV1).  True where there is none.
  bool matches = false;
  // Descriptor, revoke block: its tags or records can be read.
  bool is_readable = false;
  // An earlier descriptor or revoke block of this transaction did not match or could not be read.
  bool is_suspect = false;
  // An earlier commit block did not match, in an async journal: its transaction was dropped.
  bool has_dropped = false;
  // Commit block: its time (seconds) is older than that of the last whole transaction.
  bool is_older = false;
  // The journal has kAsyncCommit.
  bool is_async = false;
  // The journal's checksums are kV1.
  bool is_v1 = false;
};

enum class ScanStep : std::uint8_t {
  kReadDescriptor,  // take its tags; the scan goes on behind the data blocks
  kCollectRevokes,  // take its records
  kSuspect,         // take nothing; what it means is decided at the commit block
  kCommitWhole,     // the transaction is whole
  kDropWhole,       // drop the transaction; whether that is a loss shows at the next commit block
  kDropLost,        // drop this one too: a loss, which Linux does not notice
  kLogEnds,         // the ordinary end
  kStale,           // what is left of an older log: an ordinary end as well
  kRefuseAll,       // damage; nothing at all is replayed
  kRefuseRest,      // damage; the whole transactions before it are replayed
};

// A row matches facts that agree with every field that it names; a field without a value is any.
struct ScanRow {
  std::string_view name;
  ScanStep step = ScanStep::kLogEnds;
  std::optional<bool> is_inside = std::nullopt;
  std::optional<bool> has_magic = std::nullopt;
  std::optional<TidRelation> tid = std::nullopt;
  std::optional<ScannedKind> kind = std::nullopt;
  std::optional<bool> matches = std::nullopt;
  std::optional<bool> is_readable = std::nullopt;
  std::optional<bool> is_suspect = std::nullopt;
  std::optional<bool> has_dropped = std::nullopt;
  std::optional<bool> is_older = std::nullopt;
  std::optional<bool> is_async = std::nullopt;
  std::optional<bool> is_v1 = std::nullopt;

  bool accepts(const ScanFacts& facts) const;
};

std::span<const ScanRow> scan_table();
// The row that matches.
const ScanRow& decide(const ScanFacts& facts);
std::string_view scan_step_name(ScanStep step);

}  // namespace powercut
