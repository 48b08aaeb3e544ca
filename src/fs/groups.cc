// The groups as a whole: descriptors, sums, system blocks, claims.  Bitmaps are in group_load.cc,
// blocks in group_blocks.cc, inodes in group_inodes.cc.
#include "fs/groups.h"

#include <algorithm>

namespace powercut::fs {
namespace {

// Sorts, and joins what touches.
void put_in_order(std::vector<BlockRun>& runs) {
  std::ranges::sort(runs, {}, &BlockRun::first);
  std::vector<BlockRun> joined;
  for (const BlockRun& run : runs) {
    if (run.count == 0) continue;
    if (!joined.empty() && run.first <= joined.back().first + joined.back().count) {
      const std::uint64_t end =
          std::max(joined.back().first + joined.back().count, run.first + run.count) -
          joined.back().first;
      joined.back().count = static_cast<std::uint32_t>(end);
      continue;
    }
    joined.push_back(run);
  }
  runs = std::move(joined);
}

}  // namespace

SpaceClaim& SpaceClaim::operator=(SpaceClaim&& other) noexcept {
  give_back();
  groups_ = std::exchange(other.groups_, nullptr);
  left_ = std::exchange(other.left_, 0);
  return *this;
}

void SpaceClaim::give_back() {
  if (groups_ != nullptr) groups_->available_ += static_cast<std::int64_t>(left_);
  groups_ = nullptr;
  left_ = 0;
}

Groups::~Groups() = default;

Result<std::unique_ptr<Groups>> Groups::load(const Core& core, bool uses_reserved) {
  std::unique_ptr<Groups> groups(new Groups(core));
  groups->has_group_checksums_ =
      core.shape.has_metadata_checksums() || core.shape.has(Ext4RoCompat::kGroupChecksum);
  TRY(groups->read_descriptors());
  groups->note_system();
  const std::uint64_t reserved = uses_reserved ? 0 : core.shape.reserved_blocks;
  groups->available_ =
      static_cast<std::int64_t>(groups->free_blocks_) - static_cast<std::int64_t>(reserved);
  return groups;
}

Result<void> Groups::read_descriptors() {
  const Superblock& shape = core_.shape;
  const std::uint32_t per_block = shape.descriptors_per_block();
  groups_.reserve(shape.group_count());
  for (std::uint32_t table = 0; table < shape.descriptor_block_count(); ++table) {
    const BufferRef buffer = TRY(core_.buffers->get(shape.descriptor_block(table)));
    descriptor_blocks_.push_back(buffer);
    const Content content = buffer->snapshot();
    for (std::uint32_t i = 0; i < per_block && groups_.size() < shape.group_count(); ++i) {
      const Bytes stored =
          content.bytes().subspan(std::size_t{i} * shape.descriptor_bytes, shape.descriptor_bytes);
      const auto descriptor = TRY(GroupDescriptor::parse(stored, group_count(), shape));
      free_blocks_ += descriptor.free_blocks;
      free_inodes_ += descriptor.free_inodes;
      groups_.push_back(std::make_unique<Group>(descriptor));
    }
  }
  return {};
}

void Groups::note_system() {
  const Superblock& shape = core_.shape;
  for (const auto& group : groups_) {
    const BlockNo first = shape.first_block_of(group->index);
    std::uint32_t fixed = 0;
    while (fixed < shape.block_count_of(group->index) &&
           shape.fixed_block(first + fixed) != Superblock::Fixed::kNone) {
      ++fixed;
    }
    system_.push_back({first, fixed});
    system_.push_back({group->places.block_bitmap, 1});
    system_.push_back({group->places.inode_bitmap, 1});
    system_.push_back({group->places.inode_table, shape.inode_table_blocks()});
  }
  put_in_order(system_);
}

void Groups::add_system(BlockNo first, std::uint64_t count) {
  system_.push_back({first, static_cast<std::uint32_t>(count)});
  put_in_order(system_);
}

bool Groups::is_system(BlockNo first, std::uint64_t count) const {
  // The first that ends behind `first`.
  const auto at = std::ranges::partition_point(
      system_, [&](const BlockRun& run) { return run.first + run.count <= first; });
  return at != system_.end() && at->first < first + count;
}

Result<SpaceClaim> Groups::claim(std::uint64_t blocks) {
  if (take_available(blocks, blocks) != blocks) {
    return fail(Errc::kNoSpace, "file system: no space left", available_blocks());
  }
  return SpaceClaim(*this, blocks);
}

// Takes up to `want` of what is available; nothing if there is less than `at_least`.
std::uint64_t Groups::take_available(std::uint64_t want, std::uint64_t at_least) {
  std::int64_t there = available_.load();
  for (;;) {
    const std::uint64_t some = there < 0 ? 0 : std::min(want, static_cast<std::uint64_t>(there));
    if (some < at_least) return 0;
    if (available_.compare_exchange_weak(there, there - static_cast<std::int64_t>(some))) {
      return some;
    }
  }
}

std::uint64_t Groups::available_blocks() const {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, available_.load()));
}

const GroupDescriptor& Groups::descriptor(std::uint32_t group) const {
  return groups_[group]->places;
}

Groups::Place Groups::place_of(BlockNo block) const {
  const std::uint32_t group = core_.shape.group_of(block);
  return {group, static_cast<std::uint32_t>(block - core_.shape.first_block_of(group))};
}

BlockNo Groups::goal_near(InodeNo number) const {
  return core_.shape.first_block_of((number.value() - 1) / core_.shape.inodes_per_group);
}

// Its block is shared with other groups': only this group's bytes are changed.
void Groups::write_descriptor(Handle& handle, Group& group) {
  const std::uint32_t per_block = core_.shape.descriptors_per_block();
  const std::size_t bytes = core_.shape.descriptor_bytes;
  const GroupDescriptor descriptor = group.descriptor;
  handle.change(descriptor_blocks_[group.index / per_block], [&](MutableBytes block) {
    descriptor.encode(block.subspan(group.index % per_block * bytes, bytes), core_.shape);
  });
  group.free_blocks = descriptor.free_blocks;
  group.free_inodes = descriptor.free_inodes;
  group.directories = descriptor.used_directories;
}

}  // namespace powercut::fs
