#include "lab/check/slow_recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "block/overlay_device.h"
#include "format/ext4.h"

namespace powercut::lab {
namespace {

Result<bool> superblock_needs_recovery(const BlockView& disk) {
  std::vector<std::uint8_t> bytes(kSuperblockBytes);
  TRY(disk.read(kSuperblockOffset, bytes));
  return TRY(Superblock::parse(bytes, disk.size_bytes())).needs_recovery();
}

// What a mount decides; nothing is written.
struct SlowOutcome {
  bool needs_recovery = false;
  RecoveryPlan plan;
};

Result<SlowOutcome> decide_on(const BlockView& disk, const JournalMap& map, RecoverAs rules) {
  SlowOutcome outcome;
  outcome.needs_recovery = TRY(superblock_needs_recovery(disk));
  outcome.plan = TRY(plan_recovery(disk, map, {.recover_as = rules}));
  return outcome;
}

std::vector<BlockNo> replayed_homes(const RecoveryPlan& plan) {
  std::vector<BlockNo> homes;
  for (const LoggedTransaction& transaction : plan.transactions) {
    for (const LoggedBlock& block : transaction.blocks) {
      if (block.verdict == BlockVerdict::kReplay) homes.push_back(block.home);
    }
  }
  std::ranges::sort(homes);
  const auto rest = std::ranges::unique(homes);
  homes.erase(rest.begin(), rest.end());
  return homes;
}

std::string compare_outcome(const SlowOutcome& slow, const LogOutcome& fast) {
  const RecoveryEnd end = slow.needs_recovery ? slow.plan.end : RecoveryEnd::kNothingToDo;
  if (slow.needs_recovery != fast.needs_recovery) return "needs_recovery differs";
  if (end != fast.end) return "the end of the recovery differs";
  if (slow.plan.next_tid != fast.next_tid) {
    return fmt::format("the log ends at transaction {}, not {}", slow.plan.next_tid.value(),
                       fast.next_tid.value());
  }
  if (slow.plan.transactions.size() != fast.transaction_count) return "the transactions differ";
  return slow.plan.damages.size() == fast.damages.size() ? "" : "the damages differ";
}

std::string compare_image(const BlockView& recovered, const JournalMap& map,
                          const RecoveredImage& image) {
  std::vector<std::uint8_t> bytes(map.block_bytes());
  const StateImage& fast = image.image();
  for (std::uint64_t at = 0; at < fast.block_count(); ++at) {
    if (map.log_block(BlockNo(at))) continue;
    if (!recovered.read(at * bytes.size(), bytes)) return fmt::format("block {}: no read", at);
    if (!std::ranges::equal(bytes, fast.bytes(BlockNo(at)))) {
      return fmt::format("block {} differs", at);
    }
  }
  return "";
}

}  // namespace

Result<void> ContentView::do_read(std::uint64_t offset, MutableBytes into) const {
  const std::uint64_t block_bytes = pool_.block_bytes();
  while (!into.empty()) {
    const std::uint64_t inside = offset % block_bytes;
    const std::size_t count = std::min<std::size_t>(block_bytes - inside, into.size());
    const Bytes bytes = pool_.bytes(contents_[offset / block_bytes]);
    copy_bytes(bytes.subspan(inside, count), into);
    into = into.subspan(count);
    offset += count;
  }
  return {};
}

std::string difference(const BlockView& state, const JournalMap& map, RecoverAs rules,
                       const LogOutcome& outcome, const RecoveredImage& image) {
  const auto slow = decide_on(state, map, rules);
  if (!slow || outcome.trouble) {
    if (slow || !outcome.trouble) return "only one of both ways can read the log";
    return slow.error().what == std::string_view(outcome.trouble->what) ? "" : "another trouble";
  }
  const std::string words = compare_outcome(*slow, outcome);
  if (!words.empty() || !outcome.mounts()) return words;
  if (!slow->needs_recovery) return compare_image(state, map, image);
  return compare_image(RecoveredView(state, map, slow->plan), map, image);
}

namespace {

// A disk that notes what is written to it, block by block, and where the flushes are.
class NotedDevice final : public BlockDevice {
 public:
  struct Note {
    std::uint64_t offset = 0;
    std::vector<std::uint8_t> bytes;  // empty: a flush
  };
  NotedDevice(const BlockView& base, std::uint32_t block_bytes)
      : disk_(base), block_bytes_(block_bytes) {}
  std::uint64_t size_bytes() const override { return disk_.size_bytes(); }
  const std::vector<Note>& notes() const { return notes_; }

