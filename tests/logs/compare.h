// Our recovery of a log beside a witness's.
#pragma once

#include <vector>

#include "tests/logs/witness.h"

namespace powercut::testing {

struct OurRecovery {
  // Damage was found for which the recovery is refused, or the journal cannot be read at all.
  bool is_refused = false;
  std::optional<RecoveryPlan> plan;  // nothing: the journal cannot be read
  Contents bytes;                    // the image afterwards
  std::string said;
};

OurRecovery recover_ours(const LogImage& log, RecoverAs rules);
// The image after applying `plan`, whatever made it; marked where the plan says so.
Contents apply_to_copy(const RecoveryPlan& plan, const LogImage& log);

enum class Aspect : std::uint8_t {
  kRefusal,     // whether damage is reported, or the mount refused
  kNames,       // which damage is named
  kHome,        // the blocks outside the journal, but for the primary superblock
  kSuperblock,  // the primary superblock, but for the witness's own fields
  kJournal,     // the journal's superblock: s_start, s_sequence, s_errno
  kLog,         // the other blocks of the journal
};

struct Difference {
  Aspect aspect;
  std::string text;
};

struct Comparison {
  Testimony theirs;
  std::vector<Difference> differences;
};
// `ours` is by the witness's rules: our recovery, or one with a mistake in it.
Comparison compare(const LogImage& log, Witness& witness, const OurRecovery& ours);

}  // namespace powercut::testing
