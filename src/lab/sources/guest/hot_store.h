// The load that makes the race of mapped pages and commits frequent: `hot-store`.
//
// Words
//   page    4096 bytes of a file that is mapped shared; its blocks are allocated before the run
//   dwell   the time a thread goes on storing into the page that it has just faulted
//
// Why it works: the race (docs/guest.md, R3) needs a page whose blocks exist and that bears no
// dirty mark, a store that faults it, and a commit that begins while that fault is on its way.  So
// each thread walks its file page by page and dwells where it has just faulted, while another
// thread makes commits without a pause by sync().
//
// Threads: run_hot_store() starts and joins its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace powercut::lab {

struct HotStoreOptions {
  std::string directory = ".";
  unsigned file_count = 3;                              // one thread each; 1 to 256
  std::uint32_t page_count = 2000;                      // of each file; 1 to 2^20
  Nanoseconds dwell = std::chrono::microseconds(2000);  // up to 10 s
  bool does_sync = true;
  Nanoseconds duration = std::chrono::seconds(60);  // up to a day
};

struct HotStoreTally {
  std::uint64_t page_visits = 0;  // pages faulted and dwelt on, all threads
  std::uint64_t syncs = 0;
};

inline constexpr std::string_view kHotStoreUsage =
    "hot-store [--files N] [--pages N] [--dwell-us N] [--sync|--no-sync] [--seconds N] DIR";

// Reads the words behind `hot-store`.  Errors: kInvalid, with the word in the detail.
Result<HotStoreOptions> parse_hot_store(const std::vector<std::string>& words);

// Makes the files hot-0, hot-1, ... in the directory, writes and syncs them, then runs the load for
// the duration; the last sync may take longer.  The files stay.
// Errors: kIo, kNoSpace, kNotFound (no such directory).
Result<HotStoreTally> run_hot_store(const HotStoreOptions& options, const Clock& clock);

// The whole program: parses, runs, writes one line to standard output or error.  The exit status.
int hot_store_main(const std::vector<std::string>& words);

}  // namespace powercut::lab
