#include "lab/campaign/online_thread.h"

#include <algorithm>
#include <utility>

namespace powercut::lab {
namespace {

constexpr auto kNothingNew = std::chrono::milliseconds(200);  // then the file is looked at again
constexpr auto kWorkPiece = std::chrono::milliseconds(5);     // before a pause
constexpr double kShareMin = 0.01;

std::string rule_of(const GroupedFinding& group) {
  return std::string(judge_name(group.finding.judge)) + " " + group.finding.rule;
}

}  // namespace

OnlineThread::OnlineThread(const std::filesystem::path& recording, const OnlineOptions& options,
                           const Clock& clock)
    : clock_(clock),
      share_(std::clamp(options.share, kShareMin, 1.0)),
      explorer_(recording, options, clock),
      thread_([this] { work(); }) {}

OnlineThread::~OnlineThread() {
  stop();
}

const OnlineResult& OnlineThread::stop() {
  {
    const Lock lock(mutex_);
    is_stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  return explorer_.result();
}

OnlineThread::News OnlineThread::news() {
  const Lock lock(mutex_);
  News news = news_;
  news_.fresh.clear();
  return news;
}

void OnlineThread::work() {
  explore_all();
  explorer_.finish();
}

void OnlineThread::explore_all() {
  working_since_ = clock_.now();
  for (;;) {
    const auto explored = explorer_.explore_next(
        [this](const ExplorerCounts& counts, const std::vector<GroupedFinding>& findings) {
          return tell(counts, findings);
        });
    if (!explored) return explorer_.set_trouble(error_words(explored.error()));
    if (!tell({}, explorer_.result().findings)) return;
    if (*explored) continue;
    if (!pause(kNothingNew)) return;
    working_since_ = clock_.now();
  }
}

// `counts`: of the window under way, which the result does not have yet.
bool OnlineThread::tell(const ExplorerCounts& counts, const std::vector<GroupedFinding>& findings) {
  {
    const Lock lock(mutex_);
    news_.crash_points = explorer_.result().counts.crash_points;
    news_.explored = explorer_.result().counts.explored + counts.explored;
    for (const GroupedFinding& group : findings) {
      if (std::ranges::find(told_, rule_of(group)) != told_.end()) continue;
      told_.push_back(rule_of(group));
      news_.fresh.push_back(group);
    }
  }
  return keep_share();
}

bool OnlineThread::keep_share() {
  const Nanoseconds worked = clock_.now() - working_since_;
  if (worked < kWorkPiece) return pause(Nanoseconds{0});
  const double pause_seconds = seconds_of(worked) * (1 / share_ - 1);
  const bool goes_on = pause(nanoseconds_of(pause_seconds));
  working_since_ = clock_.now();
  return goes_on;
}

bool OnlineThread::pause(Nanoseconds length) {
  const Nanoseconds end = clock_.now() + length;
  const Lock lock(mutex_);
  while (!is_stopping_ && clock_.now() < end) changed_.wait_for(mutex_, end - clock_.now());
  return !is_stopping_;
}

}  // namespace powercut::lab
