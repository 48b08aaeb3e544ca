// A recording explored: every state that a power cut could have left, recovered and judged.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "lab/check/differential_judge.h"
#include "lab/check/explorer.h"
#include "lab/promise/promise.h"
#include "lab/record/recording_file.h"
#include "lab/verify/verify_recording.h"

namespace powercut::lab {

struct ExploreOptions {
  ExplorerOptions explorer = {};
  std::vector<JudgeName> judges = {JudgeName::kTag, JudgeName::kOrder, JudgeName::kRecover,
                                   JudgeName::kStructure, JudgeName::kContent};
  // What the file system was mounted with: with kOrdered, `order` looks at the data of files, too.
  DataMode data_mode = DataMode::kUnknown;
  // For the judge `command`, which must be among `judges`: what runs in each recovered tree.
  std::string check_command = {};
  Nanoseconds check_limit = std::chrono::seconds(60);  // for one state
  std::string mount_options = {};                      // of the mounts of `command`
  // Only this state.
  std::optional<StateId> one = std::nullopt;
  // With `one`: the disk as it is in that state, before any recovery, goes to this new file.
  std::filesystem::path extract = {};
  std::uint64_t memory_max = std::uint64_t{4} << 30;  // contents of blocks, bytes
};

struct ExploreResult {
  std::uint64_t disk_bytes = 0;
  std::uint32_t block_bytes = 0;
  bool is_cut = false;                // the recording ends in a broken part
  std::uint64_t left_out_events = 0;  // oldest ones, for which there was no memory
  std::vector<JudgeName> judges;      // that looked
  ExplorerCounts counts;
  std::vector<GroupedFinding> findings;            // of states
  std::vector<CheckFinding> stream_findings;       // of judges of the stream
  std::optional<Verification> tag;                 // with that judge
  std::optional<DifferentialCounts> differential;  // with that judge
  bool has_findings() const {
    return !findings.empty() || !stream_findings.empty() || (tag && !tag->findings.empty());
  }
  // What was not looked at, since time or states were over; a share of the crash points, 0 to 1.
  double left_out() const {
    if (counts.crash_points == 0) return 0;
    return 1 - static_cast<double>(counts.explored) / static_cast<double>(counts.crash_points);
  }
};

// The judges that look at recordings without being asked for; `differential` and `command` are the
// others, and need root.
std::vector<JudgeName> explore_judges();

// The recording must begin with an ext4 file system that has its journal inside, or on the second
// device of the recorded disk.  `goes_on` is
// asked now and then with the counts so far; false ends it in order.
// Errors: kInvalid: no such state, or judge; kNotFound: no journal; as Volume::open; kLimit: more
// memory; kExists, kNoSpace: the file to extract to; kAborted: the check of our own recovery
// failed.
Result<ExploreResult> explore(const Recording& recording, const ExploreOptions& options,
                              const Clock& clock,
                              const std::function<bool(const ExplorerCounts&)>& goes_on);

// The same of a recording in a file, which takes `recording_max` bytes of memory at most: of a
// larger one its end, as if what is before it had been folded.
// Errors: also those of read_recording().
Result<ExploreResult> explore_file(const std::filesystem::path& path, std::uint64_t recording_max,
                                   const ExploreOptions& options, const Clock& clock,
                                   const std::function<bool(const ExplorerCounts&)>& goes_on);

}  // namespace powercut::lab
