#include "recovery/decide.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace powercut {
namespace {

using enum ScannedKind;
using enum TidRelation;

constexpr std::array kTable = {
    // The scan has come round to where it began, or has all that was asked for.  A log can fill its
    // ring to the last block, so this is no damage.
    ScanRow{.name = "past the end", .step = ScanStep::kLogEnds, .is_inside = false},

    // Nothing of a journal lies here: the usual end, behind the last commit block.
    ScanRow{.name = "no magic", .step = ScanStep::kLogEnds, .is_inside = true, .has_magic = false},

    // The ring has been here before: the block is left over from an earlier lap.
    ScanRow{.name = "older tid",
            .step = ScanStep::kLogEnds,
            .is_inside = true,
            .has_magic = true,
            .tid = kOlder},

    // A tid that is not due yet: what is left of an earlier life of the journal, or the block of
    // the expected transaction never came.
    ScanRow{.name = "newer tid",
            .step = ScanStep::kLogEnds,
            .is_inside = true,
            .has_magic = true,
            .tid = kNewer},

    // Magic and tid, but no block that a log has (a superblock, or no type at all).
    ScanRow{.name = "unknown type",
            .step = ScanStep::kLogEnds,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kOther},

    // The transaction goes on with data blocks.
    ScanRow{.name = "descriptor",
            .step = ScanStep::kReadDescriptor,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kDescriptor,
            .matches = true,
            .is_readable = true},

    // A power cut leaves such a block whenever it tears a commit in progress, so it is no damage
    // yet.  The scan goes on behind as many data blocks as the tags make it seem.
    ScanRow{.name = "descriptor does not match",
            .step = ScanStep::kSuspect,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kDescriptor,
            .matches = false},

    // The checksum is right (or there is none) and the tags are not: never written by a file
    // system.
    ScanRow{.name = "descriptor cannot be read",
            .step = ScanStep::kSuspect,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kDescriptor,
            .matches = true,
            .is_readable = false},

    // The transaction goes on with revoke records; they count once it is whole.
    ScanRow{.name = "revoke block",
            .step = ScanStep::kCollectRevokes,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kRevoke,
            .matches = true,
            .is_readable = true},

    // As a descriptor that does not match.
    ScanRow{.name = "revoke block does not match",
            .step = ScanStep::kSuspect,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kRevoke,
            .matches = false},

    // As a descriptor that cannot be read.
    ScanRow{.name = "revoke block cannot be read",
            .step = ScanStep::kSuspect,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kRevoke,
            .matches = true,
            .is_readable = false},

    // A commit block behind a damaged block, and from before the last whole transaction: all of
    // this
    // lay here before that transaction was written (after a reformat that did not clear the journal
    // the old tids come again).
    ScanRow{.name = "commit of a suspect transaction, older",
            .step = ScanStep::kStale,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kCommit,
            .is_suspect = true,
            .is_older = true},

    // The commit block was written after all others of its transaction were durable, so the damaged
    // block was right once.  What it said is lost, and with it which blocks the later transactions
    // build on: Linux refuses before it replays anything.
    ScanRow{.name = "commit of a suspect transaction",
            .step = ScanStep::kRefuseAll,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kCommit,
            .is_suspect = true,
            .is_older = false},

    // Async: the transaction before this one was dropped since its commit block did not match, but
    // the file system had gone on.  So that block was right once, and is damaged.
    ScanRow{.name = "commit after a dropped one, v1",
            .step = ScanStep::kRefuseRest,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kCommit,
            .is_suspect = false,
            .has_dropped = true,
            .is_v1 = true},

    // The same with crc32c.  Linux does not look at it: it mounts, and the dropped transaction and
    // all after it are lost without a word.  The plan names the damage.
    ScanRow{.name = "commit after a dropped one, crc32c",
            .step = ScanStep::kDropLost,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kCommit,
            .is_suspect = false,
            .has_dropped = true,
            .is_v1 = false},

    // The transaction is whole.
    ScanRow{.name = "commit",
            .step = ScanStep::kCommitWhole,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kCommit,
            .matches = true,
            .is_suspect = false,
            .has_dropped = false},

    // It does not match and is older than the last whole transaction: stale, as above.
    ScanRow{.name = "commit does not match, older",
            .step = ScanStep::kStale,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kCommit,
            .matches = false,
            .is_suspect = false,
            .has_dropped = false,
            .is_older = true},

    // Sync: a commit block is written alone and whole, so it is damaged (or torn by a device that
    // writes less than a block at once).
    ScanRow{.name = "commit does not match, sync",
            .step = ScanStep::kRefuseRest,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kCommit,
            .matches = false,
            .is_suspect = false,
            .has_dropped = false,
            .is_older = false,
            .is_async = false},

    // Async: the commit block goes out together with the blocks that it ends, so after a power cut
    // it may be there without them.
    ScanRow{.name = "commit does not match, async",
            .step = ScanStep::kDropWhole,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kCommit,
            .matches = false,
            .is_suspect = false,
            .has_dropped = false,
            .is_older = false,
            .is_async = true},
};

template <class T>
bool agrees(const std::optional<T>& wanted, T fact) {
  return !wanted || *wanted == fact;
}

}  // namespace

bool ScanRow::accepts(const ScanFacts& facts) const {
  return agrees(is_inside, facts.is_inside) && agrees(has_magic, facts.has_magic) &&
         agrees(tid, facts.tid) && agrees(kind, facts.kind) && agrees(matches, facts.matches) &&
         agrees(is_readable, facts.is_readable) && agrees(is_suspect, facts.is_suspect) &&
         agrees(has_dropped, facts.has_dropped) && agrees(is_older, facts.is_older) &&
         agrees(is_async, facts.is_async) && agrees(is_v1, facts.is_v1);
}

std::span<const ScanRow> scan_table() {
  return kTable;
}

const ScanRow& decide(const ScanFacts& facts) {
  const auto row =
      std::ranges::find_if(kTable, [&](const ScanRow& each) { return each.accepts(facts); });
  CHECK(row != kTable.end(), "the table covers every combination of facts");
  return *row;
}

std::string_view scan_step_name(ScanStep step) {
  switch (step) {
    case ScanStep::kReadDescriptor: return "read descriptor";
    case ScanStep::kCollectRevokes: return "collect revokes";
    case ScanStep::kSuspect: return "suspect, go on";
    case ScanStep::kCommitWhole: return "commit whole";
    case ScanStep::kDropWhole: return "drop, go on";
    case ScanStep::kDropLost: return "drop, lost";
    case ScanStep::kLogEnds: return "log ends";
    case ScanStep::kStale: return "stale, log ends";
    case ScanStep::kRefuseAll: return "damaged, nothing replayed";
    case ScanStep::kRefuseRest: return "damaged, rest dropped";
  }
  return "?";
}

}  // namespace powercut
