#include "reader/inode_scan.h"

#include <algorithm>

namespace powercut {
namespace {

constexpr std::uint32_t kPieceBytes = 64 * 1024;  // of an inode table, read at once

class GroupScan {
 public:
  GroupScan(const Volume& volume, const GroupDescriptor& group, InUse how,
            const InodeScanVisitor& visit)
      : volume_(volume),
        superblock_(volume.superblock()),
        group_(group),
        how_(how),
        visit_(visit) {}

  Result<bool> run() {
    if (how_ == InUse::kByBitmap) TRY(read_bitmap());
    const std::uint32_t end = group_.inodes_to_read(superblock_);
    const std::uint32_t step =
        std::max(kPieceBytes, superblock_.block_bytes()) / superblock_.inode_bytes;
    for (std::uint32_t first = 0; first < end; first += step) {
      const bool goes_on = TRY(piece(first, std::min(end, first + step)));
      if (!goes_on) return false;
    }
    return true;
  }

 private:
  Result<void> read_bitmap() {
    bitmap_.resize(superblock_.block_bytes());
    TRY(volume_.read_block(group_.inode_bitmap, bitmap_));
    if (!inode_bitmap_matches(bitmap_, group_, superblock_)) {
      return fail(Errc::kChecksum, "inode bitmap: checksum", group_.inode_bitmap.value());
    }
    return {};
  }

  bool may_be_used(std::uint32_t index) const {
    return how_ == InUse::kByContent || bitmap_bit(bitmap_, index);
  }

  // Inodes [first, end) of the group.
  Result<bool> piece(std::uint32_t first, std::uint32_t end) {
    std::uint32_t index = first;
    while (index < end && !may_be_used(index)) ++index;
    if (index == end) return true;
    const std::uint32_t inode_bytes = superblock_.inode_bytes;
    table_.resize(std::size_t{end - first} * inode_bytes);
    const std::uint64_t at =
        group_.inode_table.value() * superblock_.block_bytes() + std::uint64_t{first} * inode_bytes;
    TRY(volume_.view().read(at, table_));
    for (; index < end; ++index) {
      if (!may_be_used(index)) continue;
      const Bytes stored =
          Bytes(table_).subspan(std::size_t{index - first} * inode_bytes, inode_bytes);
      if (!one(index, stored)) return false;
    }
    return true;
  }

  bool one(std::uint32_t index, Bytes stored) {
    const InodeNo number(group_.index * superblock_.inodes_per_group + index + 1);
    const auto inode = Inode::parse(stored, number, superblock_);
    if (!inode) return visit_(number, inode);
    const bool is_typeless = inode->is(InodeType::kNone);
    if (is_typeless && number < superblock_.first_inode) return true;
    if (how_ == InUse::kByContent) {
      if (is_typeless || (inode->links == 0 && inode->delete_time != 0)) return true;
    }
    return visit_(number, inode);
  }

  const Volume& volume_;
  const Superblock& superblock_;
  const GroupDescriptor& group_;
  const InUse how_;
  const InodeScanVisitor& visit_;
  std::vector<std::uint8_t> bitmap_, table_;
};

}  // namespace

Result<bool> scan_group(const Volume& volume, std::uint32_t group, InUse how,
                        const InodeScanVisitor& visit) {
  const auto descriptor = TRY(volume.group(group));
  if (descriptor.inodes_to_read(volume.superblock()) == 0) return true;
  return GroupScan(volume, descriptor, how, visit).run();
}

}  // namespace powercut
