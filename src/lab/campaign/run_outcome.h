// What one run gave, and how it is told while it goes on: the same for all places where a load
// runs.
//
// Words
//   run       one fresh file system and its load; the unit of every rate
//   ending    why the run ended; what was found until then is kept in each case
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lab/campaign/online_explorer.h"
#include "lab/sources/disk_report.h"
#include "lab/sources/kernel.h"
#include "lab/sources/vm_accelerator.h"

namespace powercut::lab {

enum class Ending : std::uint8_t {
  kLoadEnded,     // the load did what it was to do, and the guest went off in order
  kFirstFinding,  // until_first
  kInterrupted,   // by the user
  kLoadFailed,    // the load ended with an error of its own
  kMountFailed,
  kPanic,       // the guest's kernel stopped
  kHung,        // the guest did not go on within a bound
  kGuestLost,   // QEMU ended by itself, or the guest never booted
  kStageHung,   // on the running kernel: the stage did not go on within a bound
  kStageLost,   // it ended by itself
  kDiskFailed,  // requests to the disk failed: its storage is full or broken
  kDiskLost,    // the disk's process ended by itself
};
std::string_view ending_name(Ending ending);
// Whether the load ran as long as it was asked to, or until what it was to find.
bool is_complete(Ending ending);

struct RunOutcome {
  KernelImage kernel;                      // of the running kernel: name and release alone
  std::optional<Accelerator> accelerator;  // absent: it ran on the running kernel
  std::string accelerator_reason;          // why not KVM, if that was found out just now
  Ending ending = Ending::kLoadEnded;
  std::string trouble;  // in words, for every ending but the first two
  // Seconds since the machine was started; absent where it did not come so far.
  std::optional<double> booted, mounted, load_started, load_ended;
  double seconds = 0;  // the whole run
  DiskStatus disk;
  std::string disk_words;         // what the disk's server complained of
  std::vector<Finding> findings;  // at most kFindingsMax; their times are since the load's start
  // One a finding: who made the page dirty, and when its commit entered which phase; empty where
  // nobody looked.
  std::vector<std::string> witnesses;
  KeptImage kept;
  double guest_cpu_seconds = 0;           // QEMU's; on the running kernel: the load's processes'
  std::optional<OnlineResult> online;     // explored while the load ran, if it was to be
  std::optional<ExploreResult> explored;  // its recording, if it was to be and could be
  std::string not_explored;               // why not
  std::filesystem::path recording;        // where it lies; empty: nowhere
  std::string explore_again;              // the command that does it, but for a state's words
  std::string load_output;                // the load's last lines
  std::string console_tail;

  static constexpr std::size_t kFindingsMax = 10'000;
  double load_seconds() const;
  std::optional<double> first_finding_seconds() const;  // since the load's start
  // Whether it came to its end with every commit looked at: a journal that could not be read in the
  // end says nothing about what went through it.
  bool is_whole() const { return is_complete(ending) && disk.trouble.empty(); }
  // Tids that passed, each with its commit seen.
  bool has_all_commits() const { return disk.counters.commit_count == disk.counters.tid_count; }
  bool has_findings() const { return disk.counters.finding_count > 0 || has_bad_states(); }
  bool has_bad_states() const {
    return (online && !online->findings.empty()) || (explored && explored->has_findings());
  }
  // The share of the check in all processor time that the run took, 0 to 1.
  double check_share() const;
};

// How a run is going, a few times a second.
struct RunProgress {
  std::string_view phase;  // "booting", "mounting", "load", "ending"
  double phase_seconds = 0;
  const DiskStatus* disk = nullptr;
  const Finding* finding = nullptr;  // just found
  std::string_view witness = {};     // of it, as RunOutcome has it
  // Where states are explored while the load runs: of how many crash points, about.
  std::optional<std::pair<std::uint64_t, std::uint64_t>> explored = {};
  const GroupedFinding* bad_state = nullptr;  // just found
};
using RunProgressSink = std::function<void(const RunProgress&)>;

struct LabEnvironment {
  const Clock& clock;
  std::filesystem::path cache_dir;
  std::filesystem::path guest_program;  // powercut-guest; for a machine only
  std::filesystem::path program;        // powercut itself, to start its parts
  RunProgressSink progress;             // may be empty
};

}  // namespace powercut::lab
