// The ring of a journal on a disk that is being written: where it lies, how it is written, and the
// checksum of each of its blocks, taken once, when the block passed by.
//
// A block's sum is crc32c(0, block as it was last written).  Any start value can be put under it
// later (base/crc32c.h), so a tag is compared with one exclusive-or, in whatever order the pieces
// of a transaction came.  A block that was not seen in one piece has no sum; it is read when asked
// for.
#pragma once

#include <vector>

#include "base/crc32c.h"
#include "base/stored_int.h"
#include "block/block_device.h"
#include "format/jbd2.h"
#include "recovery/journal_map.h"

namespace powercut::lab {

class JournalRing {
 public:
  // `view` is the disk as it is now; it must outlive the ring.
  // Errors: kCorrupt if the superblock's log is longer than the map, or its blocks of another size.
  static Result<JournalRing> make(const BlockView& view, JournalMap map,
                                  const JournalSuperblock& superblock);

  const JournalMap& map() const { return map_; }
  const JournalSuperblock& superblock() const { return superblock_; }
  const JournalFormat& format() const { return format_; }
  // The superblock was written again: features and tail may have changed.  Errors: as make().
  Result<void> set_superblock(const JournalSuperblock& superblock);

  LogBlock first() const { return superblock_.first; }
  LogBlock end() const { return end_; }
  LogBlock next(LogBlock log) const { return next_in_ring(log, first(), end_); }
  // Blocks from `from` forward to `to`, around the ring; 0 if equal.
  std::uint32_t distance(LogBlock from, LogBlock to) const {
    return to >= from ? to - from : (end_ - from) + (to - first());
  }
  std::uint32_t ring_blocks() const { return end_ - first(); }
  bool holds(LogBlock log) const { return log >= first() && log < end_; }

  void note_written(LogBlock log, Bytes whole_block);
  void forget_sum(LogBlock log) { known_[log.value()] = false; }
  // crc32c(0, block), from memory or read now.  Errors: kIo.
  Result<std::uint32_t> sum(LogBlock log);
  // What a start value adds to the checksum of a whole block.
  std::uint32_t start_part(std::uint32_t start) const { return over_block_(start); }
  // The checksum that a descriptor or revoke block of this sum must have in its tail, and a commit
  // block in its header; `stored` is what it has there.
  std::uint32_t tail_checksum(std::uint32_t sum, Be32 stored) const;
  std::uint32_t commit_checksum(std::uint32_t sum, Be32 stored) const;
  // A block's worth of bytes to work in, for one user at a time.
  MutableBytes scratch() { return scratch_; }
  Result<void> read(LogBlock log, MutableBytes into) const;

 private:
  JournalRing(const BlockView& view, JournalMap map)
      : view_(&view),
        map_(std::move(map)),
        over_block_(map_.block_bytes()),
        behind_commit_sum_(map_.block_bytes() - kCommitChecksumOffset - sizeof(Be32)) {}

  static constexpr std::uint32_t kCommitChecksumOffset = 16;  // h_chksum[0]

  const BlockView* view_;
  JournalMap map_;
  ZeroStep over_block_;         // a start value, past the whole block
  ZeroStep behind_commit_sum_;  // from the commit checksum's field to the end
  std::uint32_t seed_part_ = 0;
  JournalSuperblock superblock_;
  JournalFormat format_;
  LogBlock end_;
  std::vector<std::uint32_t> sums_;
  std::vector<bool> known_;
  std::vector<std::uint8_t> read_block_, scratch_;
};

}  // namespace powercut::lab
