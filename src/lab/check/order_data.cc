// Ordered mode: data of files goes to its home directly, but not at any time.
#include <fmt/format.h>

#include <algorithm>

#include "lab/check/order_judge.h"

namespace powercut::lab {

// What is free now holds something old, until it is written.  With a log that is not empty the
// bitmaps at home are old themselves: then nothing is known of blocks that were not freed since.
void OrderJudge::begin_data_rules(const Volume& volume) {
  if (options_.data != DataMode::kOrdered) return;
  reach_ = ReachMap::of(volume);
  const Superblock& super = volume.superblock();
  stale_.assign(super.block_count, false);
  undurable_frees_.clear();
  first_data_.clear();
  if (!tail_.is_empty) return;
  std::vector<std::uint8_t> bits(super.block_bytes());
  for (std::uint32_t index = 0; index < super.group_count(); ++index) {
    const auto group = volume.group(index);
    if (!group) continue;
    const bool has_no_bitmap = group->has(GroupFlag::kBlocksUninitialised);
    if (!has_no_bitmap && !volume.read_block(group->block_bitmap, bits)) continue;
    const BlockNo first = super.first_block_of(index);
    for (std::uint64_t i = 0; i < super.block_count_of(index); ++i) {
      const auto bit = static_cast<std::uint32_t>(i / super.blocks_per_cluster());
      if (has_no_bitmap || !bitmap_bit(bits, bit)) stale_[(first + i).value()] = true;
    }
  }
}

// A direct write.  Between the log blocks of a transaction that frees the block and its commit
// nobody may write to it: a power cut would leave the old owner with the new content.
void OrderJudge::take_direct_write(BlockNo block, const Request& request) {
  if (block.value() >= stale_.size()) return;
  if (stale_[block.value()]) first_data_[block.value()] = request.sequence;
  stale_[block.value()] = false;
  const auto freed = undurable_frees_.find(block.value());
  if (freed == undurable_frees_.end() || book_.is_durable(freed->second)) return;
  report_early_reuse(block, freed->second, request.sequence);
}

void OrderJudge::report_early_reuse(BlockNo block, Tid tid, std::uint64_t sequence) {
  report("reuse-before-free", sequence,
         finding_of(block, tid,
                    fmt::format("block {} is written again, but tid {}, which frees "
                                "it, is not durable",
                                block.value(), tid.value())));
}

void OrderJudge::take_freed_data(BlockNo block, Tid tid, std::uint64_t first_log_write) {
  if (block.value() >= stale_.size()) return;
  stale_[block.value()] = true;
  first_data_.erase(block.value());
  undurable_frees_[block.value()] = tid;
  const auto found = suspects_of_.find(block.value());
  if (found == suspects_of_.end()) return;
  for (const std::uint64_t sequence : found->second) {
    if (sequence <= first_log_write) continue;
    if (stale_[block.value()]) first_data_[block.value()] = sequence;
    stale_[block.value()] = false;
    report_early_reuse(block, tid, sequence);
  }
}

void OrderJudge::forget_durable_frees() {
  std::erase_if(undurable_frees_,
                [&](const auto& freed) { return book_.is_durable(freed.second); });
}

// The block as the version before this transaction had it.
bool OrderJudge::read_version_before(BlockNo home, MutableBytes into) {
  const LiveBlock* const live = book_.find(home);
  if (live == nullptr) return view_.read(home.value() * into.size(), into).has_value();
  const LoggedVersion& last = live->versions.back();
  if (slots_[last.log.value()].owner != last.tid || !ring_->read(last.log, into)) return false;
  unescape(into, last.is_escaped);
  return true;
}

// Called before the transaction's versions are booked.
void OrderJudge::take_reached(const WaitingCommit& commit, const WalkedTransaction& walked) {
  if (stale_.empty()) return;
  std::set<std::uint64_t> logged;
  for (const WalkedBlock& block : walked.blocks) {
    logged.insert(block.home.value());
    if (block.home.value() < stale_.size()) stale_[block.home.value()] = false;
    if (!read_version_before(block.home, mixed_) || !ring_->read(block.log, block_)) continue;
    unescape(block_, block.is_escaped);
    reach_.take(block.home, mixed_, block_);
  }
  std::vector<BlockNo> stale;
  for (const ReachMap::Run& run : reach_.take_new_runs()) {
    for (std::uint64_t i = 0; i < run.count; ++i) {
      const BlockNo block = run.first + i;
      if (block.value() >= stale_.size()) break;
      const bool is_logged = logged.contains(block.value()) || book_.find(block) != nullptr;
      if (!is_logged && !has_data(block, commit)) stale.push_back(block);
    }
  }
  if (!stale.empty()) report_stale(stale, commit);
}

// False: nothing was written to the block since it was free.
bool OrderJudge::has_data(BlockNo block, const WaitingCommit& commit) {
  if (stale_[block.value()]) return false;
  // The first one counts: whoever writes over it while the transaction commits leaves a mixture of
  // the file's own contents.
  const auto first = first_data_.find(block.value());
  if (first == first_data_.end()) return true;
  if (times_.was_durable_before(first->second, commit.sequence)) return true;
  report("commit-before-data", commit.sequence,
         finding_of(block, commit.tid,
                    fmt::format("tid {} makes block {} reachable, but the write of its data "
                                "(request {}) is not durable before the commit block",
                                commit.tid.value(), block.value(), first->second)));
  return true;
}

// Of a file that a recovery would delete or cut nobody sees the block.
void OrderJudge::report_stale(std::vector<BlockNo>& stale, const WaitingCommit& commit) {
  const auto given_up = GivenUp::of(view_, ring_->map(), commit.tid);
  if (given_up) std::erase_if(stale, [&](BlockNo block) { return given_up->has(block); });
  if (stale.empty()) return;
  report("commit-without-data", commit.sequence,
         finding_of(stale.front(), commit.tid,
                    fmt::format("tid {} makes block {} reachable, but nothing was written to it "
                                "since it was free ({} such in all)",
                                commit.tid.value(), stale.front().value(), stale.size())));
}

}  // namespace powercut::lab
