// The decisions of a recovery as two tables: the scan's about the next log block, and the replay's
// about a logged block.  Pure: facts in, one row out.
//
// The tables themselves, with a paragraph for each row, are in decide.cc; docs/recovery.md prints
// them.  Exactly one row matches any combination of facts (decide_test.cc tries all of them).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "recovery/recovery.h"

namespace powercut {

// Whose rules a row belongs to: a set of RecoverAs.
class RowRules {
 public:
  constexpr RowRules(std::initializer_list<RecoverAs> all) {
    for (const RecoverAs each : all) bits_ |= bit(each);
  }
  constexpr bool holds(RecoverAs rules) const { return (bits_ & bit(rules)) != 0; }

 private:
  static constexpr unsigned bit(RecoverAs rules) { return 1u << static_cast<unsigned>(rules); }
  unsigned bits_ = 0;
};
inline constexpr RowRules kAllRules = {RecoverAs::kLinux, RecoverAs::kLinux612, RecoverAs::kLinux61,
                                       RecoverAs::kE2fsck};
// "all", or the names with commas between them.
std::string row_rules_text(RowRules rules);

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
  // Commit block (kV2, kV3): its checksum is right if all behind its header was zero.
  bool head_matches = false;
  // Revoke block: its count goes past its end.
  bool is_too_long = false;
  // An earlier descriptor or revoke block of this transaction did not match.
  bool is_suspect = false;
  // An earlier commit block did not match, with kV1.
  bool has_dropped = false;
  // Commit block: its time (seconds) is older than that of the last transaction before it.
  bool is_older = false;
  // The journal has kAsyncCommit.
  bool is_async = false;
  // The expected tid is 0, which Linux and e2fsck also take for "no such transaction".
  bool is_tid_zero = false;
  RecoverAs rules = RecoverAs::kLinux;
};

enum class ScanStep : std::uint8_t {
  kReadDescriptor,  // take its tags; the scan goes on behind the data blocks
  kCollectRevokes,  // take its records
  kSuspect,         // take nothing; what it means is decided at the commit block
  kCommitWhole,     // the transaction is whole
  kCommitTorn,      // the same, with a notice
  kAsDamaged,       // decide once more, as if `head_matches` were false
  kDrop,            // the log ends before this transaction, if none does later; go on
  kKeep,            // the transaction counts, and whatever was dropped counts again; go on
  kLogEnds,         // the ordinary end
  kStale,           // what is left of an older log: an ordinary end as well
  kForget,          // as kRefuseRest, but nothing is refused: nobody notices the loss
  kRefuseAll,       // damage; nothing at all is replayed
  kRefuseRest,      // damage; the whole transactions before it are replayed.  The scan goes on
  kRefuseLength,    // a revoke block cannot be read; nothing at all is replayed
};

// A row matches facts that agree with every field that it names; a field without a value is any.
struct ScanRow {
  std::string_view name;
  ScanStep step = ScanStep::kLogEnds;
  RowRules rules = kAllRules;
  std::optional<bool> is_inside = std::nullopt;
  std::optional<bool> has_magic = std::nullopt;
  std::optional<TidRelation> tid = std::nullopt;
  std::optional<ScannedKind> kind = std::nullopt;
  std::optional<bool> matches = std::nullopt;
  std::optional<bool> head_matches = std::nullopt;
  std::optional<bool> is_too_long = std::nullopt;
  std::optional<bool> is_suspect = std::nullopt;
  std::optional<bool> has_dropped = std::nullopt;
  std::optional<bool> is_older = std::nullopt;
  std::optional<bool> is_async = std::nullopt;
  std::optional<bool> is_tid_zero = std::nullopt;

  bool accepts(const ScanFacts& facts) const;
};

std::span<const ScanRow> scan_table();
// The row that matches.
const ScanRow& decide(const ScanFacts& facts);
std::string_view scan_step_name(ScanStep step);

// What is known of one block of a whole transaction when the replay comes to it.
struct BlockFacts {
  bool is_revoked = false;  // by its own or by a later transaction
  bool matches = false;     // its tag's checksum; true where there is none or none is looked at
  bool is_outside = false;  // its home is past the file system
  // Its home is the journal's superblock, or a block of the log that is being replayed.
  bool is_in_log = false;
  RecoverAs rules = RecoverAs::kLinux;
};

enum class BlockStep : std::uint8_t {
  kReplay,
  kRevoke,  // skip it
  kSkip,    // damage: skip it, replay the others, refuse
  kPassBy,  // damage: skip it, replay the others
  kStop,    // damage: replay neither it nor any later one, refuse
};

struct BlockRow {
  std::string_view name;
  BlockStep step = BlockStep::kReplay;
  RowRules rules = kAllRules;
  std::optional<bool> is_revoked = std::nullopt;
  std::optional<bool> matches = std::nullopt;
  std::optional<bool> is_outside = std::nullopt;
  std::optional<bool> is_in_log = std::nullopt;

  bool accepts(const BlockFacts& facts) const;
};

std::span<const BlockRow> block_table();
const BlockRow& decide(const BlockFacts& facts);
std::string_view block_step_name(BlockStep step);

}  // namespace powercut
