// Explores a recording while it is written: what a power cut could have left of the newest part of
// the stream, window after window.
//
// Words
//   window    the events from `first` to the end of what is written by then, at most so many
//   settled   the crash points of a window at which nothing that was written before it may still be
//             lost: the states there are just those of the whole stream, and have the same names
//   share     of the time of one processor, that the explorer may take
//
// Invariants
//   1. Only settled crash points are explored, and each at most once: what is said of one is what
//      an exploration of the whole recording says.
//   2. A window begins far enough before the end of the last one that no crash point is lost
//      between them, unless the stream is further ahead than a window: then the newest part is
//      taken, and what lies between is never explored.
//   3. The end of what is written is no crash point: the stream goes on.
//   4. Memory is bounded by one window, its disk's contents, and the marks.
//
// Threads: one caller at a time; online_thread.h gives it one of its own.
#pragma once

#include <filesystem>

#include "lab/campaign/explore.h"
#include "lab/record/recording_past.h"

namespace powercut::lab {

struct OnlineOptions {
  // Of the judges only those of states that need no mount are asked.
  ExploreOptions explore = {};
  double share = 0.25;
  std::uint64_t window_events = 20'000;
  Nanoseconds window_time = std::chrono::seconds(8);  // pauses included
  std::uint64_t contents_max = std::uint64_t{512} << 20;
};

struct OnlineResult {
  // Added up over the windows; crash_points: of the whole stream, about.
  ExplorerCounts counts;
  std::vector<GroupedFinding> findings;
  std::uint64_t windows = 0;
  // The events whose crash points were looked at: [first, second), ascending, apart.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  std::string trouble;  // why it ended before the stream; empty: it did not
};

class OnlineExplorer {
 public:
  OnlineExplorer(std::filesystem::path recording, OnlineOptions options, const Clock& clock);

  // Explores one window of what is there now; false: nothing in it is new and settled.  `goes_on`
  // is asked now and then, with that window's counts; false ends the window. Errors: of the
  // recording or the explorer; kLimit: of memory.
  using GoesOn = std::function<bool(const ExplorerCounts&, const std::vector<GroupedFinding>&)>;
  Result<bool> explore_next(const GoesOn& goes_on);
  const OnlineResult& result() const { return result_; }
  // Counts what came since the last window.
  void finish();
  void set_trouble(std::string words) { result_.trouble = std::move(words); }

 private:
  struct Window {
    std::uint64_t first = 0, end = 0;  // events
    std::uint64_t under_way = 0;       // requests before `first`
    // Of the stream's first event: those that were under way come before `first`.
    std::uint64_t first_number() const { return first - under_way; }
  };
  Result<Window> next_window();
  std::optional<std::uint64_t> settled_from(const BlockStream& stream, const Window& window) const;
  std::uint64_t next_first(const BlockStream& stream, const Window& window) const;
  Result<void> explore(BlockStream& stream, const Window& window, std::uint64_t settled,
                       const GoesOn& goes_on);
  void add(const ExplorerCounts& counts, const std::vector<GroupedFinding>& findings);

  const std::filesystem::path path_;
  const OnlineOptions options_;
  const Clock& clock_;
  RecordingPast past_;
  std::uint32_t block_bytes_ = 0;  // of the file system; 0: not known yet
  std::uint64_t first_ = 0;        // where the next window should begin
  std::uint64_t explored_ = 0;     // crash points before it are done with
  OnlineResult result_;
};

}  // namespace powercut::lab
