#include "lab/explore/crash_window.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace powercut::lab {

// A block's writes always hold a covered one: what is surely there, or was at first.
const CrashWindow::Write& CrashWindow::durable_of(const Writes& writes) {
  const auto last = std::find_if(writes.rbegin(), writes.rend(),
                                 [](const Write& write) { return write.is_covered; });
  CHECK(last != writes.rend(), "a block without a covered content");
  return *last;
}

CrashWindow::CrashWindow(BlockStream& stream, const CrashModel& model)
    : stream_(stream), model_(model), durable_(stream.base().begin(), stream.base().end()) {}

Result<bool> CrashWindow::advance() {
  if (has_ended_) return false;
  changed_.clear();
  if (cover_) {
    apply(*cover_);
    cover_.reset();
    ++next_;
  }
  const auto events = stream_.events();
  for (; next_ < events.size(); ++next_) {
    const StreamEvent& event = events[next_];
    std::optional<Cover> cover;
    switch (event.kind) {
      case StreamEventKind::kSubmitted: take_submitted(event); break;
      case StreamEventKind::kCompleted: cover = take_completed(event); break;
      case StreamEventKind::kPowerCycle: take_power_cycle(); break;
      case StreamEventKind::kMark: break;
    }
    if (!cover || !covers_anything(*cover)) continue;
    TRY(collect());
    if (!pending_.empty()) {
      cover_ = cover;
      return true;
    }
    apply(*cover);
  }
  has_ended_ = true;
  TRY(collect());
  return true;
}

void CrashWindow::take_submitted(const StreamEvent& event) {
  submitted_[event.sequence] = position();
  const auto writes = stream_.writes(event);
  for (std::uint32_t i = 0; i < writes.size(); ++i) {
    Writes& of_block = open_[writes[i].block.value()];
    if (of_block.empty()) of_block.push_back({durable_[writes[i].block.value()], 0, 0, 0, true});
    of_block.push_back({writes[i].content, position(), kNever, event.first_write + i + 1, false});
  }
}

std::optional<CrashWindow::Cover> CrashWindow::take_completed(const StreamEvent& event) {
  const auto found = submitted_.find(event.sequence);
  if (found == submitted_.end()) return std::nullopt;  // before a power cycle
  const Position submitted = found->second;
  submitted_.erase(found);
  if (event.request == RequestKind::kFlush) {
    return take_flush({submitted, event.scope});
  }
  for (const BlockWrite& each : stream_.writes(event)) {
    Writes& writes = open_[each.block.value()];
    const auto own = std::ranges::find(writes, submitted, &Write::submitted);
    if (own != writes.end()) own->completed = position();
  }
  if (!event.is_fua || model_.lied_flushes != 0) return std::nullopt;
  return Cover{0, next_, true};
}

// A device lies about its own flushes: those of the other are not among the later ones.
std::optional<CrashWindow::Cover> CrashWindow::take_flush(const Flush& flush) {
  flushes_.push_back(flush);
  const auto is_like_it = [&](const Flush& each) { return each.scope == flush.scope; };
  if (std::ranges::count_if(flushes_, is_like_it) <= std::int64_t{model_.lied_flushes}) {
    return std::nullopt;
  }
  const auto first = std::ranges::find_if(flushes_, is_like_it);
  const Cover cover{first->submitted, 0, false, first->scope};
  flushes_.erase(first);
  return cover;
}

bool CrashWindow::is_of(BlockNo block, FlushScope scope) const {
  switch (scope) {
    case FlushScope::kAll: return true;
    case FlushScope::kFirst: return block < stream_.second_device();
    case FlushScope::kSecond: return block >= stream_.second_device();
  }
  return true;
}

// What was in flight got there then or never will; it was submitted after nothing that counts, so
// that it takes no other candidate away.
void CrashWindow::take_power_cycle() {
  submitted_.clear();
  flushes_.clear();
  for (auto& [block, writes] : open_) {
    for (Write& write : writes) {
      if (write.completed != kNever) continue;
      write.completed = position();
      write.submitted = 0;
    }
  }
}

bool CrashWindow::covers_anything(const Cover& cover) const {
  if (cover.is_fua) return true;
  return std::ranges::any_of(open_, [&](const auto& entry) {
    if (!is_of(BlockNo(entry.first), cover.scope)) return false;
    return std::ranges::any_of(entry.second, [&](const Write& write) {
      return !write.is_covered && write.completed < cover.flushed;
    });
  });
}

void CrashWindow::apply(const Cover& cover) {
  if (cover.is_fua) {
    for (const BlockWrite& each : stream_.writes(stream_.events()[cover.event])) {
      const auto found = open_.find(each.block.value());
      if (found == open_.end()) continue;
      for (Write& write : found->second) {
        if (write.completed == cover.event + 1) write.is_covered = true;
      }
      if (settle(each.block, found->second)) open_.erase(found);
    }
    return;
  }
  for (auto entry = open_.begin(); entry != open_.end();) {
    bool is_touched = false;
    const bool is_flushed = is_of(BlockNo(entry->first), cover.scope);
    for (Write& write : entry->second) {
      if (!is_flushed) break;
      if (write.is_covered || write.completed >= cover.flushed) continue;
      write.is_covered = is_touched = true;
    }
    const bool is_done = is_touched && settle(BlockNo(entry->first), entry->second);
    entry = is_done ? open_.erase(entry) : std::next(entry);
  }
}

