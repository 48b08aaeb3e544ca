#include "lab/campaign/host_run.h"

#include "host/machine.h"
#include "host/running.h"
#include "lab/campaign/load_run.h"
#include "lab/sources/host_disk.h"
#include "lab/sources/host_stage.h"

namespace powercut::lab {
namespace {

// What a kernel still writes after the stage is gone.
constexpr auto kDiskEndLimit = std::chrono::seconds(30);

HostDiskOptions disk_options(const HostRunOptions& options, const std::filesystem::path& folder) {
  HostDiskOptions disk;
  disk.folder = folder;
  disk.size_bytes = options.disk_bytes;
  disk.has_file_system = !options.hands_over_device;
  disk.journal_mib = options.journal_mib;
  disk.has_external_journal = options.has_external_journal;
  disk.mkfs_options = options.mkfs_options;
  disk.is_allocated = options.is_allocated;
  disk.keep = options.keep;
  disk.record = options.record;
  disk.record_bytes_max = options.record_bytes_max;
  disk.write_delay = options.write_delay;
  disk.marks = folder / "marks.sock";
  disk.is_judged = options.is_judged;
  return disk;
}

Result<void> check_options(const HostRunOptions& options) {
  if (!is_root()) {
    return fail(Errc::kReadOnly,
                "a run on the running kernel needs root, to mount (sudo); in a virtual machine it "
                "needs none (--kernel debian:6.12)");
  }
  if (options.online && options.record.empty()) {
    return fail(Errc::kInvalid, "nothing is recorded that could be explored while it runs");
  }
  if (options.command.empty()) return fail(Errc::kInvalid, "there is no command to run");
  if (options.has_external_journal && options.hands_over_device) {
    return fail(Errc::kInvalid, "a raw device has no journal of its own");
  }
  const std::uint32_t block = options.block_bytes;
  if (block < 512 || block > 4096 || (block & (block - 1)) != 0) {
    return fail(Errc::kInvalid, "the device's block is 512, 1024, 2048 or 4096 bytes", block);
  }
  return {};
}

}  // namespace

Result<RunOutcome> run_on_host(const HostRunOptions& options, const LabEnvironment& environment) {
  TRY(check_options(options));
  RunOutcome outcome;
  outcome.kernel.name = "running";
  outcome.kernel.release = kernel_release();
  const TempDirectory folder = TRY(TempDirectory::make("run"));
  HostDisk disk = TRY(HostDisk::open(disk_options(options, folder.path()), environment.program));
  HostStageOptions stage_options;
  stage_options.program = environment.program;
  stage_options.folder = folder.path();
  stage_options.disk_root = disk.root();
  stage_options.block_bytes = options.block_bytes;
  stage_options.hands_over_device = options.hands_over_device;
  stage_options.has_second = options.has_external_journal;
  stage_options.mount_options = options.mount_options;
  stage_options.command = options.command;
  stage_options.load_limit = options.load_limit;
  stage_options.marks = folder.path() / "marks.sock";
  HostStage stage = TRY(HostStage::start(stage_options, environment.clock));
  disk.release_root();
  LoadRunOptions load;
  load.load_limit = options.load_limit;
  load.until_first = options.until_first;
  load.keeps_image = !options.keep.empty();
  load.online = options.online ? &*options.online : nullptr;
  load.recording = options.record;
  load.disk_end_limit = kDiskEndLimit;
  load.lost = Ending::kStageLost;
  load.hung = Ending::kStageHung;
  load.machine_name = load.process_name = "the stage";
  run_load(load, environment, disk, stage, outcome);
  return outcome;
}

HostRunOptions classic_host_options(Nanoseconds seconds) {
  HostRunOptions options;
  options.command = classic_command(processor_count());
  options.mount_options = "data=journal";
  options.load_limit = seconds;
  return options;
}

std::vector<std::string> classic_command(unsigned processors) {
  return {"stress-ng", "--mmap", std::to_string(4 * processors), "--mmap-file"};
}

}  // namespace powercut::lab
