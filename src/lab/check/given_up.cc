#include "lab/check/given_up.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "reader/volume.h"

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
      given_up.runs_[run.device.value() + skipped] = run.device.value() + run.count;
      return true;
    };
    // A damaged one gives up what could be read of it.
    ignore_error(volume.for_each_run(number, *inode, visit,
                                     [&](BlockNo node) {
                                       if (kept == 0)
                                         given_up.runs_[node.value()] = node.value() + 1;
                                       return true;
                                     }),
                 "what is not known is not given up");
  }
  return given_up;
}

bool GivenUp::has(BlockNo block) const {
  const auto after = runs_.upper_bound(block.value());
  return after != runs_.begin() && block.value() < std::prev(after)->second;
}

}  // namespace powercut::lab
