// A virtual machine: QEMU with a kernel, an initramfs of ours, and one disk that is served over a
// Unix NBD socket.
//
// Words
//   boot limit   the time from start() in which the guest has to say `booted`
//   power cut    cut_power(): SIGKILL to QEMU; what it had not sent to the disk is gone
//
// Invariants
//   1. The machine does not outlive its VirtualMachine, nor the thread that started it
//      (host/process.h).
//   2. Every wait is bounded: poll() by its argument, stop() by its grace, a machine that has said
//      `off` and stays by kOffLimit.
//   3. Memory for what the guest says is bounded (vm_console.h).
//
// States: running -> ended.  poll() moves it when QEMU ends; stop() and cut_power() move it at
// once. Threads: one thread uses a VirtualMachine, the one that started it.
#pragma once

#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "host/machine.h"
#include "host/process.h"
#include "lab/sources/kernel.h"
#include "lab/sources/load_machine.h"
#include "lab/sources/vm_console.h"

namespace powercut::lab {

enum class Accelerator : std::uint8_t { kAuto, kTcg, kKvm };

struct VmOptions {
  KernelImage kernel;
  std::vector<std::uint8_t> initramfs;
  std::filesystem::path disk_socket;            // empty: no disk
  std::filesystem::path marks_socket;           // the guest's way to put marks; empty: none
  unsigned cpus = 1;                            // 1 to 64; also the disk's queues
  unsigned memory_mib = 1024;                   // 64 to 65,536
  std::vector<std::string> append;              // more words of the kernel's command line
  unsigned throttle_iops = 0;                   // writes a second that the disk takes; 0: no limit
  Accelerator accelerator = Accelerator::kTcg;  // kAuto is resolved first: vm_accelerator.h
  Nanoseconds boot_limit = std::chrono::seconds(60);
};

inline constexpr auto kOffLimit = std::chrono::seconds(5);

// The words of the command line, QEMU's path first.  `initramfs` is the file's path.
std::vector<std::string> qemu_arguments(const VmOptions& options, const std::string& qemu,
                                        const std::filesystem::path& initramfs);

// Where QEMU is.  Errors: kNotFound, with the package's name.
Result<std::string> find_qemu();

class VirtualMachine final : public LoadMachine {
 public:
  // Errors: kNotFound: no QEMU, no such kernel; kInvalid: options out of their ranges; kIo.
  static Result<VirtualMachine> start(VmOptions options, const Clock& clock);

  // The next event, waiting at most `limit` for it; none if nothing came, or after kExited.
  // Errors:
  //   kTimeout  the guest has not booted within its limit
  //   kIo       QEMU ended before the guest had booted
  // Both name the last line of the console; console_tail() has all.  After an error: stop().
  Result<std::optional<GuestEvent>> poll(Nanoseconds limit) override;

  // Ends QEMU: SIGTERM, at which it flushes the disk, then SIGKILL after `grace`.
  void stop(Nanoseconds grace);
  bool stop() override;
  // Ends QEMU at once.
  bool cut_power() override;

  bool has_booted() const { return has_booted_; }
  bool has_ended() const { return has_ended_; }
  // Since start().
  Nanoseconds age() const { return clock_->now() - started_; }
  std::string witness_of(const Finding&) override { return {}; }
  std::string console_tail() const override { return console_.tail(); }
  double cpu_seconds() const override { return process_.cpu_seconds(); }
  const Process& process() const { return process_; }

 private:
  VirtualMachine(TempDirectory directory, Process process, const VmOptions& options,
                 const Clock& clock)
      : directory_(std::move(directory)),
        process_(std::move(process)),
        clock_(&clock),
        started_(clock.now()),
        boot_limit_(options.boot_limit) {}
  void take_lines(const std::vector<std::string>& lines);
  Result<void> check_limits();
  Result<void> finish();

  TempDirectory directory_;  // holds the initramfs; outlives QEMU
  Process process_;
  const Clock* clock_;
  Nanoseconds started_;
  Nanoseconds boot_limit_;
  ConsoleText console_;
  GuestProtocol protocol_;
  std::deque<GuestEvent> events_;
  std::optional<Nanoseconds> off_at_;
  bool has_booted_ = false;
  bool has_ended_ = false;
};

}  // namespace powercut::lab
