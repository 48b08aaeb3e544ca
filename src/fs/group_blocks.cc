// Blocks: which run an allocation gets, and how runs are given back.
//
// The search, until something is found:
//   1. at the goal, if the file continues there, or the run is as long as wanted
//   2. the first run, from the goal on, with room for the window, too
//   3. the first run, from the goal on, that is as long as wanted
//   4. the longest run that there is
//   5. the same without regard to windows: all of them are given up
#include <algorithm>

#include "base/crc32c.h"
#include "fs/groups.h"

namespace powercut::fs {

void GrowthWindow::give_back() {
  Groups* groups = std::exchange(groups_, nullptr);
  if (groups == nullptr || run_.count == 0) return;
  const Groups::Place place = groups->place_of(run_.first);
  Groups::Group& group = *groups->groups_[place.group];
  Lock lock(group.mutex);
  if (group.held.empty()) return;
  put_bits(group.held, {place.index, run_.count}, false);
  group.first_free = std::min(group.first_free, place.index);
  group.longest = group.descriptor.free_blocks;
}

FreeBits Groups::free_bits(const Group& group, const Content& bitmap) const {
  return {bitmap.bytes(), group.held,
          static_cast<std::uint32_t>(core_.shape.block_count_of(group.index))};
}

Result<void> Groups::prepare(BlockNo goal, std::uint32_t blocks, InodeNo parent) {
  if (blocks > 0) {
    if (available_blocks() == 0) return fail(Errc::kNoSpace, "file system: no space left");
    constexpr std::uint32_t kGroupsRead = 8;
    const std::uint32_t first = core_.shape.contains(goal) ? place_of(goal).group : 0;
    std::uint64_t found = 0;
    for (std::uint32_t i = 0, read = 0; i < group_count() && read < kGroupsRead; ++i) {
      Group& group = *groups_[(first + i) % group_count()];
      if (group.free_blocks == 0) continue;
      if (!TRY(load_block_bitmap(group))) continue;
      found += group.free_blocks;
      ++read;
      if (found >= 2 * std::uint64_t{blocks} + 64) break;
    }
  }
  if (parent.value() == 0) return {};
  if (free_inodes() == 0) return fail(Errc::kNoSpace, "file system: no inode left");
  const std::uint32_t near = (parent.value() - 1) / core_.shape.inodes_per_group;
  TRY(load_for_inode(*groups_[group_for_file(near)]));
  TRY(load_for_inode(*groups_[group_for_directory(parent)]));
  return {};
}

Result<BlockRun> Groups::allocate(Handle& handle, const BlockWish& wish) {
  CHECK(wish.want > 0, "an allocation is of at least a block");
  BlockWish bounded = wish;
  if (!core_.shape.contains(wish.goal)) bounded.goal = core_.shape.first_data_block;
  const std::uint64_t promised = wish.claim != nullptr
                                     ? std::min<std::uint64_t>(wish.want, wish.claim->left_)
                                     : take_available(wish.want, 1);
  if (promised == 0) return fail(Errc::kNoSpace, "file system: no space left");
  bounded.want = static_cast<std::uint32_t>(promised);
  if (wish.window != nullptr) wish.window->give_back();
  const auto found = search(handle, bounded);
  const std::uint32_t count = found ? found->count : 0;
  if (wish.claim != nullptr) {
    wish.claim->left_ -= count;
  } else {
    available_ += static_cast<std::int64_t>(promised - count);
  }
  free_blocks_ -= count;
  return found;
}

Result<BlockRun> Groups::search(Handle& handle, const BlockWish& wish) {
  BlockRun run = TRY(take_at_goal(handle, wish));
  if (run.count > 0) return run;
  const std::uint32_t with_window =
      std::min(wish.want + wish.window_blocks, core_.shape.blocks_per_group / 2);
  if (with_window > wish.want) {
    run = TRY(take_near(handle, wish, with_window));
    if (run.count > 0) return run;
  }
  run = TRY(take_near(handle, wish, wish.want));
  if (run.count > 0) return run;
  run = TRY(take_longest(handle, wish));
  if (run.count > 0) return run;
  drop_windows();
  run = TRY(take_longest(handle, wish));
  if (run.count > 0) return run;
  return fail(Errc::kNoSpace, "file system: no space left in groups that are whole");
}

Result<BlockRun> Groups::take_at_goal(Handle& handle, const BlockWish& wish) {
  const Place place = place_of(wish.goal);
  Group& group = *groups_[place.group];
  if (group.free_blocks == 0 || !TRY(load_block_bitmap(group))) return BlockRun{};
  Lock lock(group.mutex);
  BitRun run;
  {
    const Content bitmap = group.block_bitmap->snapshot();
    run = free_bits(group, bitmap).run_at(place.index, wish.want);
  }
  if (run.count == 0 || (!wish.continues && run.count < wish.want)) return BlockRun{};
  return take(handle, group, wish, run);
}

Result<BlockRun> Groups::take_near(Handle& handle, const BlockWish& wish, std::uint32_t ask) {
  const Place place = place_of(wish.goal);
  for (std::uint32_t i = 0; i < group_count(); ++i) {
    Group& group = *groups_[(place.group + i) % group_count()];
    if (group.longest < ask || !TRY(load_block_bitmap(group))) continue;
    Lock lock(group.mutex);
    BitRun run;
    {
      const Content bitmap = group.block_bitmap->snapshot();
      const FreeBits bits = free_bits(group, bitmap);
      group.first_free = bits.next_free(group.first_free);
      if (i == 0) run = bits.first_run(std::max(place.index, group.first_free), ask);
      if (run.count < ask) {
        run = bits.first_run(group.first_free, ask);
        if (run.count < ask) group.longest = run.count;
      }
    }
    if (run.count >= ask) return take(handle, group, wish, {run.first, wish.want});
  }
  return BlockRun{};
}

// What `longest` says is exact after take_near() found nothing, but for what others did meanwhile.
Result<BlockRun> Groups::take_longest(Handle& handle, const BlockWish& wish) {
  for (std::uint32_t tries = 0; tries < group_count(); ++tries) {
    Group* best = nullptr;
    for (const auto& group : groups_) {
      if (group->is_damaged || group->longest == 0) continue;
      if (best == nullptr || group->longest > best->longest) best = group.get();
    }
    if (best == nullptr) return BlockRun{};
    if (!TRY(load_block_bitmap(*best))) continue;
    Lock lock(best->mutex);
    BitRun run;
    {
      const Content bitmap = best->block_bitmap->snapshot();
      run = free_bits(*best, bitmap).first_run(0, core_.shape.blocks_per_group);
      best->longest = run.count;
    }
    if (run.count > 0)
      return take(handle, *best, wish, {run.first, std::min(run.count, wish.want)});
  }
  return BlockRun{};
}

void Groups::drop_windows() {
  for (const auto& group : groups_) {
    if (group->is_damaged) continue;
    Lock lock(group->mutex);
    group->held.clear();
    group->first_free = 0;
    group->longest = group->descriptor.free_blocks;
  }
}

BlockRun Groups::take(Handle& handle, Group& group, const BlockWish& wish, BitRun picked) {
  group.descriptor.free_blocks -= picked.count;
  if (picked.first == group.first_free) group.first_free += picked.count;
  write_block_bitmap(handle, group, picked, true);
  if (wish.window != nullptr && wish.window_blocks > 0) hold_behind(group, picked, wish);
  return {core_.shape.first_block_of(group.index) + picked.first, picked.count};
}

void Groups::hold_behind(Group& group, BitRun taken, const BlockWish& wish) {
  BitRun behind;
  {
    const Content bitmap = group.block_bitmap->snapshot();
    behind = free_bits(group, bitmap).run_at(taken.first + taken.count, wish.window_blocks);
  }
  if (behind.count == 0) return;
  if (group.held.empty()) group.held.resize((core_.shape.blocks_per_group + 63) / 64);
  put_bits(group.held, behind, true);
  wish.window->groups_ = this;
  wish.window->run_ = {core_.shape.first_block_of(group.index) + behind.first, behind.count};
}

void Groups::write_block_bitmap(Handle& handle, Group& group, BitRun range, bool is_used) {
  const std::uint32_t seed = core_.shape.checksum_seed();
  const std::size_t covered = core_.shape.clusters_per_group / 8;
  std::uint32_t checksum = 0;
  const bool has_checksum = core_.shape.has_metadata_checksums();
  handle.change(group.block_bitmap, [&](MutableBytes bitmap) {
    put_bits(bitmap, range, is_used);
    if (has_checksum) checksum = crc32c(seed, Bytes(bitmap).first(covered));
  });
  if (has_checksum) group.descriptor.block_bitmap_checksum = checksum;
  if (has_group_checksums_) {
    group.descriptor.flags &=
        static_cast<std::uint16_t>(~static_cast<unsigned>(GroupFlag::kBlocksUninitialised));
  }
  write_descriptor(handle, group);
}

// How much of a run lies in the group that it begins in.
BitRun Groups::first_part(BlockRun run) const {
  const Place place = place_of(run.first);
  const std::uint64_t left = core_.shape.block_count_of(place.group) - place.index;
  return {place.index, static_cast<std::uint32_t>(std::min<std::uint64_t>(run.count, left))};
}

Result<void> Groups::check_release(BlockRun run) {
  return noted(core_, look_at_release(run));
}

Result<void> Groups::look_at_release(BlockRun run) {
  if (run.count == 0 || !core_.shape.contains(run.first, run.count) ||
      is_system(run.first, run.count)) {
    return fail(Errc::kCorrupt, "file: blocks that are no file's", run.first.value());
  }
  while (run.count > 0) {
    Group& group = *groups_[place_of(run.first).group];
    const BitRun range = first_part(run);
    if (!TRY(load_block_bitmap(group))) {
      return fail(Errc::kChecksum, "block bitmap: damaged", group.index);
    }
    TRY(check_in_use(group, range));
    run = {run.first + range.count, run.count - range.count};
  }
  return {};
}

Result<void> Groups::release(Handle& handle, BlockRun run) {
  while (run.count > 0) {
    const BitRun range = first_part(run);
    TRY(check_release({run.first, range.count}));
    TRY(release_in_group(handle, *groups_[place_of(run.first).group], range));
    run = {run.first + range.count, run.count - range.count};
  }
  return {};
}

Result<void> Groups::check_in_use(Group& group, BitRun range) {
  Lock lock(group.mutex);
  const Content bitmap = group.block_bitmap->snapshot();
  const FreeBits bits(bitmap.bytes(), {}, range.first + range.count);
  if (bits.next_free(range.first) == range.first + range.count) return {};
  return fail(Errc::kCorrupt, "block bitmap: a block of a file is free",
              (core_.shape.first_block_of(group.index) + bits.next_free(range.first)).value());
}

// Blocks that are in use, in a group whose bitmap is here.
Result<void> Groups::release_in_group(Handle& handle, Group& group, BitRun range) {
  // Nobody else has them yet, so nobody else's content is forgotten.
  const BlockNo first = core_.shape.first_block_of(group.index) + range.first;
  for (std::uint32_t i = 0; i < range.count; ++i) {
    if (!core_.buffers->holds(first + i)) continue;
    handle.forget(TRY(core_.buffers->get_unread(first + i)));
  }
  Lock lock(group.mutex);
  group.descriptor.free_blocks += range.count;
  group.first_free = std::min(group.first_free, range.first);
  write_block_bitmap(handle, group, range, false);
  group.longest = group.descriptor.free_blocks;
  free_blocks_ += range.count;
  available_ += range.count;
  return {};
}

}  // namespace powercut::fs
