// One run on the running kernel: a fresh file system on a disk of ours behind a loop device, a
// load, and every commit checked while it is written.
//
//   powercut -- starts and ends the other two; counts; keeps results
//     +- powercut-disk -- FUSE: storage, order of requests, judge, recording
//     (lab/sources/host_disk.h)
//     +- stage -- loop device, mount, load, unmount (lab/sources/host_stage.h)
//         `- first -- process 1 of the load's namespace
//             `- COMMAND
//
// Invariants
//   1. After run_on_host() nothing of the run is left: no mount, no loop device, no process, no
//      folder but the results.  After a kill -9 of any of them neither, but for the folder, which
//      the next run removes.
//   2. Every wait is bounded.
#pragma once

#include "lab/campaign/run_outcome.h"

namespace powercut::lab {

struct HostRunOptions {
  std::vector<std::string> command;
  std::string mount_options;       // empty: as the kernel mounts by itself
  bool hands_over_device = false;  // an empty disk in $POWERCUT_DEVICE: no mkfs, no mount
  Nanoseconds load_limit = std::chrono::seconds(60);
  bool until_first = false;  // end at the first finding
  std::uint64_t disk_bytes = std::uint64_t{1} << 30;
  std::uint32_t block_bytes = 512;  // the device's smallest unit
  std::uint32_t journal_mib = 64;
  bool has_external_journal = false;  // on a device of its own, with a cache of its own
  std::vector<std::string> mkfs_options;
  bool is_allocated = false;     // the disk's storage is taken at the start
  Nanoseconds write_delay{0};    // from a write's coming in to its completion
  bool is_judged = true;         // else no commit is checked: to measure what the check costs
  std::filesystem::path keep;    // the image at the first finding goes here
  std::filesystem::path record;  // a recording of all requests goes here
  std::uint64_t record_bytes_max = std::uint64_t{4} << 30;
  std::optional<OnlineOptions> online;  // explores what is recorded while the load runs
};

// Errors: what keeps a run from beginning: kNotFound (a program, FUSE, loop devices), kUnsupported,
// kReadOnly (not root), kNoSpace, kLimit, kIo, kInvalid.
Result<RunOutcome> run_on_host(const HostRunOptions& options, const LabEnvironment& environment);

// The load of the report of 2020: data=journal, and stress-ng with as many workers.
HostRunOptions classic_host_options(Nanoseconds seconds);
std::vector<std::string> classic_command(unsigned processors);

}  // namespace powercut::lab
