// Blocks of files that a recovery would delete or cut: what they hold is not needed any more,
// though no bitmap frees them yet.
//
// A file that is deleted or truncated is put on the list of orphans in one transaction; its blocks
// are freed in the same or a later one.  From the first one's commit on Linux forgets what of its
// data still waits to be written home.
#pragma once

#include <map>

#include "recovery/recovery.h"

namespace powercut::lab {

class GivenUp {
 public:
  GivenUp() = default;
  // As of `up_to`, on a disk whose log holds it.  Errors: as plan_recovery and Volume.
  static Result<GivenUp> of(const BlockView& view, const JournalMap& map, Tid up_to);
  bool has(BlockNo block) const;

 private:
  std::map<std::uint64_t, std::uint64_t> runs_;  // first block: one past the last
};

}  // namespace powercut::lab
