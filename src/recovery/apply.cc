// The one place of a recovery that writes.
//
// Order: everything home, flush, the log emptied, flush; then the file system's superblock, flush,
// and the journal's error last.  Until the log is emptied all can be made again from it.
#include <algorithm>
#include <span>

#include "base/stored_int.h"
#include "base/trace.h"
#include "format/ext4.h"
#include "recovery/log_reader.h"
#include "recovery/recovery.h"

namespace powercut {
namespace {

constexpr std::uint32_t kWriteBytesMax = 1u << 20;

[[maybe_unused]] const MutantNames kRecoveryMutants{"recovery.end.early", "recovery.flush.skip",
                                                    "recovery.oldest.kept"};

// What is written to one home block: the last content that is replayed there.
struct HomeWrite {
  BlockNo home;
  LogBlock log;
  bool is_escaped = false;
};

// In ascending order, each home block once.
std::vector<HomeWrite> home_writes(const RecoveryPlan& plan) {
  std::vector<HomeWrite> writes;
  writes.reserve(plan.replay_count);
  for (const LoggedTransaction& transaction : plan.transactions) {
    if (mutant("recovery.end.early") && &transaction == &plan.transactions.back()) break;
    for (const LoggedBlock& block : transaction.blocks) {
      if (block.verdict != BlockVerdict::kReplay) continue;
      writes.push_back({block.home, block.log, block.is_escaped});
    }
  }
  if (mutant("recovery.oldest.kept")) std::ranges::reverse(writes);
  std::ranges::stable_sort(writes, {}, &HomeWrite::home);
  // Of several the last one in log order is kept.
  const auto kept =
      std::unique(writes.rbegin(), writes.rend(),
                  [](const HomeWrite& a, const HomeWrite& b) { return a.home == b.home; });
  writes.erase(writes.begin(), kept.base());
  return writes;
}

// How many of `writes` go on from the first: home blocks one after another, at most `most`.
std::size_t neighbours(std::span<const HomeWrite> writes, std::size_t most) {
  std::size_t count = 1;
  while (count < std::min(writes.size(), most) &&
         writes[count].home == writes[count - 1].home + 1) {
    ++count;
  }
  return count;
}

// Reads the log blocks of `writes`, which are neighbours at home, into `into`: those that are
// neighbours in the log too in one read.
Result<void> read_contents(const LogReader& reader, std::span<const HomeWrite> writes,
                           MutableBytes into) {
  const std::size_t block_bytes = reader.block_bytes();
  for (std::size_t first = 0; first < writes.size();) {
    std::size_t end = first + 1;
    while (end < writes.size() && writes[end].log == writes[end - 1].log + 1) ++end;
    TRY(reader.read(writes[first].log,
                    into.subspan(first * block_bytes, (end - first) * block_bytes)));
    first = end;
  }
  for (std::size_t i = 0; i < writes.size(); ++i) {
    if (writes[i].is_escaped) store(into, i * block_bytes, Be32(kJournalMagic));
  }
  return {};
}

Result<void> write_home(std::span<const HomeWrite> writes, const LogReader& reader,
                        BlockDevice& target) {
  const std::size_t block_bytes = reader.block_bytes();
  const std::size_t most = std::max<std::size_t>(1, kWriteBytesMax / block_bytes);
  std::vector<std::uint8_t> buffer(std::min(most, writes.size()) * block_bytes);
  while (!writes.empty()) {
    const auto some = writes.first(neighbours(writes, most));
    const MutableBytes bytes = MutableBytes(buffer).first(some.size() * block_bytes);
    TRY(read_contents(reader, some, bytes));
    TRY(target.write(some.front().home.value() * block_bytes, bytes));
    writes = writes.subspan(some.size());
  }
  return {};
}

// Damage that e2fsck calls a checksum error, at which it gives up; at a damaged commit block it
// only ends the replay.
bool has_given_up(const RecoveryPlan& plan) {
  const auto is_error = [](const Damage& damage) {
    return damage.rule == RecoveryRule::kDataChecksum ||
           damage.rule == RecoveryRule::kDescriptorChecksum ||
           damage.rule == RecoveryRule::kDescriptorFormat ||
           damage.rule == RecoveryRule::kTidGoesOn || damage.rule == RecoveryRule::kFastCommits;
  };
  return plan.end == RecoveryEnd::kRefused && std::ranges::any_of(plan.damages, is_error);
}

// A tid beyond any that the log holds, so that none of its blocks can be taken for one of a later
// transaction: at most one incomplete transaction lies behind an ordinary end, and at most as many
// transactions as the ring has blocks behind an end that was asked for.
Tid next_sequence(const RecoveryPlan& plan) {
  if (has_given_up(plan)) return plan.superblock.sequence;
  if (!plan.is_cut_short) return plan.next_tid.next();
  const std::uint32_t ring = plan.superblock.ring_end() - plan.superblock.first;
  return Tid(plan.next_tid.value() + ring);
}

// Writes `superblock` over the one whose block is `block`, and flushes.
Result<void> write_superblock(const JournalSuperblock& superblock, const JournalMap& map,
                              MutableBytes block, BlockDevice& target) {
  superblock.encode(block);
  TRY(target.write(map.device_block(LogBlock(0)).value() * map.block_bytes(), block));
  return target.flush();
}

Result<void> empty_log(const RecoveryPlan& plan, const LogReader& reader, BlockDevice& target) {
  std::vector<std::uint8_t> block(reader.block_bytes());
  TRY(reader.read(LogBlock(0), block));
  JournalSuperblock superblock = plan.superblock;
  superblock.start = LogBlock(0);
  superblock.sequence = next_sequence(plan);
  return write_superblock(superblock, reader.map(), block, target);
}

}  // namespace

Result<void> apply_recovery(const RecoveryPlan& plan, const BlockView& source,
                            const JournalMap& map, BlockDevice& target) {
  if (plan.end == RecoveryEnd::kNothingToDo) return {};
  if (plan.fast_commits) {
    return fail(Errc::kUnsupported, "journal: fast commits are not replayed",
                plan.fast_commits->tid.value());
  }
  const LogReader reader(source, map);
  const std::vector<HomeWrite> writes = home_writes(plan);
  const std::uint64_t blocks = target.size_bytes() / map.block_bytes();
  if (!writes.empty() && writes.back().home.value() >= blocks) {
    return fail(Errc::kInvalid, "recovery: a home block past the end of the target",
                writes.back().home.value());
  }
  trace_point("recovery.begin", writes.size());
  TRY(write_home(writes, reader, target));
  if (!mutant("recovery.flush.skip")) TRY(target.flush());
  trace_point("recovery.home", writes.size());
  if (!plan.empties_log) return {};
  return empty_log(plan, reader, target);
}

Result<void> mark_recovered(const RecoveryPlan& plan, BlockDevice& target) {
  std::vector<std::uint8_t> bytes(kSuperblockBytes);
  TRY(target.read(kSuperblockOffset, bytes));
  Superblock superblock = TRY(Superblock::parse(bytes, target.size_bytes()));
  superblock.incompat &= ~static_cast<std::uint32_t>(Ext4Incompat::kRecover);
  const auto bit = [](Ext4State state) { return static_cast<std::uint16_t>(state); };
  const bool is_refused = plan.end == RecoveryEnd::kRefused;
  if (has_given_up(plan)) superblock.state &= static_cast<std::uint16_t>(~bit(Ext4State::kValid));
  if (plan.superblock.error != 0 || (is_refused && !has_given_up(plan))) {
    superblock.state |= bit(Ext4State::kErrors);
  }
  superblock.encode(bytes);
  TRY(target.write(kSuperblockOffset, bytes));
  return target.flush();
}

Result<void> mark_recovered(const RecoveryPlan& plan, const JournalMap& map, BlockDevice& target) {
  TRY(mark_recovered(plan, target));
  if (plan.superblock.error == 0) return {};
  std::vector<std::uint8_t> block(map.block_bytes());
  TRY(LogReader(target, map).read(LogBlock(0), block));
  JournalSuperblock superblock = TRY(JournalSuperblock::parse(block));
  superblock.error = 0;
  return write_superblock(superblock, map, block, target);
}

}  // namespace powercut