 private:
  Result<void> do_read(std::uint64_t offset, MutableBytes into) const override {
    return disk_.read(offset, into);
  }
  // Each block of a write is lost on its own.
  Result<void> do_write(std::uint64_t offset, Bytes from, Durability durability) override {
    for (std::size_t at = 0; at < from.size();) {
      const std::size_t count =
          std::min<std::size_t>(block_bytes_ - (offset + at) % block_bytes_, from.size() - at);
      const Bytes piece = from.subspan(at, count);
      notes_.push_back({offset + at, {piece.begin(), piece.end()}});
      at += count;
    }
    return disk_.write(offset, from, durability);
  }
  Result<void> do_write_zeroes(std::uint64_t offset, std::uint64_t length,
                               Durability durability) override {
    return do_write(offset, std::vector<std::uint8_t>(length), durability);
  }
  Result<void> do_discard(std::uint64_t, std::uint64_t) override { return {}; }
  Result<void> do_flush() override {
    notes_.push_back({});
    return {};
  }

  OverlayDevice disk_;
  const std::uint32_t block_bytes_;
  std::vector<Note> notes_;
};

// The disk after a cut behind `count` notes: all that was flushed, of the rest a random part.
Result<void> cut(const std::vector<NotedDevice::Note>& notes, std::size_t count, Prng& prng,
                 BlockDevice& disk) {
  std::size_t flushed = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (notes[i].bytes.empty()) flushed = i;
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (notes[i].bytes.empty() || (i >= flushed && prng.chance(1, 2))) continue;
    TRY(disk.write(notes[i].offset, notes[i].bytes));
  }
  return {};
}

Result<bool> recovers_to(const BlockView& disk, const JournalMap& map, RecoverAs rules,
                         const std::vector<BlockNo>& homes, const BlockView& wanted) {
  const auto outcome = decide_on(disk, map, rules);
  if (!outcome || (outcome->needs_recovery && outcome->plan.end == RecoveryEnd::kRefused)) {
    return false;
  }
  const RecoveryPlan nothing;
  const RecoveredView recovered(disk, map, outcome->needs_recovery ? outcome->plan : nothing);
  std::vector<std::uint8_t> found(map.block_bytes()), expected(map.block_bytes());
  for (const BlockNo home : homes) {
    if (home.value() == kSuperblockOffset / map.block_bytes()) continue;  // says "recovered" now
    TRY(recovered.read(home.value() * found.size(), found));
    TRY(wanted.read(home.value() * found.size(), expected));
    if (found != expected) return false;
  }
  return true;
}

}  // namespace

Result<std::string> second_crashes(const BlockView& state, const JournalMap& map, RecoverAs rules,
                                   std::size_t cut_count, Prng& prng) {
  const SlowOutcome first = TRY(decide_on(state, map, rules));
  if (!first.needs_recovery || first.plan.end != RecoveryEnd::kClean) return std::string();
  const RecoveredView wanted(state, map, first.plan);
  const auto homes = replayed_homes(first.plan);
  NotedDevice disk(state, map.block_bytes());
  TRY(apply_recovery(first.plan, disk, map, disk));
  TRY(mark_recovered(first.plan, map, disk));
  const std::size_t note_count = disk.notes().size();
  for (std::size_t i = 0; i < cut_count; ++i) {
    const std::size_t count = prng.below(note_count + 1);
    OverlayDevice left(state);
    TRY(cut(disk.notes(), count, prng, left));
    if (TRY(recovers_to(left, map, rules, homes, wanted))) continue;
    return fmt::format("a second cut behind {} of the {} writes and flushes of the recovery", count,
                       note_count);
  }
  return std::string();
}

}  // namespace powercut::lab
