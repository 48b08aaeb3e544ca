#include "lab/verify/journal_place.h"

#include <algorithm>
#include <utility>

#include "block/window_view.h"

namespace powercut::lab {
namespace {

bool same_runs(const JournalMap& a, const JournalMap& b) {
  return std::ranges::equal(a.runs(), b.runs(), [](const auto& x, const auto& y) {
    return x.log == y.log && x.device == y.device && x.count == y.count;
  });
}

}  // namespace

Result<JournalMap> locate_journal_on(const BlockView& disk, const Volume& volume,
                                     const DeviceSplit& split) {
  const Superblock& superblock = volume.superblock();
  if (!split.is_split() || superblock.journal_inode.value() != 0) return locate_journal(volume);
  const std::uint64_t blocks = split.second_at / superblock.block_bytes();
  if (superblock.block_count > blocks || split.second_at % superblock.block_bytes() != 0) {
    return fail(Errc::kCorrupt, "file system: longer than its device", superblock.block_count);
  }
  const WindowView journal(disk, split.second_at, disk.size_bytes() - split.second_at);
  return locate_external_journal(superblock, journal, blocks);
}

bool JournalPlace::is_flushed_by(const Request& flush) const {
  if (!ring_) return true;
  const std::uint64_t at = ring_->map().lowest().value() * ring_->map().block_bytes();
  return split_.flushes(flush.offset, flush.length, split_.device_of(at));
}

void JournalPlace::note_written(std::uint64_t offset, std::uint64_t length) {
  if (!watched_.touches(offset, length)) return;
  const auto changed = watched_.has_changed(view_);
  must_look_ = must_look_ || !changed || *changed;
}

JournalPlace::Found JournalPlace::look() {
  must_look_ = false;
  const auto found = find();
  if (found) {
    trouble_.clear();
    return *found;
  }
  trouble_ = std::string(found.error().what) + " (" + std::to_string(found.error().where) + ")";
  if (!ring_) watched_ = WatchList::of_superblock_only();
  return Found::kNothing;
}

Result<JournalPlace::Found> JournalPlace::find() {
  const Volume volume = TRY(Volume::open(view_));
  JournalMap map = TRY(locate_journal_on(view_, volume, split_));
  WatchList watched = TRY(WatchList::of_journal(volume, split_));
  std::vector<std::uint8_t> block(map.block_bytes());
  TRY(view_.read(map.device_block(LogBlock(0)).value() * block.size(), block));
  const JournalSuperblock superblock = TRY(JournalSuperblock::parse(block));
  watched_ = std::move(watched);
  return install(std::move(map), superblock);
}

Result<JournalPlace::Found> JournalPlace::install(JournalMap&& map,
                                                  const JournalSuperblock& superblock) {
  if (ring_ && same_runs(ring_->map(), map)) {
    TRY(ring_->set_superblock(superblock));
    return Found::kSame;
  }
  ring_ = TRY(JournalRing::make(view_, std::move(map), superblock));
  return Found::kNew;
}

}  // namespace powercut::lab
