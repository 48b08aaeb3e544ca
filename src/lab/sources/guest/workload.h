// Loads whose files say of themselves what they hold, and whose marks say what was promised:
// `workload mmap|write|append|rename|mixed DIR`.  docs/workloads.md.
//
//   write    writes over ranges of its files, and syncs some of them
//   mmap     stores into its files through maps, page by page upwards, and syncs ranges
//   append   adds records to logs, and begins a new log when one is full
//   rename   replaces a file by a new one: written beside it, synced (or not), renamed over it
//   mixed    all of these, and truncates, punches holes, allocates, links, unlinks
//
// Each thread has a folder of its own in DIR, KIND-RUN-tN.  At the end all files are read back:
// what is wrong there is wrong in a running kernel. Threads: run_workload() starts and joins its
// own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace powercut::lab {

struct WorkloadOptions {
  std::string kind;
  std::string directory = ".";
  unsigned thread_count = 4;     // 1 to 64
  unsigned file_count = 3;       // of each thread; 1 to 64
  std::uint32_t file_kib = 256;  // of each file, at most; a multiple of 4, 8 to 8192
  unsigned sync_percent = 20;    // of the operations are followed by a sync; 0 to 100
  Nanoseconds duration = std::chrono::seconds(10);
  std::uint64_t operation_max = 0;  // of each thread; 0: as the time allows
  std::uint64_t seed = 1;
  std::string marks;  // where marks go (mark_client.h); empty: there is no such place
};

struct WorkloadTally {
  std::uint64_t operations = 0, syncs = 0, marks = 0, files = 0, words_checked = 0;
  std::string data_mode;    // of the file system, as promise.h calls it
  std::string first_wrong;  // what was read back that should not be; empty if nothing was
};

inline constexpr std::string_view kWorkloadUsage =
    "workload mmap|write|append|rename|mixed [--threads N] [--files N] [--kib N] [--sync PERCENT] "
    "[--seconds N] [--operations N] [--seed N] DIR";

// Reads the words behind `workload`.  Errors: kInvalid, with the word in the detail.
Result<WorkloadOptions> parse_workload(const std::vector<std::string>& words);

// Errors: kIo, kNoSpace, kNotFound; kLimit: the versions of a file are used up; kAborted, kTimeout:
// the disk does not take marks any more.
Result<WorkloadTally> run_workload(const WorkloadOptions& options, const Clock& clock);

// The whole program; `marks` as WorkloadOptions has it.  The exit status: 1 if what was read back
// is wrong.
int workload_main(const std::vector<std::string>& words, const std::string& marks);

}  // namespace powercut::lab
