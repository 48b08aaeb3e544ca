// Checks a journal at rest as the judge of a hunt checks one in flight: every block of every
// transaction against its checksum, a finding for each that does not match.
//
// A recovery looks at less: not at blocks that are revoked, not at what lies behind the first
// damage of a descriptor or commit block, not at old transactions.  What it does look at, it finds
// just as this check does.
#pragma once

#include "lab/image/image_state.h"
#include "lab/image/ring_sort.h"
#include "lab/verify/finding.h"

namespace powercut::lab {

struct CheckOptions {
  // Also what is no longer in the log, or behind its end, as far as it has its commit block.
  bool checks_old = false;
  // How many findings are told in full: owner, and how the block differs from other versions of it.
  std::uint64_t identified_max = 200;
};

struct CheckedFinding {
  Finding finding;  // commit_number: its transaction's place among the checked ones, from 1
  Standing standing = Standing::kLive;
  // Of a block that a recovery does not look at: the transaction that revokes it.
  std::optional<Tid> revoked_by;
  // Of a commit block that Linux accepts from 6.11 on: all behind its header was torn off.
  bool is_accepted = false;
};

struct JournalCheck {
  ImageOptions image;
  ChecksumKind checksum = ChecksumKind::kNone;
  bool is_dirty = false;
  std::uint32_t live_count = 0, old_count = 0;  // transactions checked
  std::uint32_t not_reached_count = 0;          // behind damage, and not checked
  std::uint64_t block_count = 0;                // data blocks that had tags
  std::uint64_t verified_count = 0;             // of these, compared with a checksum of their own
  std::vector<CheckedFinding> findings;         // in the order of the ring, live ones last
  std::uint64_t not_identified_count = 0;
};

// A journal's superblock that does not match or makes no sense is a finding (kSuperblock).
// Errors: kNotFound: no journal to check; kUnsupported, kIo; as RingWalk::make; kAborted.
Result<JournalCheck> check_journal(const ImageFile& image, const CheckOptions& options = {},
                                   const WorkWatcher& watcher = {});

}  // namespace powercut::lab
