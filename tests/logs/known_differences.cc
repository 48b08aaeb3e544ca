#include "tests/logs/known_differences.h"

#include <algorithm>
#include <array>

#include "base/stored_int.h"
#include "format/ext4.h"
#include "format/jbd2_disk.h"

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

bool is_huge_revoke_block(Bytes block) {
  const auto header = parse_journal_header(block);
  if (!header || !header->is(JournalBlockType::kRevoke)) return false;
  const auto used = load<Be32>(block, offsetof(disk::RevokeHeader, used_bytes));
  return used && *used > block.size();
}

// We look at the records of whole transactions, in front of what ends the log.
bool reads_revokes_in_scan(const LogImage& log, const OurRecovery& ours, const Witness& witness) {
  const std::size_t size = log.map.block_bytes();
  bool is_there = false;
  for (LogBlock each(1); each.value() < log.map.block_count(); ++each) {
    const std::size_t at = log.map.device_block(each).value() * size;
    is_there = is_there || is_huge_revoke_block(Bytes(log.bytes).subspan(at, size));
  }
  const bool is_named =
      ours.plan &&
      std::ranges::count(ours.plan->damages, RecoveryRule::kDescriptorFormat, &Damage::rule) != 0;
  return is_there && !is_named && witness.is_mount() && witness.rules() == RecoverAs::kLinux;
}

// Seen only where a transaction with the tid before the one that is due lies behind it.
bool goes_on_with_tid_zero(const LogImage& log, const OurRecovery& ours, const Witness&) {
  if (!ours.plan || ours.plan->damages.empty()) return false;
  const Damage& damage = ours.plan->damages.back();
  if (damage.rule != RecoveryRule::kCommitChecksum || damage.tid != Tid(0)) return false;
  const JournalSuperblock& journal = ours.plan->superblock;
  const LogBlock next = next_in_ring(damage.log_block, journal.first, journal.ring_end());
  const std::size_t size = log.map.block_bytes();
  const auto header = parse_journal_header(
      Bytes(log.bytes).subspan(log.map.device_block(next).value() * size, size));
  return header && header->tid == Tid(0);
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
        .name = "a revoke block longer than itself, not in a whole transaction",
        .why = "Linux (seen with 6.18) reads revoke blocks in its first pass, of transactions that "
               "are not whole too, and refuses at one whose count goes past its end.  e2fsck and "
               "we read them when it is known where the log ends.  No file system writes such.",
        .applies = reads_revokes_in_scan,
        .excused = {Aspect::kRefusal, Aspect::kNames, Aspect::kHome, Aspect::kSuperblock,
                    Aspect::kJournal}},
    KnownDifference{
        .name = "tid 0 goes on behind its damaged commit block",
        .why = "Where a commit block does not match, Linux and e2fsck note its tid as the end and "
               "look on for blocks of that tid.  0 they cannot note: another commit block with "
               "tid 0 ends, for them, a transaction of all that came before.  For us the log ends "
               "at the first.",
        .applies = goes_on_with_tid_zero,
        .excused = {Aspect::kHome, Aspect::kSuperblock, Aspect::kJournal}},
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
