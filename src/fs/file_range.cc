// Sizes and ranges: truncate, allocate, punch, zero.
#include <algorithm>

#include "base/trace.h"
#include "fs/credits.h"
#include "fs/file_common.h"

namespace powercut::fs {
namespace {

// So many steps of remove_runs() a handle is begun for; it asks for more while it may.
constexpr std::uint32_t kStepsAtOnce = 4;
// So many runs a handle of an allocation may add.
constexpr std::uint32_t kRunsAtOnce = 8;

[[maybe_unused]] const MutantNames kRangeMutants{"fs.truncate.no_orphan", "fs.zero.unclaimed"};

Result<void> check_range(const Core& core, Range range) {
  if (range.length == 0) return fail(Errc::kInvalid, "file: an empty range", range.offset);
  const std::uint64_t most = file_bytes_max(core);
  if (range.offset > most || range.length > most - range.offset) {
    return fail(Errc::kLimit, "file: larger than a file can be", range.offset);
  }
  return {};
}

// In an atomic section nothing may stay half done: all that an operation may take is there before
// it begins.
Result<void> check_fits_section(const Core& core, std::uint64_t credits) {
  const auto left = core.journal == nullptr ? std::nullopt : core.journal->section_left();
  if (!left || credits <= left->value()) return {};
  return fail(Errc::kLimit, "section: the operation may need more blocks than are left of it",
              credits);
}

// What taking away [from, to) costs at most, over all its transactions.  Reads that part of the
// tree: its damage and its errors are met before anything is changed.
Result<std::uint64_t> removal_credits(const Core& core, const Node& node, FileBlock from,
                                      FileBlock to) REQUIRES_SHARED(node.lock) {
  std::uint64_t steps = 1;
  TRY(for_each_run(core, node, from, [&](const MappedRun& run) {
    if (run.file >= to) return false;
    steps += 2 + std::min(run.count, to - run.file) / core.shape.blocks_per_group;
    return true;
  }));
  constexpr std::uint64_t kTails = 2;
  return kTails + kStoreCredits.value() + Orphans::kCredits.value() +
         steps * remove_credits(node).value();
}

// A handle that can take some steps back, and `extra`.
Result<Handle> start_removing(Core& core, const Node& node, Credits extra)
    REQUIRES_SHARED(node.lock) {
  const std::uint32_t step = remove_credits(node).value();
  const std::uint32_t most = core.journal == nullptr ? 0 : core.journal->credits_max().value();
  const std::uint32_t wanted = extra.value() + kStepsAtOnce * step;
  return core.start(Credits(std::max(extra.value() + step, std::min(wanted, most / 2))));
}

// remove_runs() as far as this handle can be extended; `extra` of its credits are left.
Result<FileBlock> remove_far(Core& core, Handle& handle, Node& node, FileBlock from, FileBlock to,
                             Credits extra) REQUIRES(node.lock) {
  for (;;) {
    const std::uint32_t step = remove_credits(node).value() + extra.value();
    if (handle.left() < Credits(step) && !handle.extend(Credits(step - handle.left().value()))) {
      return to;
    }
    to = TRY(remove_runs(core, handle, node, from, to, extra));
    if (to == from) return to;
  }
}

// ---- truncate

Result<void> grow(Core& core, Node& node, std::uint64_t size) REQUIRES(node.lock) {
  const std::uint64_t old = node.inode.size;
  const std::uint64_t block_end = blocks_up(core, old) * core.block_bytes();
  const TailToZero tail = TRY(look_at_tail(core, node, old, std::min(block_end, size)));
  Handle handle = TRY(core.start(Credits(2)));
  zero_tail(handle, tail);
  node.inode.size = size;
  store_changed(core, handle, node);
  return {};
}

// The rest of a truncate that one transaction did not hold: the node is an orphan meanwhile.
Result<void> finish_shrinking(Core& core, Node& node, FileBlock from, FileBlock to)
    REQUIRES(node.lock) {
  const Credits extra = sum_of(kStoreCredits, Orphans::kCredits);
  for (;;) {
    trace_point("fs.truncate.more", node.number.value(), to.value());
    Handle handle = TRY(start_removing(core, node, extra));
    const auto stopped = remove_far(core, handle, node, from, to, extra);
    const bool has_links = node.inode.links != 0;  // else it stays one until its last close
    if (stopped && *stopped == from && has_links) core.orphans->remove(handle, node);
    store_changed(core, handle, node);
    to = TRY(stopped);
    if (to == from) return {};
  }
}

Result<void> shrink(Core& core, const NodeRef& held, std::uint64_t size) REQUIRES(held->lock) {
  const FileBlock from(blocks_up(core, size));
  const TailToZero tail = TRY(look_at_tail(core, *held, size, from.value() * core.block_bytes()));
  FileBlock to(kFileBlocksMax);
  const std::uint64_t credits = TRY(removal_credits(core, *held, from, to));
  TRY(check_fits_section(core, credits));
  held->window.give_back();
  {
    const Credits extra = sum_of(kStoreCredits, Orphans::kCredits);
    Handle handle = TRY(start_removing(core, *held, Credits(extra.value() + 1)));
    zero_tail(handle, tail);
    held->inode.size = size;
    const auto stopped = remove_far(core, handle, *held, from, to, extra);
    const bool is_left = !stopped || *stopped != from;
    if (is_left && !mutant("fs.truncate.no_orphan")) core.orphans->add(handle, held);
    store_changed(core, handle, *held);
    to = TRY(stopped);
  }
  return to == from ? Result<void>{} : finish_shrinking(core, *held, from, to);
}

// ---- allocate

// The first hole of [from, end), cut off at the end; nothing if there is none.
Result<std::optional<MappedRun>> next_hole(const Core& core, const Node& node, FileBlock from,
                                           FileBlock end) REQUIRES_SHARED(node.lock) {
  while (from < end) {
    MappedRun run = TRY(find_run(core, node, from));
    if (run.kind == MappedRun::Kind::kHole) {
      run.count = std::min(run.count, end - from);
      return std::optional(run);
    }
    from = from + run.count;
  }
  return std::optional<MappedRun>{};
}

struct Holes {
  std::uint64_t count = 0, blocks = 0;
};
Result<Holes> count_holes(const Core& core, const Node& node, FileBlock from, FileBlock end)
    REQUIRES_SHARED(node.lock) {
  Holes holes;
  for (;;) {
    const auto hole = TRY(next_hole(core, node, from, end));
    if (!hole) return holes;
    ++holes.count;
    holes.blocks += hole->count;
    from = hole->file + hole->count;
  }
}

// Fills the holes of [from, end) as far as one handle goes; returns where it stopped.
Result<FileBlock> allocate_some(Core& core, Handle& handle, Node& node, FileBlock from,
                                FileBlock end, SpaceClaim& claim) REQUIRES(node.lock) {
  const std::uint32_t step =
      map_credits(node).value() + Groups::kAllocateCredits + kStoreCredits.value();
  while (handle.left().value() >= step) {
    const auto hole = TRY(next_hole(core, node, from, end));
    if (!hole) return end;
    const BlockGoal goal = TRY(goal_of(core, node, hole->file));
    const BlockWish wish{.goal = goal.block,
                         .want = static_cast<std::uint32_t>(
                             std::min<std::uint64_t>(hole->count, core.shape.blocks_per_group)),
                         .continues = goal.continues,
                         .claim = &claim,
                         .window = nullptr,
                         .window_blocks = 0};
    const BlockRun run = TRY(core.groups->allocate(handle, wish));
    const auto outcome = add_run(core, handle, node, hole->file, run, true, &claim);
    if (!outcome) {
      ignore_error(core.groups->release(handle, run), "it was just allocated");
      return Failure{outcome.error()};
    }
    from = hole->file + run.count;
  }
  return from;
}

// Over all its transactions, where each block is a run of its own.
std::uint64_t allocation_credits(const Node& node, std::uint64_t blocks)
    REQUIRES_SHARED(node.lock) {
  const std::uint64_t step = map_credits(node).value() + Groups::kAllocateCredits;
  return 2 + kStoreCredits.value() + blocks * step + (blocks == 0 ? 0 : kRunsAtOnce * step);
}

// `claim`: for all that may be needed; else it is made here.
Result<void> allocate_blocks(Core& core, Node& node, Range range, bool keeps_size,
                             SpaceClaim claim = {}) REQUIRES(node.lock) {
  FileBlock from(range.offset / core.block_bytes());
  const FileBlock end(blocks_up(core, range.end()));
  const Holes holes = TRY(count_holes(core, node, from, end));
  TRY(check_fits_section(core, allocation_credits(node, holes.blocks)));
  if (holes.blocks > 0) {
    if (claim.left() == 0) {
      claim = TRY(core.groups->claim(holes.blocks + tree_blocks_max(core, node, holes.count)));
    }
    node.window.give_back();
  }
  const std::uint64_t size = node.inode.size;
  TailToZero tail;
  if (!keeps_size && range.end() > size) {
    const std::uint64_t block_end = blocks_up(core, size) * core.block_bytes();
    tail = TRY(look_at_tail(core, node, size, std::min(block_end, range.end())));
  }
  do {
    const std::uint32_t step = map_credits(node).value() + Groups::kAllocateCredits;
    const std::uint32_t most = core.journal == nullptr ? 0 : core.journal->credits_max().value();
    const std::uint32_t wanted = std::min(kRunsAtOnce * step, std::max(most / 2, step));
    Handle handle = TRY(core.start(Credits(2 + (holes.blocks == 0 ? 0 : wanted))));
    zero_tail(handle, std::exchange(tail, {}));
    const auto stopped = holes.blocks == 0 ? Result<FileBlock>(end)
                                           : allocate_some(core, handle, node, from, end, claim);
    if (stopped && !keeps_size) {
      const std::uint64_t covered = stopped->value() * core.block_bytes();
      node.inode.size = std::max(node.inode.size, std::min(covered, range.end()));
    }
    store_changed(core, handle, node);
    from = TRY(stopped);
  } while (from < end);
  return {};
}

// ---- punch

// The blocks of the range, and zeroes in the blocks that it covers in part; all in one transaction
// if that can hold it.
Result<void> punch(Core& core, Node& node, Range range) REQUIRES(node.lock) {
  const std::uint64_t block_bytes = core.block_bytes();
  const FileBlock from(blocks_up(core, range.offset));
  FileBlock to(std::max(from.value(), range.end() / block_bytes));
  const std::uint64_t first_end = std::min(range.end(), from.value() * block_bytes);
  const std::uint64_t last_begin = std::max(first_end, range.end() / block_bytes * block_bytes);
  TailToZero first = TRY(look_at_tail(core, node, range.offset, first_end));
  TailToZero last = TRY(look_at_tail(core, node, last_begin, range.end()));
  const std::uint64_t credits = TRY(removal_credits(core, node, from, to));
  TRY(check_fits_section(core, credits));
  node.window.give_back();
  do {
    const Credits extra(kStoreCredits.value() + 2);
    Handle handle = TRY(start_removing(core, node, extra));
    // Only its first step may cut a run in two and want a block for the tree: without one nothing
    // was done yet.
    const auto stopped = remove_far(core, handle, node, from, to, extra);
    if (!stopped && stopped.error().code == Errc::kNoSpace) return Failure{stopped.error()};
    zero_tail(handle, std::exchange(first, {}));
    zero_tail(handle, std::exchange(last, {}));
    store_changed(core, handle, node);
    to = TRY(stopped);
  } while (from < to);
  return {};
}

// What punching and then allocating would fail for, before anything is punched.  All blocks are
// claimed: others may have what the punch gives back before the allocation does.
Result<SpaceClaim> claim_zeroing(Core& core, const Node& node, Range range)
    REQUIRES_SHARED(node.lock) {
  const FileBlock from(range.offset / core.block_bytes());
  const FileBlock end(blocks_up(core, range.end()));
  const std::uint64_t blocks = end - from;
  const std::uint64_t credits = TRY(removal_credits(core, node, from, end));
  TRY(check_fits_section(core, credits + allocation_credits(node, blocks)));
  if (mutant("fs.zero.unclaimed")) return SpaceClaim();
  return core.groups->claim(blocks + tree_blocks_max(core, node, blocks));
}

}  // namespace

Result<void> truncate_file(Core& core, const NodeRef& node, std::uint64_t size) {
  if (size > file_bytes_max(core)) {
    return fail(Errc::kLimit, "file: larger than a file can be", size);
  }
  ExclusiveLock lock(node->lock);
  TRY(check_content_writable(*node));
  TRY(check_content_replaceable(*node));
  return size > node->inode.size ? grow(core, *node, size) : shrink(core, node, size);
}

Result<void> allocate_range(Core& core, Node& node, Range range, bool keeps_size) {
  TRY(check_range(core, range));
  ExclusiveLock lock(node.lock);
  TRY(check_content_writable(node));
  return allocate_blocks(core, node, range, keeps_size);
}

Result<void> punch_range(Core& core, Node& node, Range range) {
  TRY(check_range(core, range));
  ExclusiveLock lock(node.lock);
  TRY(check_content_writable(node));
  TRY(check_content_replaceable(node));
  return punch(core, node, range);
}

Result<void> zero_range(Core& core, Node& node, Range range, bool keeps_size) {
  TRY(check_range(core, range));
  ExclusiveLock lock(node.lock);
  TRY(check_content_writable(node));
  TRY(check_content_replaceable(node));
  SpaceClaim claim = TRY(claim_zeroing(core, node, range));
  TRY(punch(core, node, range));
  trace_point("fs.zero.punched", node.number.value(), range.offset);
  return allocate_blocks(core, node, range, keeps_size, std::move(claim));
}

}  // namespace powercut::fs
