#include "tests/planted/survey.h"

#include <algorithm>

namespace powercut::planted {
namespace {

using lab::Request;
using lab::RequestKind;

class Surveyor final : public lab::DiskObserver {
 public:
  Surveyor(const BlockView& view, const lab::DeviceSplit& split)
      : view_(view), place_(view, split) {
    look();
  }

  void on_submitted(const Request& request, Nanoseconds) override {
    survey.last_sequence = request.sequence;
    if (request.kind != RequestKind::kFlush) return;
    if (place_.is_in_doubt()) look();
    if (!place_.is_flushed_by(request)) return;
    for (SurveyedTransaction& transaction : survey.transactions) {
      if (transaction.flush_behind == 0) transaction.flush_behind = request.sequence;
    }
    survey.flushes.push_back(request.sequence);
  }

  void on_completed(const Request& request, Nanoseconds) override {
    if (request.kind == RequestKind::kFlush) return;
    place_.note_written(request.offset, request.length);
    if (!survey.map) look();
    if (!survey.map || request.kind != RequestKind::kWrite) return;
    const std::uint64_t size = survey.map->block_bytes();
    const bool is_whole = request.offset % size == 0 && request.length % size == 0;
    if (!is_whole) return;
    for (std::uint64_t at = 0; at < request.length; at += size) {
      const BlockNo block((request.offset + at) / size);
      const auto log = survey.map->log_block(block);
      if (log) {
        take_log(*log, request.data.subspan(at, size), request.sequence);
      } else {
        take_home(block, request.data.subspan(at, size), request);
      }
    }
  }

  void on_power_cycle(Nanoseconds) override {}

  Survey survey;

 private:
  void look() {
    if (place_.look() != lab::JournalPlace::Found::kNew) return;
    survey.map = place_.ring()->map();
    block_.resize(survey.map->block_bytes());
    survey.superblock_block = BlockNo(kSuperblockOffset / block_.size());
    frees_ = lab::FreeMap::of(Volume::open(view_).value());
  }

  void take_log(LogBlock log, Bytes content, std::uint64_t sequence) {
    writes_[log.value()] = sequence;
    if (log == LogBlock(0)) {
      const auto superblock = JournalSuperblock::parse(content);
      CHECK(superblock && place_.ring()->set_superblock(*superblock), "a sound superblock");
      survey.format = superblock->format();
      survey.tails.push_back({sequence, {superblock->sequence, superblock->start == LogBlock(0)}});
      if (superblock->start == LogBlock(0)) next_.reset();
      return;
    }
    const auto header = parse_journal_header(content);
    if (header && header->is(JournalBlockType::kCommit)) take_commit(log, header->tid, sequence);
  }

  void take_commit(LogBlock log, Tid tid, std::uint64_t sequence) {
    lab::JournalRing& ring = *place_.ring();
    SurveyedTransaction transaction;
    transaction.tid = tid;
    transaction.start = next_.value_or(ring.superblock().start);
    transaction.commit = log;
    transaction.commit_sequence = sequence;
    if (!ring.holds(transaction.start)) return;
    transaction.walked = walk_transaction(ring, tid, transaction.start, log);
    transaction.flush_before = survey.flushes.empty() ? 0 : survey.flushes.back();
    transaction.first_sequence = sequence;
    for (LogBlock at = transaction.start; at != log; at = ring.next(at)) {
      transaction.writes[at.value()] = writes_[at.value()];
      transaction.first_sequence = std::min(transaction.first_sequence, writes_[at.value()]);
    }
    next_ = ring.next(log);
    for (const lab::WalkedBlock& block : transaction.walked.blocks) {
      CHECK(ring.read(block.log, block_), "the log can be read");
      lab::unescape(block_, block.is_escaped);
      versions_[block.home.value()].emplace_back(tid, lab::hash_of(block_));
      frees_.take(view_, block.home, block_, [&](BlockNo first, std::uint64_t count) {
        for (std::uint64_t i = 0; i < count; ++i) {
          survey.freed[(first + i).value()].push_back(tid);
        }
      });
    }
    if (transaction.walked.is_readable) survey.transactions.push_back(std::move(transaction));
  }

  void take_home(BlockNo block, Bytes content, const Request& request) {
    SurveyedHome home;
    home.sequence = request.sequence;
    home.block = block;
    home.is_alone = request.length == content.size();
    const auto found = versions_.find(block.value());
    if (found != versions_.end()) {
      const lab::ContentHash hash = lab::hash_of(content);
      for (const auto& [tid, version] : found->second) {
        if (version != hash) continue;
        home.is_news = !home.version;
        home.version = tid;
      }
    }
    survey.homes.push_back(home);
  }

  const BlockView& view_;
  lab::JournalPlace place_;
  lab::FreeMap frees_;
  std::optional<LogBlock> next_;
  std::map<std::uint32_t, std::uint64_t> writes_;
  std::map<std::uint64_t, std::vector<std::pair<Tid, lab::ContentHash>>> versions_;
  std::vector<std::uint8_t> block_;
};

}  // namespace

const SurveyedTransaction* Survey::newest_with(BlockNo block, std::uint64_t sequence) const {
  const SurveyedTransaction* found = nullptr;
  for (const SurveyedTransaction& transaction : transactions) {
    if (transaction.commit_sequence > sequence) break;
    const bool has_it =
        std::ranges::any_of(transaction.walked.blocks,
                            [&](const lab::WalkedBlock& each) { return each.home == block; });
    if (has_it) found = &transaction;
  }
  return found;
}

std::uint64_t Survey::flush_after(std::uint64_t sequence) const {
  const auto found = std::ranges::upper_bound(flushes, sequence);
  return found == flushes.end() ? 0 : *found;
}

Survey survey_of(const lab::Recording& recording) {
  lab::RecordedView view(recording);
  for (const lab::RecordedEvent& event : recording.events) {
    if (event.kind == lab::EventKind::kBase) view.apply(event);
  }
  Surveyor surveyor(view, recording.split);
  play(recording, view, {&surveyor});
  return std::move(surveyor.survey);
}

}  // namespace powercut::planted
