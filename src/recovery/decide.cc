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

    // The transaction goes on with data blocks: as many as there are tags up to the last one, or as
    // fit into the block if none says that it is the last.
    ScanRow{.name = "descriptor",
            .step = ScanStep::kReadDescriptor,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kDescriptor,
            .matches = true},

    // A power cut leaves such a block whenever it tears a commit in progress, so it is no damage
    // yet.  The scan goes on behind as many data blocks as the tags make it seem.
    ScanRow{.name = "descriptor does not match",
            .step = ScanStep::kSuspect,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kDescriptor,
            .matches = false},

    // The transaction goes on with revoke records; they count once it is whole.
    ScanRow{.name = "revoke block",
            .step = ScanStep::kCollectRevokes,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kRevoke,
            .matches = true,
            .is_too_long = false},

    // Its count goes past the block's end.  Linux counts the records of all that it scans, before
    // it
    // looks at a checksum, so that it gives up here, whatever lies before and behind.
    ScanRow{.name = "revoke block too long",
            .step = ScanStep::kRefuseLength,
            .rules = {RecoverAs::kLinux},
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kRevoke,
            .is_too_long = true},

    // Others read the records once they know where the log ends.  Nothing at all is replayed then
    // either, but if the transaction is not whole, nobody ever looks.
    ScanRow{.name = "revoke block too long, read later",
            .step = ScanStep::kCollectRevokes,
            .rules = {RecoverAs::kLinux612, RecoverAs::kLinux61, RecoverAs::kE2fsck},
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kRevoke,
            .matches = true,
            .is_too_long = true},

    // As a descriptor that does not match.
    ScanRow{.name = "revoke block does not match",
            .step = ScanStep::kSuspect,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kRevoke,
            .matches = false,
            .is_too_long = false},

    ScanRow{.name = "revoke block does not match, too long",
            .step = ScanStep::kSuspect,
            .rules = {RecoverAs::kLinux612, RecoverAs::kLinux61, RecoverAs::kE2fsck},
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kRevoke,
            .matches = false,
            .is_too_long = true},

    // A commit block behind a damaged block, and from before the last transaction: all of this lay
    // here before that transaction was written (after a reformat that did not clear the journal the
    // old tids come again).
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
    // build on: all refuse before they replay anything.
    ScanRow{.name = "commit of a suspect transaction",
            .step = ScanStep::kRefuseAll,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kCommit,
            .is_suspect = true,
            .is_older = false},

    // v1, async: the transaction before this one was dropped since its commit block did not match,
    // but the file system had gone on.  So that block was right once, and is damaged.  With crc32c
    // nobody looks at it: see "commit does not match, async".
    ScanRow{.name = "commit after a dropped one",
            .step = ScanStep::kRefuseRest,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kCommit,
            .is_suspect = false,
            .has_dropped = true},

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

    // A device that writes less than a block at once tore it, and the part that means something is
    // there: accepted since Linux 6.11, whatever its time.
    ScanRow{.name = "commit torn behind its header",
            .step = ScanStep::kCommitTorn,
            .rules = {RecoverAs::kLinux, RecoverAs::kLinux612},
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kCommit,
            .matches = false,
            .head_matches = true,
            .is_suspect = false,
            .has_dropped = false},

    // Before that, and for e2fsck 1.47.0, it is one that does not match.
    ScanRow{.name = "commit torn, not known",
            .step = ScanStep::kAsDamaged,
            .rules = {RecoverAs::kLinux61, RecoverAs::kE2fsck},
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kCommit,
            .matches = false,
            .head_matches = true,
            .is_suspect = false,
            .has_dropped = false},

    // It does not match and is older than the last transaction: stale, as above.
    ScanRow{.name = "commit does not match, older",
            .step = ScanStep::kStale,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kCommit,
            .matches = false,
            .head_matches = false,
            .is_suspect = false,
            .has_dropped = false,
            .is_older = true},

    // Sync: a commit block is written alone and whole, so it is damaged (or torn by a device that
    // writes less than a block at once).  The log ends before its transaction; the scan goes on
    // with the same tid all the same, and mostly ends at once.
    ScanRow{.name = "commit does not match, sync",
            .step = ScanStep::kRefuseRest,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kCommit,
            .matches = false,
            .head_matches = false,
            .is_suspect = false,
            .has_dropped = false,
            .is_older = false,
            .is_async = false,
            .is_tid_zero = false},

    // The same for the one transaction in 2^32 whose tid is 0.  It cannot be noted down as the one
    // that failed, nor as the end: where nothing more of tid 0 comes the log just ends, and where
    // another commit block of tid 0 matches, the transaction counts as it is up to the first.
    ScanRow{.name = "commit does not match, sync, tid 0",
            .step = ScanStep::kForget,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kCommit,
            .matches = false,
            .head_matches = false,
            .is_suspect = false,
            .has_dropped = false,
            .is_older = false,
            .is_async = false,
            .is_tid_zero = true},

    // Async: the commit block goes out together with the blocks that it ends, so after a power cut
    // it may be there without them.  With crc32c the last such block is where the log ends: what
    // comes before it counts, an earlier damaged commit block included, and what is behind it is
    // lost without a word.
    ScanRow{.name = "commit does not match, async",
            .step = ScanStep::kDrop,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kCommit,
            .matches = false,
            .head_matches = false,
            .is_suspect = false,
            .has_dropped = false,
            .is_older = false,
            .is_async = true,
            .is_tid_zero = false},

    // Tid 0 cannot be noted down as the end either: the end that was noted before is forgotten.
    ScanRow{.name = "commit does not match, async, tid 0",
            .step = ScanStep::kKeep,
            .is_inside = true,
            .has_magic = true,
            .tid = kExpected,
            .kind = kCommit,
            .matches = false,
            .head_matches = false,
            .is_suspect = false,
            .has_dropped = false,
            .is_older = false,
            .is_async = true,
            .is_tid_zero = true},
};

