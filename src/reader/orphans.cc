// The inodes that recovery would delete or truncate.
//
// The list: the superblock names the first, each inode names the next in the place of its time of
// deletion.  It ends at 0; an inode that comes again is damage, so it is no longer than there are
// inodes.  The orphan file: blocks of numbers (format/ext4_orphan.h), at most as many blocks as the
// file system has.
#include <unordered_set>

#include "format/ext4_orphan.h"
#include "reader/volume.h"

namespace powercut {
namespace {

using OrphanVisitor = std::function<bool(InodeNo)>;

// Returns false if the visitor stopped it.
Result<bool> walk_list(const Volume& volume, const OrphanVisitor& visit) {
  std::unordered_set<std::uint32_t> seen;
  InodeNo number = volume.superblock().last_orphan;
  InodeNo before;
  while (number.value() != 0) {
    if (!can_be_orphan(number, volume.superblock())) {
      return fail(Errc::kCorrupt, "orphan list: no inode of a file", number.value());
    }
    if (!seen.insert(number.value()).second) {
      return fail(Errc::kCorrupt, "orphan list: comes back to itself", before.value());
    }
    const auto inode = TRY(volume.inode(number));
    if (!visit(number)) return false;
    before = number;
    number = InodeNo(inode.delete_time);
  }
  return true;
}

class OrphanFileWalk {
 public:
  OrphanFileWalk(const Volume& volume, InodeNo number, const OrphanVisitor& visit)
      : volume_(volume),
        superblock_(volume.superblock()),
        number_(number),
        visit_(visit),
        bytes_(superblock_.block_bytes()) {}

  Result<void> run() {
    const auto inode = TRY(volume_.inode(number_));
    if (!inode.is(InodeType::kRegular)) {
      return fail(Errc::kCorrupt, "orphan file: not a file", number_.value());
    }
    const std::uint64_t count = inode.size / superblock_.block_bytes();
    if (inode.size % superblock_.block_bytes() != 0 || count > superblock_.block_count) {
      return fail(Errc::kCorrupt, "orphan file: size", number_.value());
    }
    owner_ = OwnerSeed::make(superblock_, number_, inode.generation);
    Result<bool> outcome = true;
    std::uint64_t next = 0;
    TRY(volume_.for_each_run(number_, inode, [&](const FileRun& run) {
      if (next >= count) return false;
      outcome = blocks(run, next, count);
      next = run.file.value() + run.count;
      return outcome.has_value() && *outcome;
    }));
    if (!outcome) return Failure{outcome.error()};
    if (*outcome && next < count) return hole();
    return {};
  }

 private:
  Failure hole() const { return fail(Errc::kCorrupt, "orphan file: a hole", number_.value()); }

  // The blocks of `run` below `end`; it must begin at `due`.
  Result<bool> blocks(const FileRun& run, std::uint64_t due, std::uint64_t end) {
    if (run.file.value() != due || run.is_unwritten) return hole();
    for (std::uint64_t i = 0; i < run.count && due + i < end; ++i) {
      const BlockNo place = run.device + i;
      TRY(volume_.read_block(place, bytes_));
      const auto block = TRY(OrphanBlock::parse(bytes_, place, owner_, superblock_));
      for (const InodeNo orphan : block.slots) {
        if (orphan.value() != 0 && !visit_(orphan)) return false;
      }
    }
    return true;
  }

  const Volume& volume_;
  const Superblock& superblock_;
  const InodeNo number_;
  const OrphanVisitor& visit_;
  OwnerSeed owner_;
  std::vector<std::uint8_t> bytes_;
};

}  // namespace

Result<void> Volume::for_each_orphan(const std::function<bool(InodeNo)>& visit) const {
  const bool goes_on = TRY(walk_list(*this, visit));
  const bool has_file =
      superblock_.has(Ext4Compat::kOrphanFile) && superblock_.orphan_file_inode.value() != 0;
  if (!goes_on || !has_file) return {};
  return OrphanFileWalk(*this, superblock_.orphan_file_inode, visit).run();
}

}  // namespace powercut
