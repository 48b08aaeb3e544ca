// A thread that explores a recording while it is written (online_explorer.h), with a share of a
// processor: after each piece of work it pauses for as long as that share asks for.
//
// States: running -> ended, when it is told to, or cannot go on (result().trouble).
// Threads: its own; the functions are called by one other.
#pragma once

#include <thread>

#include "base/sync.h"
#include "lab/campaign/online_explorer.h"

namespace powercut::lab {

class OnlineThread {
 public:
  // Starts.  `clock` must outlive it.
  OnlineThread(const std::filesystem::path& recording, const OnlineOptions& options,
               const Clock& clock);
  ~OnlineThread();

  struct News {
    std::uint64_t crash_points = 0;     // of the stream so far, about
    std::uint64_t explored = 0;         // of these
    std::vector<GroupedFinding> fresh;  // rules that the last call did not know of
  };
  News news() EXCLUDES(mutex_);
  // Ends the window under way, and the thread; the result does not change any more.
  const OnlineResult& stop() EXCLUDES(mutex_);

 private:
  void work() EXCLUDES(mutex_);
  void explore_all() EXCLUDES(mutex_);
  // Tells what is new, and pauses; false: it is to end.
  bool tell(const ExplorerCounts& counts, const std::vector<GroupedFinding>& findings)
      EXCLUDES(mutex_);
  bool keep_share() EXCLUDES(mutex_);
  // False: it is to end.
  bool pause(Nanoseconds length) EXCLUDES(mutex_);

  const Clock& clock_;
  const double share_;
  OnlineExplorer explorer_;  // of the thread, while it runs
  Nanoseconds working_since_{0};

  Mutex mutex_{LockRank::kReport};
  Condition changed_;
  bool is_stopping_ GUARDED_BY(mutex_) = false;
  News news_ GUARDED_BY(mutex_);
  std::vector<std::string> told_ GUARDED_BY(mutex_);  // rules that were news
  std::jthread thread_;
};

}  // namespace powercut::lab
