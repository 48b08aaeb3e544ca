// One run from the start of its machine to the end of its disk: the same for a virtual machine and
// for the running kernel.
//
// Invariants
//   1. Every wait is bounded: boot, mount, load, end.
//   2. An ending that is the machine's or the environment's fault is no error: it stands in
//   `ending`
//      and `trouble`, beside the results so far.
#pragma once

#include "lab/campaign/run_outcome.h"
#include "lab/sources/disk_server.h"
#include "lab/sources/load_machine.h"

namespace powercut::lab {

struct LoadRunOptions {
  Nanoseconds load_limit{0};
  bool until_first = false;
  bool keeps_image = false;  // the disk keeps one at the first finding
  // How long the disk may take to end by itself, when nobody is left who is served; then it is
  // told.
  Nanoseconds disk_end_limit{0};
  // Explores this recording while the load runs; null: does not.
  const OnlineOptions* online = nullptr;
  std::filesystem::path recording;
  // The words for this kind of machine.
  Ending lost = Ending::kGuestLost, hung = Ending::kHung;
  std::string_view machine_name = "the guest", process_name = "QEMU";
};

// Until the run has ended; machine and disk have then, too.  Fills in what of `outcome` is found
// out here: all but kernel and accelerator.
void run_load(const LoadRunOptions& options, const LabEnvironment& environment, DiskServer& disk,
              LoadMachine& machine, RunOutcome& outcome);

}  // namespace powercut::lab
