#include "lab/check/order_judge.h"

#include <algorithm>
#include <utility>

#include "format/ext4.h"

namespace powercut::lab {
namespace {

constexpr std::uint64_t kIncompatOffset = kSuperblockOffset + 0x60;  // s_feature_incompat
constexpr std::size_t kToldMax = 4096;

bool says_needs_recovery(Bytes four) {
  const auto incompat = load<Le32>(four, 0);
  return incompat && (incompat->value() & static_cast<std::uint32_t>(Ext4Incompat::kRecover)) != 0;
}

}  // namespace

OrderJudge::OrderJudge(const BlockView& view, CheckFindingSink& sink, const OrderOptions& options)
    : view_(view),
      sink_(sink),
      options_(options),
      place_(view, options.split),
      times_(options.split),
      book_(times_) {
  look_for_journal();
}

void OrderJudge::look_for_journal() {
  const JournalPlace::Found found = place_.look();
  if (found != JournalPlace::Found::kNew) return;
  ring_ = place_.ring();
  const auto volume = Volume::open(view_);
  frees_ = volume ? FreeMap::of(*volume) : FreeMap();
  superblock_block_ = BlockNo(kSuperblockOffset / ring_->map().block_bytes());
  mixed_.resize(ring_->map().block_bytes());
  block_.resize(ring_->map().block_bytes());
  zero_hash_ = hash_of(std::vector<std::uint8_t>(ring_->map().block_bytes()));
  slots_.assign(ring_->map().block_count(), {});
  book_.clear();
  headers_.clear();
  waiting_.clear();
  suspects_.clear();
  suspects_of_.clear();
  pending_tails_.clear();
  pending_flags_.clear();
  last_tid_.reset();
  expected_next_.reset();
  has_log_writes_ = false;
  tail_ = {ring_->superblock().sequence, ring_->superblock().start == LogBlock(0)};
  needs_recovery_ = volume && volume->superblock().needs_recovery();
  stale_.clear();
  if (volume) begin_data_rules(*volume);
}

void OrderJudge::on_submitted(const Request& request, Nanoseconds /*when*/) {
  times_.submitted(request);
  if (request.kind == RequestKind::kFlush) {
    if (place_.is_in_doubt()) look_for_journal();
    if (ring_ != nullptr) evaluate_waiting();
    return;
  }
  if (ring_ != nullptr) take_write(request);
}

void OrderJudge::on_completed(const Request& request, Nanoseconds /*when*/) {
  times_.completed(request);
  if (request.kind != RequestKind::kFlush) {
    place_.note_written(request.offset, request.length);
    if (ring_ != nullptr && superblock_write_ == request.sequence) {
      const auto read = ring_->read(LogBlock(0), block_);
      const auto superblock = JournalSuperblock::parse(block_);
      // A damaged one is the `tag` judge's finding.
      if (read && superblock) {
        ignore_error(ring_->set_superblock(*superblock), "the features stay as they were");
      }
    }
  }
  if (ring_ == nullptr) return;
  if (request.durability == Durability::kFua) evaluate_waiting();
  if (request.kind == RequestKind::kFlush || request.durability == Durability::kFua) {
    take_durable();
  }
}

void OrderJudge::on_power_cycle(Nanoseconds /*when*/) {
  if (ring_ != nullptr) evaluate_waiting();
  times_.power_cycled();
  if (ring_ != nullptr) take_durable();
  expire_suspects(/*all=*/true);
  headers_.clear();
  waiting_.clear();
  last_tid_.reset();
  expected_next_.reset();
  place_.doubt();
}

void OrderJudge::finish() {
  if (ring_ == nullptr) return;
  evaluate_waiting();
  expire_suspects(/*all=*/true);
}

// The whole block as it will be; `request` may write it in part.
Bytes OrderJudge::content_of(const Request& request, BlockNo block) {
  const std::uint64_t size = mixed_.size();
  const std::uint64_t begin = block.value() * size;
  const std::uint64_t first = std::max(begin, request.offset);
  const std::uint64_t end = std::min(begin + size, request.offset + request.length);
  const bool is_whole = end - first == size;
  if (is_whole && request.kind == RequestKind::kWrite) {
    return request.data.subspan(begin - request.offset, size);
  }
  if (!is_whole && !view_.read(begin, mixed_)) std::ranges::fill(mixed_, std::uint8_t{0});
  const MutableBytes piece = MutableBytes(mixed_).subspan(first - begin, end - first);
  if (request.kind == RequestKind::kWrite) {
    copy_bytes(request.data.subspan(first - request.offset, piece.size()), piece);
  } else {
    std::ranges::fill(piece, std::uint8_t{0});
  }
  return mixed_;
}

void OrderJudge::take_write(const Request& request) {
  if (request.length == 0) return;
  const JournalMap& map = ring_->map();
  const BlockNo first(request.offset / map.block_bytes());
  const BlockNo end((request.offset + request.length + map.block_bytes() - 1) / map.block_bytes());
  take_file_system_superblock(request);
  for (BlockNo block = first; block < end; ++block) {
    const bool may_be_log = block >= map.lowest() && block < map.end();
    const auto log = may_be_log ? map.log_block(block) : std::nullopt;
    if (log) {
      take_log_block(*log, content_of(request, block), request);
    } else if (request.kind == RequestKind::kDiscard) {
      take_discard(block, request);
    } else {
      take_home_block(block, content_of(request, block), request);
    }
  }
}

void OrderJudge::take_file_system_superblock(const Request& request) {
  const bool holds_flag = request.offset <= kIncompatOffset &&
                          request.offset + request.length >= kIncompatOffset + sizeof(Le32);
  if (!holds_flag || request.kind != RequestKind::kWrite) return;
  const Bytes four = request.data.subspan(kIncompatOffset - request.offset, sizeof(Le32));
  pending_flags_.push_back({request.sequence, says_needs_recovery(four)});
}

// Something became durable: of the superblocks, what is durable counts from now on.
void OrderJudge::take_durable() {
  while (!pending_flags_.empty() && times_.is_durable(pending_flags_.front().sequence)) {
    needs_recovery_ = pending_flags_.front().needs_recovery;
    pending_flags_.pop_front();
  }
  std::optional<LogTail> passed;
  while (!pending_tails_.empty() && times_.is_durable(pending_tails_.front().sequence)) {
    passed = pending_tails_.front().tail;
    pending_tails_.pop_front();
    if (passed->is_empty) continue;
    tail_ = *passed;
  }
  if (passed) tail_ = *passed;
  check_announced();
  if (!undurable_frees_.empty()) forget_durable_frees();
  if (passed) book_.pass(*passed);
}

CheckFinding OrderJudge::finding_of(Tid tid, std::string words) {
  CheckFinding finding;
  finding.tid = tid;
  finding.words = std::move(words);
  return finding;
}

CheckFinding OrderJudge::finding_of(BlockNo block, Tid tid, std::string words) {
  CheckFinding finding = finding_of(tid, std::move(words));
  finding.block = block;
  return finding;
}

void OrderJudge::report(std::string_view rule, std::uint64_t sequence, CheckFinding finding) {
  if (told_.size() > kToldMax) told_.erase(told_.begin());
  if (!told_.emplace(sequence, rule).second) return;
  ++counters_.finding_count;
  finding.judge = JudgeName::kOrder;
  finding.rule = rule;
  finding.sequence = sequence;
  sink_.on_finding(finding);
}

}  // namespace powercut::lab
