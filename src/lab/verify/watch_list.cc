#include "lab/verify/watch_list.h"

#include <algorithm>

namespace powercut::lab {
namespace {

struct Field {
  std::uint32_t offset, length;
};
// Of the superblock: sizes and places, magic, features, names of the journal; not its counters,
// times and checksum, which change all the time.  Offsets as in docs/format-ext4.md.
constexpr Field kSuperblockFields[] = {{0x00, 8}, {0x14, 0x18}, {0x38, 2},  {0x54, 0x24},
                                       {0xE0, 8}, {0xFE, 2},    {0x150, 4}, {0x270, 4}};
constexpr Field kDescriptorFields[] = {{0x08, 4}, {0x28, 4}};  // bg_inode_table, low and high
constexpr Field kInodeFields[] = {
    {0x00, 8}, {0x20, 0x44}, {0x6C, 4}};  // mode, size, flags, i_block

}  // namespace

Result<void> WatchList::add(const BlockView& view, std::uint64_t offset, std::uint64_t length) {
  Piece piece{offset, std::vector<std::uint8_t>(length)};
  TRY(view.read(offset, piece.bytes));
  pieces_.push_back(std::move(piece));
  return {};
}

WatchList WatchList::of_superblock_only() {
  WatchList list;
  // All zero: any file system that is made here changes the magic.
  list.pieces_.push_back({kSuperblockOffset + 0x38, std::vector<std::uint8_t>(2)});
  return list;
}

Result<WatchList> WatchList::of_journal(const Volume& volume, const DeviceSplit& split) {
  WatchList list;
  const Superblock& super = volume.superblock();
  const BlockView& view = volume.view();
  for (const Field& field : kSuperblockFields) {
    TRY(list.add(view, kSuperblockOffset + field.offset, field.length));
  }
  const InodeNo journal = super.journal_inode;
  if (journal == InodeNo(0) && split.is_split()) {
    for (const Field& field : kSuperblockFields) {
      TRY(list.add(view, split.second_at + kSuperblockOffset + field.offset, field.length));
    }
    return list;
  }
  if (journal == InodeNo(0)) return fail(Errc::kNotFound, "no journal inside the file system");
  const std::uint32_t group = (journal.value() - 1) / super.inodes_per_group;
  const std::uint32_t index = (journal.value() - 1) % super.inodes_per_group;
  const BlockNo table = super.descriptor_block(group / super.descriptors_per_block());
  const std::uint64_t descriptor =
      table.value() * super.block_bytes() +
      std::uint64_t{group % super.descriptors_per_block()} * super.descriptor_bytes;
  for (const Field& field : kDescriptorFields) {
    if (field.offset + field.length > super.descriptor_bytes) continue;
    TRY(list.add(view, descriptor + field.offset, field.length));
  }
  const GroupDescriptor parsed = TRY(volume.group(group));
  const std::uint64_t place =
      parsed.inode_table.value() * super.block_bytes() + std::uint64_t{index} * super.inode_bytes;
  for (const Field& field : kInodeFields) TRY(list.add(view, place + field.offset, field.length));
  const Inode inode = TRY(volume.inode(journal));
  std::vector<BlockNo> tree;
  TRY(volume.for_each_run(
      journal, inode, [](const FileRun&) { return true; },
      [&tree](BlockNo block) {
        tree.push_back(block);
        return true;
      }));
  for (const BlockNo block : tree) {
    TRY(list.add(view, block.value() * super.block_bytes(), super.block_bytes()));
  }
  return list;
}

bool WatchList::touches(std::uint64_t offset, std::uint64_t length) const {
  return std::ranges::any_of(pieces_, [&](const Piece& piece) {
    return offset < piece.offset + piece.bytes.size() && piece.offset < offset + length;
  });
}

Result<bool> WatchList::has_changed(const BlockView& view) const {
  std::vector<std::uint8_t> now;
  for (const Piece& piece : pieces_) {
    now.resize(piece.bytes.size());
    TRY(view.read(piece.offset, now));
    if (now != piece.bytes) return true;
  }
  return false;
}

}  // namespace powercut::lab