constexpr std::array kBlockTable = {
    // Its content there is stale, whatever it is.
    BlockRow{.name = "revoked", .step = BlockStep::kRevoke, .is_revoked = true},

    // The others of its transaction are replayed all the same.
    BlockRow{
        .name = "does not match", .step = BlockStep::kSkip, .is_revoked = false, .matches = false},

    // Linux finds no such block on its device and gives up where it is; the blocks before it in the
    // log are written.  (One between the file system's end and the device's it would write.)
    BlockRow{.name = "home past the file system",
             .step = BlockStep::kStop,
             .rules = {RecoverAs::kLinux, RecoverAs::kLinux612, RecoverAs::kLinux61},
             .is_revoked = false,
             .matches = true,
             .is_outside = true},

    // e2fsck writes it, which makes an image file longer, and says nothing.  We never write there.
    BlockRow{.name = "home past the file system, passed by",
             .step = BlockStep::kPassBy,
             .rules = {RecoverAs::kE2fsck},
             .is_revoked = false,
             .matches = true,
             .is_outside = true},

    // Linux and e2fsck write it, and so change the log while they read it; what comes of it depends
    // on what they have in memory.  We never do: the log must stay whole until all of it is home.
    BlockRow{.name = "home in the log",
             .step = BlockStep::kStop,
             .is_revoked = false,
             .matches = true,
             .is_outside = false,
             .is_in_log = true},

    BlockRow{.name = "sound",
             .step = BlockStep::kReplay,
             .is_revoked = false,
             .matches = true,
             .is_outside = false,
             .is_in_log = false},
};

template <class T>
bool agrees(const std::optional<T>& wanted, T fact) {
  return !wanted || *wanted == fact;
}

}  // namespace

std::string row_rules_text(RowRules rules) {
  std::string text;
  bool is_all = true;
  for (const RecoverAs each : kAllRecoverAs) {
    is_all = is_all && rules.holds(each);
    if (!rules.holds(each)) continue;
    text += (text.empty() ? "" : ", ") + std::string(recover_as_name(each));
  }
  return is_all ? "all" : text;
}

bool ScanRow::accepts(const ScanFacts& facts) const {
  return rules.holds(facts.rules) && agrees(is_inside, facts.is_inside) &&
         agrees(has_magic, facts.has_magic) && agrees(tid, facts.tid) && agrees(kind, facts.kind) &&
         agrees(matches, facts.matches) && agrees(head_matches, facts.head_matches) &&
         agrees(is_too_long, facts.is_too_long) && agrees(is_suspect, facts.is_suspect) &&
         agrees(has_dropped, facts.has_dropped) && agrees(is_older, facts.is_older) &&
         agrees(is_async, facts.is_async) && agrees(is_tid_zero, facts.is_tid_zero);
}

bool BlockRow::accepts(const BlockFacts& facts) const {
  return rules.holds(facts.rules) && agrees(is_revoked, facts.is_revoked) &&
         agrees(matches, facts.matches) && agrees(is_outside, facts.is_outside) &&
         agrees(is_in_log, facts.is_in_log);
}

std::span<const ScanRow> scan_table() {
  return kTable;
}

std::span<const BlockRow> block_table() {
  return kBlockTable;
}

const ScanRow& decide(const ScanFacts& facts) {
  const auto row =
      std::ranges::find_if(kTable, [&](const ScanRow& each) { return each.accepts(facts); });
  CHECK(row != kTable.end(), "the table covers every combination of facts");
  return *row;
}

const BlockRow& decide(const BlockFacts& facts) {
  const auto row =
      std::ranges::find_if(kBlockTable, [&](const BlockRow& each) { return each.accepts(facts); });
  CHECK(row != kBlockTable.end(), "the table covers every combination of facts");
  return *row;
}

std::string_view scan_step_name(ScanStep step) {
  switch (step) {
    case ScanStep::kReadDescriptor: return "read descriptor";
    case ScanStep::kCollectRevokes: return "collect revokes";
    case ScanStep::kSuspect: return "suspect, go on";
    case ScanStep::kCommitWhole: return "commit whole";
    case ScanStep::kCommitTorn: return "commit whole, with a notice";
    case ScanStep::kAsDamaged: return "decide as one that does not match";
    case ScanStep::kDrop: return "drop, go on";
    case ScanStep::kKeep: return "keep all, go on";
    case ScanStep::kLogEnds: return "log ends";
    case ScanStep::kStale: return "stale, log ends";
    case ScanStep::kForget: return "not noted, go on";
    case ScanStep::kRefuseAll: return "damaged, nothing replayed";
    case ScanStep::kRefuseRest: return "damaged, rest dropped; go on";
    case ScanStep::kRefuseLength: return "cannot be read, nothing replayed";
  }
  return "?";
}

std::string_view block_step_name(BlockStep step) {
  switch (step) {
    case BlockStep::kReplay: return "replay";
    case BlockStep::kRevoke: return "revoked";
    case BlockStep::kSkip: return "skip, refuse";
    case BlockStep::kPassBy: return "skip";
    case BlockStep::kStop: return "replay ends, refuse";
  }
  return "?";
}

}  // namespace powercut
