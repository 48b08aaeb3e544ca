#include "lab/check/given_up.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "reader/inode_scan.h"

namespace powercut::lab {

Result<GivenUp> GivenUp::of(const BlockView& view, const JournalMap& map, Tid up_to) {
  RecoveryOptions options;
  options.up_to = up_to;
  options.verify_data = false;
  const RecoveryPlan plan = TRY(plan_recovery(view, map, options));
  const RecoveredView recovered(view, map, plan);
  const Volume volume = TRY(Volume::open(recovered));
  std::vector<InodeNo> orphans;
  TRY(volume.for_each_orphan([&](InodeNo number) {
    orphans.push_back(number);
    return true;
  }));
  GivenUp given_up;
  const std::uint64_t size = volume.superblock().block_bytes();
  for (const InodeNo number : orphans) {
    const auto inode = volume.inode(number);
    if (!inode) continue;
    const std::uint64_t kept = inode->links == 0 ? 0 : (inode->size + size - 1) / size;
    const auto visit = [&](const FileRun& run) {
      const std::uint64_t end = run.file.value() + run.count;
      if (end <= kept) return true;
      const std::uint64_t skipped = kept - std::min(kept, run.file.value());
      given_up.add(run.device + skipped, run.count - skipped);
      return true;
    };
    // A damaged one gives up what could be read of it.
    ignore_error(volume.for_each_run(number, *inode, visit,
                                     [&](BlockNo node) {
                                       if (kept == 0) given_up.add(node, 1);
                                       return true;
                                     }),
                 "what is not known is not given up");
  }
  TRY(given_up.add_unwritten(volume));
  return given_up;
}

void GivenUp::add(BlockNo first, std::uint64_t count) {
  std::uint64_t& end = runs_[first.value()];
  end = std::max(end, first.value() + count);
}

Result<void> GivenUp::add_unwritten(const Volume& volume) {
  const auto visit = [&](const FileRun& run) {
    if (run.is_unwritten) add(run.device, run.count);
    return true;
  };
  const auto look = [&](InodeNo number, const Result<Inode>& inode) {
    if (!inode || !inode->is(InodeType::kRegular)) return true;
    ignore_error(volume.for_each_run(number, *inode, visit), "what is not known is not given up");
    return true;
  };
  for (std::uint32_t group = 0; group < volume.superblock().group_count(); ++group) {
    TRY(scan_group(volume, group, InUse::kByBitmap, look));
  }
  return {};
}

bool GivenUp::has(BlockNo block) const {
  const auto after = runs_.upper_bound(block.value());
  return after != runs_.begin() && block.value() < std::prev(after)->second;
}

}  // namespace powercut::lab
