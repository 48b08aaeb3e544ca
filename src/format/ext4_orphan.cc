#include "format/ext4_orphan.h"

#include "base/crc32c.h"
#include "base/fuzzing.h"
#include "format/ext4_disk.h"

namespace powercut {
namespace {

std::size_t tail_at(const Superblock& superblock) {
  return superblock.block_bytes() - sizeof(disk::OrphanTail);
}

// Over the number of the block, then the slots.
std::uint32_t checksum_of(Bytes block, BlockNo place, const OwnerSeed& owner,
                          const Superblock& superblock) {
  const std::uint32_t crc = crc32c(owner.seed, bytes_of(Le64(place.value())));
  return crc32c(crc, block.first(tail_at(superblock)));
}

}  // namespace

std::uint32_t orphans_per_block(const Superblock& superblock) {
  return static_cast<std::uint32_t>(tail_at(superblock) / sizeof(Le32));
}

bool can_be_orphan(InodeNo number, const Superblock& superblock) {
  return number >= superblock.first_inode && number.value() <= superblock.inode_count;
}

Result<OrphanBlock> OrphanBlock::parse(Bytes block, BlockNo place, const OwnerSeed& owner,
                                       const Superblock& superblock) {
  if (block.size() != superblock.block_bytes()) {
    return fail(Errc::kCorrupt, "orphan block: length", place.value());
  }
  const auto tail = TRY(load<disk::OrphanTail>(block, tail_at(superblock)));
  if (tail.magic.value() != disk::kOrphanMagic) {
    return fail(Errc::kCorrupt, "orphan block: magic", place.value());
  }
  if (!is_fuzzing() && superblock.has_metadata_checksums() &&
      checksum_of(block, place, owner, superblock) != tail.checksum.value()) {
    return fail(Errc::kChecksum, "orphan block: checksum", place.value());
  }
  OrphanBlock orphans;
  orphans.slots.reserve(orphans_per_block(superblock));
  for (std::size_t i = 0; i < orphans_per_block(superblock); ++i) {
    const InodeNo number(TRY(load<Le32>(block, i * sizeof(Le32))));
    if (number.value() != 0 && !can_be_orphan(number, superblock)) {
      return fail(Errc::kCorrupt, "orphan block: no inode of a file", place.value());
    }
    orphans.slots.push_back(number);
  }
  return orphans;
}

void OrphanBlock::encode(MutableBytes block, BlockNo place, const OwnerSeed& owner,
                         const Superblock& superblock) const {
  CHECK(block.size() == superblock.block_bytes(), "a block of another size");
  CHECK(slots.size() == orphans_per_block(superblock), "orphan block: not all of its slots");
  for (std::size_t i = 0; i < slots.size(); ++i) {
    store(block, i * sizeof(Le32), Le32(slots[i].value()));
  }
  disk::OrphanTail tail;
  std::memcpy(&tail, block.data() + tail_at(superblock), sizeof(tail));
  tail.magic = disk::kOrphanMagic;
  if (superblock.has_metadata_checksums()) {
    tail.checksum = checksum_of(block, place, owner, superblock);
  }
  store(block, tail_at(superblock), tail);
}

}  // namespace powercut
