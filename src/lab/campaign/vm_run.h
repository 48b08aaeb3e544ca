// One run: a kernel in a virtual machine, a fresh file system on a disk of ours, a load, and every
// commit checked while it is written.
//
// Invariants
//   1. After run_in_vm() nothing of the run is left: no guest, no server, no folder but the
//      results.
//   2. Every wait is bounded: boot, mount, load, end.
//   3. An ending that is the guest's or the environment's fault is no error: it stands in `ending`
//      and `trouble`, beside the results so far.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lab/campaign/run_outcome.h"
#include "lab/sources/guest/guest_job.h"

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
  std::optional<OnlineOptions> online;  // explores what is recorded while the load runs
};

// Errors: what keeps a run from beginning: kNotFound (a program or library), kNoSpace, kLimit, kIo,
// kInvalid.
Result<RunOutcome> run_in_vm(const RunOptions& options, const LabEnvironment& environment);

// Two ways in which a journal block changes between its checksum and its write, each with the load
// that makes it frequent.
enum class HuntLoad : std::uint8_t {
  kStore,  // a page is stored to through a map (guest/hot_store.h); Linux 5.10 to 6.3
  kCut,    // a file is cut in the middle of a block (guest/hot_cut.h); seen in 6.1, 6.12 and 6.18
};

// The load and the settings that go with it; of kStore: one processor, full preemption, a sync
// loop, short timers, a throttled disk.  Kernel, seconds, until_first, keep and record are the
// caller's.
RunOptions hunt_options(const KernelImage& kernel, HuntLoad load, Nanoseconds seconds);

}  // namespace powercut::lab
