// Says of a bad journal block whose it is and how it differs from what else is known of it.
//
// The owner is read as of the transaction: home blocks are stale while the log holds the news.  The
// other versions are the block at home, the copies of it in earlier transactions that are still in
// the ring, and the block as it would be with one aligned 4-byte word put back: for each word there
// is exactly one old value that would give the stored checksum, and if that value is what another
// known version has at that place, then that word is what was stored to after the checksum was
// taken.
#pragma once

#include "lab/verify/finding.h"
#include "lab/verify/journal_ring.h"

namespace powercut::lab {

// Fills finding.owner and finding.version, as far as they can be found.  `view` is the disk now,
// with finding.tid's commit block on it.  Bounded by the size of the ring and the inodes in use.
void identify(Finding& finding, const BlockView& view, const JournalRing& ring);

// The ranges in which two blocks of one size differ.
KnownVersion compare_versions(Bytes a, Bytes b);

// If putting back one aligned 4-byte word of `block` gives a block of checksum `wanted` (of the
// kind that tag_checksum returns for kV3) and the old word is what `other` has there: that word.
// `delta` is the exclusive-or of the wanted and the present checksum.
std::optional<KnownVersion> explain_by_one_word(Bytes block, Bytes other, std::uint32_t delta);

}  // namespace powercut::lab
