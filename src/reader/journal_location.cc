// Where the journal of a file system lies: the runs of its journal inode, or a device of its own.
//
// On a device of its own the numbers of log blocks are those of the device, but for the superblock
// of the log: it is log block 0 and lies in block `start` (1 or 2, format/ext4_journal_device.h).
// The log blocks 1 to `start` are in no use, since the ring begins after them; so that each log
// block has a place of its own they stand for what is before the superblock:
//
//   log block      0       1 ... start        start + 1 ... s_maxlen - 1
//   device block   start   0 ... start - 1    the same
#include <algorithm>
#include <array>

#include "format/ext4_journal_device.h"
#include "format/jbd2.h"
#include "reader/volume.h"

namespace powercut {
namespace {

Result<void> check_log(const JournalSuperblock& log, const JournalDeviceSuperblock& device) {
  if (log.block_bytes != device.block_bytes()) {
    return fail(Errc::kCorrupt, "journal superblock: blocks of another size than its device's",
                log.block_bytes);
  }
  if (log.log_block_count > device.block_count) {
    return fail(Errc::kCorrupt, "journal superblock: a log longer than its device",
                log.log_block_count);
  }
  if (log.first.value() <= device.journal_block().value()) {
    return fail(Errc::kCorrupt, "journal superblock: a ring that begins before it",
                log.first.value());
  }
  return {};
}

// `base` is where the device begins on the joined one.  The ring begins after the superblock and
// ends inside the log, so no run is empty.
std::vector<JournalMap::Run> external_runs(const JournalSuperblock& log,
                                           const JournalDeviceSuperblock& device, BlockNo base) {
  const auto start = static_cast<std::uint32_t>(device.journal_block().value());
  return {{LogBlock(0), base + start, 1},
          {LogBlock(1), base, start},
          {LogBlock(start + 1), base + (start + 1), log.log_block_count - start - 1}};
}

}  // namespace

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

Result<JournalMap> locate_external_journal(const Superblock& file_system, const BlockView& journal,
                                           std::uint64_t file_system_blocks) {
  if (journal.size_bytes() < kSuperblockOffset + kSuperblockBytes) {
    return fail(Errc::kInvalid, "journal device: too small for a superblock", journal.size_bytes());
  }
  std::array<std::uint8_t, kSuperblockBytes> bytes{};
  TRY(journal.read(kSuperblockOffset, bytes));
  const auto device = TRY(JournalDeviceSuperblock::parse(bytes));
  if (device.uuid != file_system.journal_uuid) {
    return fail(Errc::kInvalid, "journal device: not the one of this file system (UUID)");
  }
  if (device.block_bytes() != file_system.block_bytes()) {
    return fail(Errc::kCorrupt, "journal device: blocks of another size than the file system's",
                device.block_bytes());
  }
  if (device.block_count > journal.size_bytes() / device.block_bytes()) {
    return fail(Errc::kCorrupt, "journal device: more blocks than the device has",
                device.block_count);
  }
  TRY(journal.read(device.journal_block().value() * device.block_bytes(), bytes));
  // Who recovers it looks at its checksum; to be found it needs none.
  const auto log = TRY(JournalSuperblock::parse_unverified(bytes));
  TRY(check_log(log, device));
  return JournalMap::make(external_runs(log, device, BlockNo(file_system_blocks)),
                          device.block_bytes(), file_system_blocks + device.block_count,
                          file_system_blocks);
}

}  // namespace powercut
