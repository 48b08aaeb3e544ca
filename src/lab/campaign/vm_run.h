// One run: a kernel in a virtual machine, a fresh file system on a disk of ours, a load, and every
// commit checked while it is written.
//
// Words
//   run       one boot and its load; the unit of every rate
//   ending    why the run ended; what was found until then is kept in each case
//
// Invariants
//   1. After run_in_vm() nothing of the run is left: no guest, no server, no folder but the
//      results.
//   2. Every wait is bounded: boot, mount, load, end.
//   3. An ending that is the guest's or the environment's fault is no error: it stands in `ending`
//      and `trouble`, beside the results so far.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lab/sources/disk_door.h"
#include "lab/sources/guest/guest_job.h"
#include "lab/sources/vm_accelerator.h"

namespace powercut::lab {

struct RunOptions {
  KernelImage kernel;
  std::vector<std::vector<std::string>> commands;  // in the guest, one after another
  std::vector<std::string> programs;               // brought along besides those
  std::string mount_options = "data=journal";
  std::vector<KernelSetting> settings;
  std::vector<std::string> append;  // to the kernel's command line
  unsigned cpus = 2;
  unsigned memory_mib = 1024;
  unsigned throttle_iops = 0;  // 0: none
  Accelerator accelerator = Accelerator::kAuto;
  Nanoseconds load_limit = std::chrono::seconds(60);
  bool until_first = false;  // cut the power at the first finding
  std::uint64_t disk_bytes = std::uint64_t{1} << 30;
  std::uint32_t journal_mib = 64;
  std::vector<std::string> mkfs_options;
  std::filesystem::path keep;    // the image at the first finding goes here
  std::filesystem::path record;  // a recording of all requests goes here
  std::uint64_t record_bytes_max = std::uint64_t{4} << 30;
};

enum class Ending : std::uint8_t {
  kLoadEnded,     // the load did what it was to do, and the guest went off in order
  kFirstFinding,  // until_first
  kInterrupted,   // by the user
  kLoadFailed,    // the load ended with an error of its own
  kMountFailed,
  kPanic,       // the guest's kernel stopped
  kHung,        // the guest did not go on within a bound
  kGuestLost,   // QEMU ended by itself, or the guest never booted
  kDiskFailed,  // requests to the disk failed: its storage is full or broken
  kDiskLost,    // the disk's process ended by itself
};
std::string_view ending_name(Ending ending);
// Whether the load ran as long as it was asked to, or until what it was to find.
bool is_complete(Ending ending);

struct RunOutcome {
  KernelImage kernel;
  Accelerator accelerator = Accelerator::kTcg;
  std::string accelerator_reason;  // why not KVM, if that was found out just now
  Ending ending = Ending::kLoadEnded;
  std::string trouble;  // in words, for every ending but the first two
  // Seconds since the machine was started; absent where it did not come so far.
  std::optional<double> booted, mounted, load_started, load_ended;
  double seconds = 0;  // the whole run
  DiskStatus disk;
  std::string disk_words;         // what the disk's server complained of
  std::vector<Finding> findings;  // at most kFindingsMax; their times are since the load's start
  KeptImage kept;
  double guest_cpu_seconds = 0;  // QEMU's
  std::string load_output;       // the load's last lines
  std::string console_tail;

  static constexpr std::size_t kFindingsMax = 10'000;
  double load_seconds() const;
  std::optional<double> first_finding_seconds() const;  // since the load's start
  // Whether it came to its end with every commit looked at: a journal that could not be read in the
  // end says nothing about what went through it.
  bool is_whole() const { return is_complete(ending) && disk.trouble.empty(); }
  // Tids that passed, each with its commit seen.
  bool has_all_commits() const { return disk.counters.commit_count == disk.counters.tid_count; }
  // The share of the check in all processor time that the run took, 0 to 1.
  double check_share() const;
};

// How a run is going, a few times a second.
struct RunProgress {
  std::string_view phase;  // "booting", "mounting", "load", "ending"
  double phase_seconds = 0;
  const DiskStatus* disk = nullptr;
  const Finding* finding = nullptr;  // just found
};
using RunProgressSink = std::function<void(const RunProgress&)>;

struct LabEnvironment {
  const Clock& clock;
  std::filesystem::path cache_dir;
  std::filesystem::path guest_program;  // powercut-guest
  RunProgressSink progress;             // may be empty
};

// Errors: what keeps a run from beginning: kNotFound (a program or library), kNoSpace, kLimit, kIo,
// kInvalid.
Result<RunOutcome> run_in_vm(const RunOptions& options, const LabEnvironment& environment);

// The amplified load that makes the race frequent, with the settings that go with it: one
// processor, full preemption, a sync loop, short timers, a throttled disk.  Kernel, seconds,
// until_first, keep and record are the caller's.
RunOptions hunt_options(const KernelImage& kernel, Nanoseconds seconds);

}  // namespace powercut::lab
