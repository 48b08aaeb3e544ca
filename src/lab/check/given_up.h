// Blocks of files that a recovery would delete or cut: what they hold is not needed any more,
// though no bitmap frees them yet.
//
// A file that is deleted or truncated is put on the list of orphans in one transaction; its blocks
// are freed in the same or a later one.  From the first one's commit on Linux forgets what of its
// data still waits to be written home.
//
// And those that a file has without having written them: whatever they hold is read as zeroes.  A
// block may be freed and come to be one in a single transaction, so that no bitmap shows it.
#pragma once

#include <map>

#include "reader/volume.h"
#include "recovery/recovery.h"

namespace powercut::lab {

class GivenUp {
 public:
  GivenUp() = default;
  // As of `up_to`, on a disk whose log holds it.  Errors: as plan_recovery and Volume.
  static Result<GivenUp> of(const BlockView& view, const JournalMap& map, Tid up_to);
  bool has(BlockNo block) const;

 private:
  void add(BlockNo first, std::uint64_t count);
  Result<void> add_unwritten(const Volume& volume);
  std::map<std::uint64_t, std::uint64_t> runs_;  // first block: one past the last
};

}  // namespace powercut::lab
