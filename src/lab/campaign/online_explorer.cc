#include "lab/campaign/online_explorer.h"

#include <algorithm>

#include "lab/campaign/state_judges.h"
#include "lab/check/slow_recovery.h"
#include "lab/record/recording_player.h"
#include "lab/verify/journal_place.h"

namespace powercut::lab {
namespace {

constexpr std::uint64_t kUnpackedBytes = std::uint64_t{64} << 20;

struct FlushTimes {
  std::uint64_t submitted = 0, completed = 0;  // indices of events
};

std::vector<FlushTimes> flushes_of(const BlockStream& stream, FlushScope device) {
  std::vector<FlushTimes> flushes;
  std::map<std::uint64_t, std::uint64_t> submitted;
  const auto events = stream.events();
  for (std::uint64_t i = 0; i < events.size(); ++i) {
    const StreamEvent& event = events[i];
    const bool is_request =
        event.kind == StreamEventKind::kSubmitted || event.kind == StreamEventKind::kCompleted;
    if (!is_request || event.request != RequestKind::kFlush) continue;
    if (event.scope != FlushScope::kAll && event.scope != device) continue;
    if (event.kind == StreamEventKind::kSubmitted) {
      submitted[event.sequence] = i;
    } else {
      flushes.push_back({submitted[event.sequence], i});
    }
  }
  return flushes;
}

std::vector<FlushScope> devices_of(const BlockStream& stream) {
  if (stream.second_device().value() == stream.block_count()) return {FlushScope::kFirst};
  return {FlushScope::kFirst, FlushScope::kSecond};
}

Result<JournalMap> journal_of(const BlockStream& stream) {
  const ContentView base(stream.pool(), {stream.base().begin(), stream.base().end()});
  const Volume volume = TRY(Volume::open(base));
  const std::uint64_t second = stream.second_device().value();
  const bool is_split = second != stream.block_count();
  return locate_journal_on(base, volume, {is_split ? second * stream.block_bytes() : 0});
}

// The size of the file system's blocks on the disk before an event.
Result<std::uint32_t> block_bytes_at(const File& file, std::uint64_t number) {
  const auto reader = TRY(RecordingReader::open(file, kUnpackedBytes));
  if (number != 0) TRY(reader->start_at(number));
  const auto player = TRY(RecordingPlayer::make(*reader));
  TRY(player->read_base());
  return TRY(Volume::open(player->disk())).superblock().block_bytes();
}

}  // namespace

OnlineExplorer::OnlineExplorer(std::filesystem::path recording, OnlineOptions options,
                               const Clock& clock)
    : path_(std::move(recording)), options_(std::move(options)), clock_(clock) {}

Result<OnlineExplorer::Window> OnlineExplorer::next_window() {
  TRY(past_.open(path_));
  Window window;
  window.end = past_.end();
  const std::uint64_t newest = window.end - std::min(window.end, options_.window_events);
  window.first = std::max({first_, newest, past_.first()});
  window.first = std::min(window.first, window.end);
  window.under_way = TRY(past_.pass(window.first));
  window.end = past_.end();
  return window;
}

// The first crash point at which all that was written before the window is covered or still counted
// as under way; none: not in this window.
std::optional<std::uint64_t> OnlineExplorer::settled_from(const BlockStream& stream,
                                                          const Window& window) const {
  if (window.first == 0) return 0;
  const std::uint32_t lied = options_.explore.explorer.model.lied_flushes;
  std::uint64_t settled = 0;
  for (const FlushScope device : devices_of(stream)) {
    const auto flushes = flushes_of(stream, device);
    // A flush that was under way at the beginning may have been submitted too early.
    const auto first = std::ranges::find_if(
        flushes, [&](const FlushTimes& each) { return each.submitted >= window.under_way; });
    if (flushes.end() - first <= std::int64_t{lied}) return std::nullopt;
    settled = std::max(settled, (first + lied)->completed + 1);
  }
  return window.first_number() + settled;
}

// The latest event from which a window would be settled at the end of this one.
std::uint64_t OnlineExplorer::next_first(const BlockStream& stream, const Window& window) const {
  const std::uint32_t lied = options_.explore.explorer.model.lied_flushes;
  std::uint64_t first = stream.events().size();
  for (const FlushScope device : devices_of(stream)) {
    const auto flushes = flushes_of(stream, device);
    std::uint64_t of_device = 0;
    for (std::size_t i = 0; i + lied < flushes.size(); ++i) {
      of_device = std::max(of_device, flushes[i].submitted);
    }
    first = std::min(first, of_device);
  }
  return std::max(window.first, window.first_number() + first);
}

Result<bool> OnlineExplorer::explore_next(const GoesOn& goes_on) {
  const Window window = TRY(next_window());
  result_.counts.crash_points = past_.crash_points();
  if (window.end <= explored_ || window.first >= window.end) return false;
  if (block_bytes_ == 0) block_bytes_ = TRY(block_bytes_at(past_.file(), window.first));
  const auto reader = TRY(RecordingReader::open(past_.file(), kUnpackedBytes));
  BlockStream stream = TRY(
      BlockStream::make(*reader, block_bytes_, options_.contents_max, {window.first, window.end}));
  const auto settled = settled_from(stream, window);
  if (!settled || *settled >= window.end) return false;
  TRY(explore(stream, window, *settled, goes_on));
  explored_ = window.end;
  first_ = next_first(stream, window);
  return true;
}

void OnlineExplorer::finish() {
  if (!past_.open(path_) || !past_.pass(past_.end())) return;  // the count stays as it was
  result_.counts.crash_points = past_.crash_points();
}

Result<void> OnlineExplorer::explore(BlockStream& stream, const Window& window,
                                     std::uint64_t settled, const GoesOn& goes_on) {
  ExplorerOptions options = options_.explore.explorer;
  options.examiners.clear();
  options.judges_recovery = std::ranges::find(options_.explore.judges, JudgeName::kRecover) !=
                            options_.explore.judges.end();
  options.first_number = window.first_number();
  options.first_point = std::max(settled, explored_);
  options.end_point = window.end;
  options.stream_goes_on = true;
  options.time_max = options_.window_time;
  for (const RecordingPast::Mark& mark : past_.marks()) {
    if (mark.number < window.first) options.known_marks.push_back(mark.text);
  }
  const StateJudges judges(options_.explore.judges);
  Explorer explorer(stream, TRY(journal_of(stream)), judges.all(), clock_, options);
  const auto ran = explorer.run([&](const ExplorerCounts& counts) {
    return goes_on(counts, counts.bad == 0 ? std::vector<GroupedFinding>() : explorer.findings());
  });
  ++result_.windows;
  if (!result_.ranges.empty() && result_.ranges.back().second == options.first_point) {
    result_.ranges.back().second = window.end;
  } else {
    result_.ranges.emplace_back(options.first_point, window.end);
  }
  add(explorer.counts(), explorer.findings());
  if (!ran) return Failure{ran.error()};
  return {};
}

void OnlineExplorer::add(const ExplorerCounts& counts,
                         const std::vector<GroupedFinding>& findings) {
  const std::uint64_t crash_points = result_.counts.crash_points;
  result_.counts.add(counts);
  result_.counts.crash_points = crash_points;  // a window's are counted by who keeps the stream
  for (const GroupedFinding& finding : findings) {
    const auto known = std::ranges::find_if(result_.findings, [&](const GroupedFinding& each) {
      return each.finding.judge == finding.finding.judge &&
             each.finding.rule == finding.finding.rule;
    });
    if (known == result_.findings.end()) {
      result_.findings.push_back(finding);
    } else {
      known->state_count += finding.state_count;
    }
  }
}

}  // namespace powercut::lab
