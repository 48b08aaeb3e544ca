#include "tests/logs/compare.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "format/ext4.h"
#include "format/ext4_disk.h"

namespace powercut::testing {
namespace {

// Of each aspect the first few differences are kept: a missing transaction is many.
constexpr std::size_t kKeptMax = 6;

class Differences {
 public:
  void add(Aspect aspect, const std::string& text) {
    if (++counts_.at(static_cast<std::size_t>(aspect)) > kKeptMax) return;
    kept_.push_back({aspect, text});
  }
  void add(Aspect aspect, const std::string& what, std::uint64_t ours, std::uint64_t theirs) {
    if (ours == theirs) return;
    add(aspect, what + ": " + std::to_string(ours) + ", theirs " + std::to_string(theirs));
  }
  std::vector<Difference> take() { return std::move(kept_); }

 private:
  std::array<std::size_t, 6> counts_{};
  std::vector<Difference> kept_;
};

bool are_equal(Bytes a, Bytes b) {
  return std::memcmp(a.data(), b.data(), a.size()) == 0;
}

// Text is made only where there is a difference, since there are many blocks.
void compare_bytes(Aspect aspect, const char* kind, std::uint64_t number, Bytes ours, Bytes theirs,
                   Differences& differences) {
  if (are_equal(ours, theirs)) return;
  const std::string what = kind + std::to_string(number);
  const auto at = static_cast<std::size_t>(std::ranges::mismatch(ours, theirs).in1 - ours.begin());
  differences.add(aspect, what + ", byte " + std::to_string(at), ours[at], theirs[at]);
}

// Every block outside the journal; of the block of the primary superblock what is around it.
void compare_home(Bytes ours, Bytes theirs, const JournalMap& map, Differences& differences) {
  const std::size_t size = map.block_bytes();
  constexpr std::size_t kEnd = kSuperblockOffset + kSuperblockBytes;
  for (std::size_t at = 0; at + size <= ours.size(); at += size) {
    const std::uint64_t block = at / size;
    if (map.log_block(BlockNo(block))) continue;
    if (kSuperblockOffset / size != block) {
      compare_bytes(Aspect::kHome, "block ", block, ours.subspan(at, size),
                    theirs.subspan(at, size), differences);
      continue;
    }
    if (size == kSuperblockBytes) continue;
    compare_bytes(Aspect::kHome, "before the superblock, block ", block,
                  ours.first(kSuperblockOffset), theirs.first(kSuperblockOffset), differences);
    compare_bytes(Aspect::kHome, "behind the superblock, block ", block,
                  ours.subspan(kEnd, size - kEnd), theirs.subspan(kEnd, size - kEnd), differences);
  }
}

// The journal but for its superblock: nobody has a reason to write there.
void compare_log(Bytes ours, Bytes theirs, const JournalMap& map, Differences& differences) {
  const std::size_t size = map.block_bytes();
  for (LogBlock log(1); log.value() < map.block_count(); ++log) {
    const std::size_t at = map.device_block(log).value() * size;
    compare_bytes(Aspect::kLog, "log block ", log.value(), ours.subspan(at, size),
                  theirs.subspan(at, size), differences);
  }
}

// Fields that are worth a name in a difference; others are named by their offset.
constexpr std::array kNamedFields = {
    OWN_FIELD("s_state", state),
    OWN_FIELD("s_feature_incompat", incompat),
    OWN_FIELD("s_last_orphan", last_orphan),
    OWN_FIELD("s_error_count", error_count),
    OWN_FIELD("s_free_blocks_count_lo", free_blocks_low),
    OWN_FIELD("s_free_inodes_count", free_inodes),
    OWN_FIELD("s_jnl_blocks", journal_backup),
};

bool is_inside(std::size_t offset, const OwnField& field) {
  return offset >= field.offset && offset < field.offset + field.bytes;
}

void compare_superblock(Bytes ours, Bytes theirs, std::span<const OwnField> own,
                        Differences& differences) {
  for (std::size_t i = 0; i < kSuperblockBytes; ++i) {
    const std::size_t at = kSuperblockOffset + i;
    const auto is_here = [i](const OwnField& field) { return is_inside(i, field); };
    if (ours[at] == theirs[at] || std::ranges::any_of(own, is_here)) continue;
    const auto found = std::ranges::find_if(kNamedFields, is_here);
    const std::string name = found == kNamedFields.end() ? "superblock" : found->name;
    differences.add(Aspect::kSuperblock, name + ", byte " + std::to_string(i), ours[at],
                    theirs[at]);
  }
  const auto parsed =
      Superblock::parse(ours.subspan(kSuperblockOffset, kSuperblockBytes), ours.size());
  if (!parsed) differences.add(Aspect::kSuperblock, std::string("ours: ") + parsed.error().what);
}

Bytes journal_superblock(Bytes image, const JournalMap& map) {
  return image.subspan(map.device_block(LogBlock(0)).value() * map.block_bytes(),
                       map.block_bytes());
}

void compare_journal(Bytes ours, Bytes theirs, const JournalMap& map, Differences& differences) {
  const auto our_log = JournalSuperblock::parse(journal_superblock(ours, map));
  const auto their_log = JournalSuperblock::parse(journal_superblock(theirs, map));
  differences.add(Aspect::kJournal, "the journal can be read", our_log.has_value() ? 1 : 0,
                  their_log.has_value() ? 1 : 0);
  if (!our_log || !their_log) return;
  differences.add(Aspect::kJournal, "s_start", our_log->start.value(), their_log->start.value());
  differences.add(Aspect::kJournal, "s_sequence", our_log->sequence.value(),
                  their_log->sequence.value());
  differences.add(Aspect::kJournal, "s_errno", our_log->error, their_log->error);
}

bool has_damage(const RecoveryPlan& plan, RecoveryRule rule) {
  return std::ranges::count(plan.damages, rule, &Damage::rule) != 0;
}

Tid last_failed(const RecoveryPlan& plan) {
  Tid last;
  for (const Damage& damage : plan.damages) {
    if (damage.rule == RecoveryRule::kCommitChecksum) last = damage.tid;
  }
  return last;
}

// Damage of which only we speak, since the others do not notice it or do not come to it.
bool is_unheard_of(const Damage& damage, const RecoveryPlan& plan) {
  if (damage.rule == RecoveryRule::kDataChecksum) {
    return has_damage(plan, RecoveryRule::kDescriptorChecksum);  // nothing is replayed
  }
  // A transaction that failed is noted down in place of an earlier one, and named if there is a
  // replay.
  if (damage.rule == RecoveryRule::kCommitChecksum &&
      (has_damage(plan, RecoveryRule::kDescriptorChecksum) ||
       has_damage(plan, RecoveryRule::kTidGoesOn) || damage.tid != last_failed(plan))) {
    return true;
  }
  const bool is_async_crc32c = plan.superblock.has(JournalIncompat::kAsyncCommit) &&
                               plan.superblock.format().tail_bytes() != 0;
  return damage.rule == RecoveryRule::kCommitChecksum && (is_async_crc32c || damage.tid == Tid(0));
}

void compare_names(const OurRecovery& ours, const Testimony& theirs, const Witness& witness,
                   Differences& differences) {
  // Damage of a recovery that is not refused is what nobody but us notices.  At a revoke block that
  // cannot be read others give up without a name, and come to no other damage.
  const bool ends_unnamed = ours.plan && has_damage(*ours.plan, RecoveryRule::kDescriptorFormat);
  if (!ours.plan || !ours.is_refused || ends_unnamed) return;
  std::set<std::string> expected;
  for (const Damage& damage : ours.plan->damages) {
    if (!is_unheard_of(damage, *ours.plan)) expected.merge(witness.names_of(damage));
  }
  for (const std::string& name : expected) {
    if (!theirs.names.contains(name)) differences.add(Aspect::kNames, name + ": by us alone");
  }
  for (const std::string& name : theirs.names) {
    if (!expected.contains(name)) differences.add(Aspect::kNames, name + ": by them alone");
  }
}

bool is_mute(const OurRecovery& ours, const Witness& witness) {
  return ours.plan && !ours.plan->damages.empty() &&
         std::ranges::all_of(ours.plan->damages, [&](const Damage& damage) {
           return witness.is_mute_about(damage.rule);
         });
}

}  // namespace

Contents apply_to_copy(const RecoveryPlan& plan, const LogImage& log) {
  Contents bytes = log.bytes;
  BytesDevice target(bytes);
  CHECK(apply_recovery(plan, BytesView(log.bytes), log.map, target), "memory can be written");
  if (plan.empties_log || plan.end == RecoveryEnd::kNothingToDo) {
    ignore_error(mark_recovered(plan, log.map, target), "compare_superblock() looks at the result");
  }
  return bytes;
}

OurRecovery recover_ours(const LogImage& log, RecoverAs rules) {
  OurRecovery ours;
  const BytesView before(log.bytes);
  const auto plan = plan_recovery(before, log.map, {.recover_as = rules});
  if (!plan) {
    ours.is_refused = true;
    ours.said = plan.error().what;
    ours.bytes = log.bytes;
    return ours;
  }
  ours.plan = *plan;
  ours.is_refused = plan->end == RecoveryEnd::kRefused;
  ours.said = std::string(recovery_rule_name(plan->end_rule));
  ours.bytes = apply_to_copy(*plan, log);
  return ours;
}

Comparison compare(const LogImage& log, Witness& witness, const OurRecovery& ours) {
  Comparison result{witness.recover(log), {}};
  const Testimony& theirs = result.theirs;
  Differences differences;
  if (!is_mute(ours, witness) && ours.is_refused != theirs.is_refused) {
    differences.add(Aspect::kRefusal, ours.is_refused ? "refused by us alone" : "by them alone");
  }
  compare_names(ours, theirs, witness, differences);
  compare_home(ours.bytes, theirs.image.bytes(), log.map, differences);
  compare_superblock(ours.bytes, theirs.image.bytes(), witness.own_fields(), differences);
  compare_journal(ours.bytes, theirs.image.bytes(), log.map, differences);
  compare_log(ours.bytes, theirs.image.bytes(), log.map, differences);
  result.differences = differences.take();
  return result;
}

}  // namespace powercut::testing
