// The load that cuts files while they commit: `hot-cut`.
//
// Why it works: under data=journal ftruncate(2) zeroes the rest of the last page in the page cache
// before it asks the journal for the page's buffer (docs/findings.md).  A commit that has computed
// its checksum by then, and has not written it yet, writes what does not match.  So each thread
// writes its file, waits a little and cuts it in the middle of a block, while another thread makes
// commits without a pause by fsync() of a file of its own.
//
// Threads: run_hot_cut() starts and joins its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace powercut::lab {

struct HotCutOptions {
  std::string directory = ".";
  unsigned file_count = 4;                             // one thread each; 1 to 256
  std::uint32_t page_count = 16;                       // of each file; 1 to 4096
  Nanoseconds wait = std::chrono::microseconds(2000);  // before the cut, at most; up to 10 s
  Nanoseconds duration = std::chrono::seconds(60);     // up to a day
};

struct HotCutTally {
  std::uint64_t cuts = 0;  // all threads
  std::uint64_t syncs = 0;
};

inline constexpr std::string_view kHotCutUsage =
    "hot-cut [--files N] [--pages N] [--wait-us N] [--seconds N] DIR";

// Reads the words behind `hot-cut`.  Errors: kInvalid, with the word in the detail.
Result<HotCutOptions> parse_hot_cut(const std::vector<std::string>& words);

// Makes the files cut-0, cut-1, ... and cut-sync in the directory, and runs the load for the
// duration.  The files stay.  Errors: kIo, kNoSpace, kNotFound (no such directory): the first one
// of any thread; all of them end with it.
Result<HotCutTally> run_hot_cut(const HotCutOptions& options, const Clock& clock);

// The whole program: parses, runs, writes one line to standard output or error.  The exit status.
int hot_cut_main(const std::vector<std::string>& words);

}  // namespace powercut::lab
