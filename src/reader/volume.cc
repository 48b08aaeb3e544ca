#include "reader/volume.h"

#include <algorithm>

#include "reader/block_map.h"
#include "reader/directory_walk.h"
#include "reader/inline_data.h"
#include "reader/inode_scan.h"

namespace powercut {

Result<Volume> Volume::open(const BlockView& view) {
  if (view.size_bytes() < kSuperblockOffset + kSuperblockBytes) {
    return fail(Errc::kCorrupt, "device: too small for a superblock", view.size_bytes());
  }
  std::array<std::uint8_t, kSuperblockBytes> bytes{};
  TRY(view.read(kSuperblockOffset, bytes));
  const auto superblock = TRY(Superblock::parse(bytes, view.size_bytes()));
  // The table is one run, or (meta_bg) a run and then a block a meta group: its last block and the
  // last of its first run lie farthest.
  const std::uint32_t last = superblock.descriptor_block_count() - 1;
  const std::uint32_t last_of_run = std::min(last, std::max(superblock.first_meta_group, 1u) - 1);
  if (!superblock.contains(superblock.descriptor_block(last)) ||
      !superblock.contains(superblock.descriptor_block(last_of_run))) {
    return fail(Errc::kCorrupt, "superblock: group descriptors past the end",
                superblock.descriptor_block(last).value());
  }
  Volume volume(view, superblock);
  volume.keep_groups();
  return volume;
}

void Volume::keep_groups() {
  if (group_count() > kGroupsKept) return;
  std::vector<Result<GroupDescriptor>> groups;
  groups.reserve(group_count());
  for (std::uint32_t i = 0; i < group_count(); ++i) groups.push_back(read_group(i));
  groups_ = std::make_shared<const std::vector<Result<GroupDescriptor>>>(std::move(groups));
}

Result<GroupDescriptor> Volume::group(std::uint32_t index) const {
  if (index >= group_count()) return fail(Errc::kInvalid, "group: past the last", index);
  return groups_ ? (*groups_)[index] : read_group(index);
}

Result<GroupDescriptor> Volume::read_group(std::uint32_t index) const {
  const std::uint32_t per_block = superblock_.descriptors_per_block();
  const BlockNo block = superblock_.descriptor_block(index / per_block);
  const std::uint64_t at = block.value() * superblock_.block_bytes() +
                           std::uint64_t{index % per_block} * superblock_.descriptor_bytes;
  std::vector<std::uint8_t> bytes(superblock_.descriptor_bytes);
  TRY(view_->read(at, bytes));
  return GroupDescriptor::parse(bytes, index, superblock_);
}

Result<void> Volume::read_inode(InodeNo number, MutableBytes into) const {
  if (number.value() == 0 || number.value() > superblock_.inode_count) {
    return fail(Errc::kInvalid, "inode: no such number", number.value());
  }
  const std::uint32_t position = number.value() - 1;
  const auto owner = TRY(group(position / superblock_.inodes_per_group));
  const std::uint64_t at =
      owner.inode_table.value() * superblock_.block_bytes() +
      std::uint64_t{position % superblock_.inodes_per_group} * superblock_.inode_bytes;
  return view_->read(at, into);
}

Result<std::vector<std::uint8_t>> Volume::stored_inode(InodeNo number) const {
  std::vector<std::uint8_t> bytes(superblock_.inode_bytes);
  TRY(read_inode(number, bytes));
  return bytes;
}

Result<Inode> Volume::inode(InodeNo number) const {
  std::array<std::uint8_t, 512> small;  // inodes are rarely larger; no allocation for each
  if (superblock_.inode_bytes <= small.size()) {
    const MutableBytes bytes = MutableBytes(small).first(superblock_.inode_bytes);
    TRY(read_inode(number, bytes));
    return Inode::parse(bytes, number, superblock_);
  }
  const auto bytes = TRY(stored_inode(number));
  return Inode::parse(bytes, number, superblock_);
}

Result<void> Volume::read_block(BlockNo block, MutableBytes into) const {
  if (into.size() != superblock_.block_bytes()) {
    return fail(Errc::kInvalid, "block: length of the buffer", into.size());
  }
  if (block.value() >= superblock_.block_count) {
    return fail(Errc::kInvalid, "block: past the end of the file system", block.value());
  }
  return view_->read(block.value() * superblock_.block_bytes(), into);
}

Result<void> Volume::for_each_run(InodeNo number, const Inode& inode, const RunVisitor& visit,
                                  const TreeVisitor& tree) const {
  TRY(walk_block_map(*this, number, inode, FileRange{}, visit, tree));
  return {};
}

Result<void> Volume::for_each_entry(InodeNo number, const Inode& inode,
                                    const EntryVisitor& visit) const {
  TRY(walk_directory(*this, number, inode, visit));
  return {};
}

Result<std::size_t> Volume::read_file(InodeNo number, const Inode& inode, std::uint64_t offset,
                                      MutableBytes into) const {
  if (inode.has(InodeFlag::kEncrypted)) {
    return fail_with(Errc::kUnsupported, "inode: content is encrypted",
                     feature_name(Ext4Incompat::kEncrypt), number.value());
  }
  if (offset >= inode.size || into.empty()) return std::size_t{0};
  const auto count =
      static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), inode.size - offset));
  if (inode.is_short_symlink()) {
    std::copy_n(inode.block_area.begin() + static_cast<std::ptrdiff_t>(offset), count,
                into.begin());
    return count;
  }
  if (inode.has(InodeFlag::kInlineData)) {
    const auto content = TRY(read_inline_data(*this, number, inode));
    const Bytes stored = Bytes(content).subspan(std::min<std::uint64_t>(offset, content.size()));
    std::fill_n(into.begin(), count, std::uint8_t{0});
    std::copy_n(stored.begin(), std::min(stored.size(), count), into.begin());
    return count;
  }
  std::fill_n(into.begin(), count, std::uint8_t{0});
  const std::uint64_t block_bytes = superblock_.block_bytes();
  const std::uint64_t end = offset + count;
  Result<void> outcome;
  const auto copy = [&](const FileRun& run) {
    if (run.is_unwritten) return true;
    const std::uint64_t run_at = run.file.value() * block_bytes;
    const std::uint64_t from = std::max(offset, run_at);
    const std::uint64_t to = std::min(end, run_at + run.count * block_bytes);
    outcome = view_->read(run.device.value() * block_bytes + (from - run_at),
                          into.subspan(from - offset, to - from));
    return outcome.has_value();
  };
  const FileRange range{offset / block_bytes, (end + block_bytes - 1) / block_bytes};
  TRY(walk_block_map(*this, number, inode, range, copy));
  if (!outcome) return Failure{outcome.error()};
  return count;
}

Result<std::string> Volume::read_link(InodeNo number, const Inode& inode) const {
  if (!inode.is(InodeType::kSymlink)) {
    return fail(Errc::kInvalid, "inode: not a symlink", number.value());
  }
  if (inode.size == 0 || inode.size > superblock_.block_bytes()) {
    return fail(Errc::kCorrupt, "symlink: no target, or one longer than a block", number.value());
  }
  std::vector<std::uint8_t> target(static_cast<std::size_t>(inode.size));
  TRY(read_file(number, inode, 0, target));
  if (std::ranges::find(target, 0) != target.end()) {
    return fail(Errc::kCorrupt, "symlink: a zero byte in its target", number.value());
  }
  return std::string(target.begin(), target.end());
}

Result<void> Volume::for_each_inode(const InodeVisitor& visit) const {
  Result<void> outcome;
  const auto one = [&](InodeNo number, const Result<Inode>& inode) {
    if (inode) return visit(number, *inode);
    outcome = Failure{inode.error()};
    return false;
  };
  for (std::uint32_t index = 0; index < group_count(); ++index) {
    const bool goes_on = TRY(scan_group(*this, index, InUse::kByBitmap, one));
    if (!goes_on) return outcome;
  }
  return {};
}

}  // namespace powercut
