// Where the journal of a file system lies: the runs of its journal inode.
#include <algorithm>

#include "reader/volume.h"

namespace powercut {

Result<JournalMap> locate_journal(const Volume& volume) {
  const Superblock& superblock = volume.superblock();
  if (!superblock.has(Ext4Compat::kHasJournal)) {
    return fail(Errc::kNotFound, "journal: the file system has none");
  }
  if (superblock.journal_inode.value() == 0) {
    return fail(Errc::kNotFound, "journal: on another device", superblock.journal_device);
  }
  const InodeNo number = superblock.journal_inode;
  const auto inode = TRY(volume.inode(number));
  if (!inode.is(InodeType::kRegular) || inode.links == 0) {
    return fail(Errc::kCorrupt, "journal: its inode is no file", number.value());
  }
  const std::uint64_t end = inode.size / superblock.block_bytes();
  std::vector<JournalMap::Run> runs;
  std::uint64_t mapped = 0;
  Result<void> outcome;
  const auto take = [&](const FileRun& run) {
    if (run.file.value() >= end) return false;
    if (run.is_unwritten) {
      outcome = fail(Errc::kCorrupt, "journal: unwritten blocks", run.device.value());
      return false;
    }
    const std::uint64_t count = std::min(run.count, end - run.file.value());
    runs.push_back({LogBlock(static_cast<std::uint32_t>(run.file.value())), run.device,
                    static_cast<std::uint32_t>(count)});
    mapped += count;
    return true;
  };
  TRY(volume.for_each_run(number, inode, take));
  if (!outcome) return Failure{outcome.error()};
  if (mapped != end) {
    return fail(Errc::kCorrupt, "journal: fewer blocks than its size", number.value());
  }
  return JournalMap::make(std::move(runs), superblock.block_bytes(), superblock.block_count);
}

Result<JournalMap> locate_external_journal(const Superblock&, const BlockView&, std::uint64_t) {
  return fail(Errc::kUnsupported, "journal: on a device of its own");
}

}  // namespace powercut
