#include "lab/campaign/vm_run.h"

#include "lab/campaign/load_run.h"
#include "lab/sources/disk_door.h"
#include "lab/sources/initramfs.h"
#include "lab/sources/vm.h"

namespace powercut::lab {
namespace {

Result<DiskDoor> open_door(const RunOptions& options, const std::filesystem::path& folder) {
  DiskOptions door;
  door.folder = folder;
  door.size_bytes = options.disk_bytes;
  door.journal_mib = options.journal_mib;
  door.mkfs_options = options.mkfs_options;
  door.keep = options.keep;
  door.record = options.record;
  door.record_bytes_max = options.record_bytes_max;
  return DiskDoor::open(door);
}

}  // namespace

Result<RunOutcome> run_in_vm(const RunOptions& options, const LabEnvironment& environment) {
  RunOutcome outcome;
  outcome.kernel = options.kernel;
  GuestJob job;
  job.commands = options.commands;
  job.mount_options = options.mount_options;
  job.settings = options.settings;
  job.command_limit = options.load_limit;
  job.has_marks = true;
  VmOptions vm_options;
  vm_options.kernel = options.kernel;
  vm_options.initramfs =
      TRY(build_initramfs(options.kernel, job, {environment.guest_program, options.programs, {}}));
  const auto accelerator =
      TRY(choose_accelerator(options.accelerator, options.kernel, environment.guest_program,
                             environment.cache_dir, environment.clock));
  outcome.accelerator = vm_options.accelerator = accelerator.accelerator;
  outcome.accelerator_reason = accelerator.reason;
  const TempDirectory folder = TRY(TempDirectory::make("run"));
  DiskDoor door = TRY(open_door(options, folder.path()));
  vm_options.disk_socket = door.socket();
  vm_options.marks_socket = door.marks();
  vm_options.cpus = options.cpus;
  vm_options.memory_mib = options.memory_mib;
  vm_options.append = options.append;
  vm_options.throttle_iops = options.throttle_iops;
  VirtualMachine vm = TRY(VirtualMachine::start(std::move(vm_options), environment.clock));
  LoadRunOptions load;
  load.load_limit = options.load_limit;
  load.until_first = options.until_first;
  load.keeps_image = !options.keep.empty();
  load.online = options.online ? &*options.online : nullptr;
  load.recording = options.record;
  run_load(load, environment, door, vm, outcome);
  return outcome;
}

RunOptions hunt_options(const KernelImage& kernel, HuntLoad load, Nanoseconds seconds) {
  RunOptions options;
  options.kernel = kernel;
  const auto whole_seconds = std::chrono::duration_cast<std::chrono::seconds>(seconds).count();
  // Making and syncing the files comes before the load's own clock.
  options.load_limit = seconds + std::chrono::seconds(60);
  if (load == HuntLoad::kCut) {
    options.commands = {{"hot-cut", "--seconds", std::to_string(whole_seconds), "."}};
    return options;
  }
  options.commands = {{"hot-store", "--files", "3", "--pages", "2000", "--dwell-us", "2000",
                       "--sync", "--seconds", std::to_string(whole_seconds), "."}};
  options.settings = {{"vm/dirty_expire_centisecs", "10"}, {"vm/dirty_writeback_centisecs", "10"}};
  options.append = {"preempt=full"};
  options.cpus = 1;
  options.throttle_iops = 400;
  return options;
}

}  // namespace powercut::lab
