#include "tests/logs/known_differences.h"

#include <algorithm>
#include <array>

#include "format/ext4.h"

namespace powercut::testing {
namespace {

// We refuse, since a block of the log that is being replayed would be written over.
bool names_its_own_log(const LogImage& log, const OurRecovery& ours, const Witness&) {
  return ours.plan && std::ranges::any_of(ours.plan->damages, [&](const Damage& damage) {
           return damage.rule == RecoveryRule::kBlockOutside && log.map.log_block(damage.home);
         });
}

bool has_orphans(const LogImage&, const OurRecovery& ours, const Witness& witness) {
  if (!witness.is_mount() || ours.is_refused) return false;
  const auto superblock = Superblock::parse(
      Bytes(ours.bytes).subspan(kSuperblockOffset, kSuperblockBytes), ours.bytes.size());
  return superblock && superblock->last_orphan != InodeNo(0);
}

bool has_empty_log(const LogImage&, const OurRecovery& ours, const Witness& witness) {
  return ours.plan && ours.plan->end == RecoveryEnd::kNothingToDo && !witness.is_mount();
}

const std::array kKnown = {
    KnownDifference{
        .name = "a tag names a block of the log that is being replayed",
        .why = "Linux and e2fsck write there and go on, by what they have just written: over the "
               "journal's superblock even other features.  No file system logs such a block; what "
               "comes out is of no use to anybody.  We refuse.",
        .applies = names_its_own_log,
        .excused = {Aspect::kRefusal, Aspect::kNames, Aspect::kHome, Aspect::kSuperblock,
                    Aspect::kJournal, Aspect::kLog}},
    KnownDifference{
        .name = "an empty log",
        .why =
            "e2fsck and debugfs count the next tid on by one though there is nothing to recover. "
            "Linux and we leave it.",
        .applies = has_empty_log,
        .excused = {Aspect::kJournal}},
    KnownDifference{
        .name = "orphans",
        .why = "A mount goes on: it deletes inodes that were unlinked while they were open, and "
               "cuts those whose truncation was cut short.  That is no part of a recovery.",
        .applies = has_orphans,
        .excused = {Aspect::kHome, Aspect::kSuperblock, Aspect::kJournal, Aspect::kLog}},
};

}  // namespace

const KnownDifference* known_difference(const LogImage& log, const OurRecovery& ours,
                                        const Witness& witness) {
  const auto found = std::ranges::find_if(
      kKnown, [&](const KnownDifference& known) { return known.applies(log, ours, witness); });
  return found == kKnown.end() ? nullptr : &*found;
}

}  // namespace powercut::testing