bool CrashWindow::settle(BlockNo block, Writes& writes) {
  Position last_submitted = 0;  // of the covered ones
  for (const Write& write : writes) {
    if (write.is_covered) last_submitted = std::max(last_submitted, write.submitted);
  }
  std::erase_if(writes, [&](const Write& write) { return write.completed < last_submitted; });
  const ContentId content = durable_of(writes).content;
  ContentId& durable = durable_[block.value()];
  if (durable != content) changed_.push_back(block);
  durable = content;
  return writes.size() == 1;
}

Result<void> CrashWindow::collect() {
  crash_point_ = next_;
  pending_.clear();
  candidates_.clear();
  // Hash order is no order: by the first write that is not surely there.
  std::vector<std::pair<std::uint32_t, std::uint64_t>> blocks;
  for (const auto& [block, writes] : open_) {
    const Write& durable = durable_of(writes);
    const Write& first = &writes.front() == &durable ? writes[1] : writes.front();
    blocks.emplace_back(first.write, block);
  }
  std::ranges::sort(blocks);
  std::vector<PlacedWrite> placed;
  for (const auto& [write, block] : blocks) add_candidates(BlockNo(block), open_[block], placed);
  std::ranges::stable_sort(placed, {}, &PlacedWrite::write);
  steps_.clear();
  for (const PlacedWrite& each : placed) {
    steps_.push_back(each.step);
    if (each.step.digit == 0) continue;
    const std::uint32_t at = pending_[each.step.slot].first + each.step.digit;
    candidates_[at].number = static_cast<std::uint32_t>(steps_.size());
  }
  return add_all_torn();
}

void CrashWindow::add_candidates(BlockNo block, const Writes& writes,
                                 std::vector<PlacedWrite>& placed) {
  const Write& durable = durable_of(writes);
  PendingBlock pending{block, static_cast<std::uint32_t>(candidates_.size()), 0};
  const auto placed_count = placed.size();
  candidates_.push_back({durable.content, 0, 0});
  for (const Write& write : writes) {
    if (&write == &durable) continue;
    const auto so_far = std::span(candidates_).subspan(pending.first);
    const auto same = std::ranges::find(so_far, write.content, &Candidate::content);
    const auto digit = static_cast<std::uint32_t>(same - so_far.begin());
    if (same == so_far.end()) candidates_.push_back({write.content, 0, 0});
    placed.push_back({write.write, {static_cast<std::uint32_t>(pending_.size()), digit}});
  }
  pending.count = static_cast<std::uint32_t>(candidates_.size()) - pending.first;
  if (pending.count > 1) return pending_.push_back(pending);
  candidates_.pop_back();
  placed.resize(placed_count);
}

Result<void> CrashWindow::add_all_torn() {
  if (model_.atomic_bytes == 0 || model_.atomic_bytes >= stream_.block_bytes()) return {};
  const std::vector<Candidate> whole = candidates_;
  candidates_.clear();
  for (PendingBlock& pending : pending_) {
    const auto of_block = std::span(whole).subspan(pending.first, pending.count);
    pending.first = static_cast<std::uint32_t>(candidates_.size());
    candidates_.insert(candidates_.end(), of_block.begin(), of_block.end());
    for (const Candidate& each : of_block.subspan(1)) TRY(add_torn(of_block.front().content, each));
    pending.count = static_cast<std::uint32_t>(candidates_.size()) - pending.first;
  }
  return {};
}

Result<void> CrashWindow::add_torn(ContentId durable, const Candidate& whole) {
  ContentPool& pool = stream_.pool();
  const Bytes before = pool.bytes(durable);
  const Bytes after = pool.bytes(whole.content);
  std::vector<std::uint8_t> torn(before.begin(), before.end());
  const std::uint32_t count = stream_.block_bytes() / model_.atomic_bytes;
  ContentId last = durable;
  for (std::uint32_t pieces = 1; pieces < count; ++pieces) {
    const std::size_t first = std::size_t{pieces - 1} * model_.atomic_bytes;
    std::memcpy(torn.data() + first, after.data() + first, model_.atomic_bytes);
    const ContentId content = TRY(pool.add(torn));
    if (content == last || content == whole.content) continue;
    last = content;
    candidates_.push_back({content, whole.number, pieces});
  }
  return {};
}

double CrashWindow::log2_states() const {
  double sum = 0;
  for (const PendingBlock& pending : pending_) sum += std::log2(pending.count);
  return sum;
}

}  // namespace powercut::lab
