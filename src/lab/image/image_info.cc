#include "lab/image/image_info.h"

#include <algorithm>

namespace powercut::lab {
namespace {

GroupSummary look_at_groups(const Volume& volume) {
  GroupSummary summary;
  summary.group_count = volume.group_count();
  summary.checked_count = std::min(summary.group_count, GroupSummary::kCheckedMax);
  for (std::uint32_t index = 0; index < summary.checked_count; ++index) {
    const auto group = volume.group(index);
    if (group) {
      summary.free_blocks +=
          std::uint64_t{group->free_blocks} * volume.superblock().blocks_per_cluster();
      summary.free_inodes += group->free_inodes;
      summary.directories += group->used_directories;
      continue;
    }
    ++summary.damaged_count;
    if (summary.damages.size() < GroupSummary::kDamageMax) {
      summary.damages.push_back({index, group.error()});
    }
  }
  return summary;
}

OrphanSummary look_for_orphans(const Volume& volume) {
  OrphanSummary summary;
  const auto visited = volume.for_each_orphan([&](InodeNo inode) {
    ++summary.count;
    if (summary.inodes.size() < OrphanSummary::kKeptMax) summary.inodes.push_back(inode);
    return true;
  });
  if (!visited) summary.error = visited.error();
  return summary;
}

JournalSummary summary_of(const ImageJournal& journal, const Superblock& superblock) {
  const RecoveryPlan& plan = journal.plan;
  JournalSummary summary;
  summary.inode = journal.is_external ? InodeNo() : superblock.journal_inode;
  summary.device = journal.map.device_block(LogBlock(0)).value();
  summary.superblock = plan.superblock;
  summary.is_empty = plan.superblock.start.value() == 0;
  summary.transactions = plan.transactions.size();
  if (!plan.transactions.empty()) {
    summary.first_tid = plan.transactions.front().tid;
    summary.last_tid = plan.transactions.back().tid;
  }
  summary.replayed_blocks = plan.replay_count;
  summary.revoked_blocks = plan.revoked_count;
  summary.skipped_blocks = plan.skipped_count;
  if (plan.fast_commits) summary.fast_commits = plan.fast_commits->commit_count;
  return summary;
}

Result<MmpBlock> read_mmp(const Volume& volume) {
  std::vector<std::uint8_t> block(volume.superblock().block_bytes());
  TRY(volume.read_block(volume.superblock().mmp_block, block));
  return MmpBlock::parse(block, volume.superblock());
}

}  // namespace

ImageInfo read_image_info(const ImageFile& file, const SeenVolume& seen) {
  const Volume& volume = *seen.volume;
  ImageInfo info;
  info.superblock = volume.superblock();
  info.seen = seen;
  const auto& journal = file.journal();
  if (journal) {
    info.journal = summary_of(*journal, info.superblock);
  } else if (info.superblock.has(Ext4Compat::kHasJournal)) {
    info.journal_error = journal.error();
  }
  if (info.superblock.has(Ext4Incompat::kMultiMountProtection)) {
    const auto mmp = read_mmp(volume);
    if (mmp) {
      info.mmp = *mmp;
    } else {
      info.mmp_error = mmp.error();
    }
  }
  info.groups = look_at_groups(volume);
  info.orphans = look_for_orphans(volume);
  return info;
}

}  // namespace powercut::lab
