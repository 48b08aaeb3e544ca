// A corner of this machine where a load runs: the process that attaches the disk, mounts it, runs
// the load and takes all of it down again.
//
// Words
//   stage    that process of ours; it has mounts of its own, which end with it
//   first    process 1 of the load's namespace (host/confined.h); the load ends with it
//
// Steps, each told on standard output as a guest's init does (vm_console.h): booted; the loop
// device is attached and the file system mounted: mounted, or mount failed; load started; load
// ended; unmounted, and nobody uses the device any more: off.
//
// Invariants
//   1. Errors of the file system only make it read-only (errors=remount-ro): a finding cannot stop
//      this machine.
//   2. However the stage ends, its first, mounts and loop device end with it.
//   3. Each wait but unmount(2)'s own is bounded; that one ends when the disk does.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host/process.h"
#include "lab/sources/commit_trace.h"
#include "lab/sources/load_machine.h"

namespace powercut::lab {

struct HostStageOptions {
  std::filesystem::path program;  // powercut itself
  std::filesystem::path folder;   // of the run; the mount point is made in it
  int disk_root = -1;             // HostDisk::root()
  std::uint32_t block_bytes = 512;
  bool hands_over_device = false;  // no mount: the load gets the device
  bool has_second = false;         // the journal is on a device of its own: FuseFile::kSecondName
  std::string mount_options;       // as for mount -o
  std::vector<std::string> command;
  Nanoseconds load_limit = std::chrono::seconds(60);
  std::filesystem::path marks;  // the socket for the load's marks
};

// The environment of the load.
inline constexpr const char* kLoadFolderVariable = "POWERCUT_DIR";     // the mount point
inline constexpr const char* kLoadDeviceVariable = "POWERCUT_DEVICE";  // with hands_over_device
inline constexpr const char* kLoadMarksVariable = "POWERCUT_MARKS";    // if there is a socket

class HostStage final : public LoadMachine {
 public:
  // Errors: kIo.
  static Result<HostStage> start(const HostStageOptions& options, const Clock& clock);

  Result<std::optional<GuestEvent>> poll(Nanoseconds limit) override;
  // Ends the load and unmounts, which writes out what is cached.
  bool stop() override;
  bool cut_power() override;
  std::string witness_of(const Finding& finding) override;
  std::string console_tail() const override { return text_.tail(); }
  double cpu_seconds() const override { return process_.cpu_seconds(); }

 private:
  HostStage(Process process, const Clock& clock)
      : process_(std::move(process)), clock_(&clock), started_(clock.now()) {}
  void take_lines(const std::vector<std::string>& lines);
  void watch_device(const std::string& number);

  Process process_;
  const Clock* clock_;
  Nanoseconds started_;
  ConsoleText text_;
  GuestProtocol protocol_;
  std::deque<GuestEvent> events_;
  std::unique_ptr<CommitTrace> trace_;  // null: the device is not known yet, or cannot be watched
  bool has_ended_ = false;
};

// What the stage's process is started as, and what it does; `words` are those that start() gave it,
// `say` prints a line.  An error is one of ours, or of the words.
inline constexpr const char* kHostStageWord = "part-stage";
inline constexpr std::string_view kStageDeviceWord = "powercut: device ";  // then "7:3"
using SayLine = std::function<void(std::string_view)>;
Result<void> run_host_stage(const std::vector<std::string>& words, const SayLine& say);

// The same of process 1 of the load; returns its exit status.
inline constexpr const char* kHostFirstWord = "part-first";
Result<int> run_host_first(const std::vector<std::string>& words);

}  // namespace powercut::lab
