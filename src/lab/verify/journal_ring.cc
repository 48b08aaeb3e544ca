#include "lab/verify/journal_ring.h"

namespace powercut::lab {

Result<JournalRing> JournalRing::make(const BlockView& view, JournalMap map,
                                      const JournalSuperblock& superblock) {
  JournalRing ring(view, std::move(map));
  TRY(ring.set_superblock(superblock));
  ring.sums_.resize(ring.map_.block_count());
  ring.known_.resize(ring.map_.block_count());
  ring.read_block_.resize(ring.map_.block_bytes());
  ring.scratch_.resize(ring.map_.block_bytes());
  return ring;
}

Result<void> JournalRing::set_superblock(const JournalSuperblock& superblock) {
  if (superblock.block_bytes != map_.block_bytes()) {
    return fail(Errc::kCorrupt, "journal superblock: its block size is not the file system's",
                superblock.block_bytes);
  }
  if (superblock.log_block_count > map_.block_count() ||
      superblock.ring_end() > LogBlock(map_.block_count()) ||
      superblock.ring_end() <= superblock.first) {
    return fail(Errc::kCorrupt, "journal superblock: its log is longer than the journal",
                superblock.log_block_count);
  }
  superblock_ = superblock;
  format_ = superblock.format();
  end_ = superblock.ring_end();
  seed_part_ = start_part(format_.seed);
  return {};
}

void JournalRing::note_written(LogBlock log, Bytes whole_block) {
  sums_[log.value()] = crc32c(0, whole_block);
  known_[log.value()] = true;
}

Result<std::uint32_t> JournalRing::sum(LogBlock log) {
  if (!known_[log.value()]) {
    TRY(read(log, read_block_));
    note_written(log, read_block_);
  }
  return sums_[log.value()];
}

// Both are sums over the block with the field itself zero: what the field adds is taken out again.
std::uint32_t JournalRing::tail_checksum(std::uint32_t sum, Be32 stored) const {
  return sum ^ seed_part_ ^ crc32c(0, bytes_of(stored));
}

std::uint32_t JournalRing::commit_checksum(std::uint32_t sum, Be32 stored) const {
  return sum ^ seed_part_ ^ behind_commit_sum_(crc32c(0, bytes_of(stored)));
}

Result<void> JournalRing::read(LogBlock log, MutableBytes into) const {
  return view_->read(map_.device_block(log).value() * map_.block_bytes(), into);
}

}  // namespace powercut::lab
