#include "lab/sources/vm.h"

#include <algorithm>
#include <csignal>

#include "lab/sources/guest/mark_client.h"

namespace powercut::lab {
namespace {

constexpr const char* kQemu = "qemu-system-x86_64";
constexpr auto kStopGrace = std::chrono::seconds(1);
constexpr auto kReapLimit = std::chrono::seconds(5);  // for QEMU to end after its output has

// In an option of QEMU a comma divides, and two are one.
std::string option_value(const std::string& text) {
  std::string value;
  for (const char letter : text) {
    value += letter;
    if (letter == ',') value += ',';
  }
  return value;
}

std::string kernel_command_line(const VmOptions& options) {
  // loglevel=5: warnings and worse reach the console, and the lines of our init (as warnings).
  // printk.devkmsg=on: no rate limit on them.  panic=-1 with -no-reboot: a panic ends QEMU.
  std::string line = "console=ttyS0 quiet loglevel=5 printk.devkmsg=on panic=-1";
  for (const std::string& word : options.append) line += " " + word;
  return line;
}

void append_disk(const VmOptions& options, std::vector<std::string>& words) {
  const std::string socket = option_value(options.disk_socket.string());
  words.insert(words.end(), {"-object", "iothread,id=disk-thread", "-blockdev",
                             "driver=nbd,node-name=disk,server.type=unix,server.path=" + socket +
                                 ",export=,cache.direct=on,cache.no-flush=off,discard=unmap"});
  std::string drive = "disk";
  if (options.throttle_iops != 0) {
    drive = "slow-disk";
    words.insert(
        words.end(),
        {"-object", "throttle-group,id=slow,x-iops-write=" + std::to_string(options.throttle_iops),
         "-blockdev", "driver=throttle,node-name=slow-disk,throttle-group=slow,file=disk"});
  }
  // A request that fails is the guest's to hear of; QEMU's own way would stop the machine.
  words.insert(words.end(),
               {"-device", "virtio-blk-pci,drive=" + drive +
                               ",iothread=disk-thread,write-cache=on,num-queues=" +
                               std::to_string(options.cpus) + ",werror=report,rerror=report"});
}

// A character device in the guest (/dev/virtio-ports/powercut.marks) that leads to the socket.
void append_marks(const VmOptions& options, std::vector<std::string>& words) {
  words.insert(words.end(),
               {"-chardev", "socket,id=marks,path=" + option_value(options.marks_socket.string()),
                "-device", "virtio-serial-pci", "-device",
                "virtserialport,chardev=marks,name=" + std::string(kMarksPort)});
}

Result<void> check_options(const VmOptions& options) {
  if (options.cpus < 1 || options.cpus > 64) {
    return fail(Errc::kInvalid, "virtual machine: 1 to 64 processors", options.cpus);
  }
  if (options.memory_mib < 64 || options.memory_mib > 65'536) {
    return fail(Errc::kInvalid, "virtual machine: 64 to 65,536 MiB", options.memory_mib);
  }
  if (options.accelerator == Accelerator::kAuto) {
    return fail(Errc::kInvalid, "virtual machine: the accelerator has to be chosen first");
  }
  std::error_code error;
  if (!std::filesystem::is_regular_file(options.kernel.vmlinuz, error)) {
    return fail_with(Errc::kNotFound, "no such kernel image", options.kernel.vmlinuz.string());
  }
  return {};
}

Result<std::filesystem::path> write_initramfs(const TempDirectory& directory, Bytes content) {
  const std::filesystem::path path = directory.path() / "initramfs";
  File file = TRY(File::create(path, content.size()));
  TRY(file.write_at(0, content));
  return path;
}

}  // namespace

std::vector<std::string> qemu_arguments(const VmOptions& options, const std::string& qemu,
                                        const std::filesystem::path& initramfs) {
  const bool is_kvm = options.accelerator == Accelerator::kKvm;
  std::vector<std::string> words = {qemu, "-nodefaults", "-no-user-config", "-no-reboot"};
  const auto add = [&words](const char* option, const std::string& value) {
    words.insert(words.end(), {option, value});
  };
  add("-machine", "q35");
  add("-accel", is_kvm ? "kvm" : "tcg,thread=multi");
  add("-cpu", is_kvm ? "host" : "max");
  add("-smp", std::to_string(options.cpus));
  add("-m", std::to_string(options.memory_mib));
  add("-display", "none");
  add("-chardev", "stdio,id=console,signal=off");
  add("-serial", "chardev:console");
  add("-kernel", options.kernel.vmlinuz.string());
  add("-initrd", initramfs.string());
  add("-append", kernel_command_line(options));
  if (!options.disk_socket.empty()) append_disk(options, words);
  if (!options.marks_socket.empty()) append_marks(options, words);
  return words;
}

Result<std::string> find_qemu() {
  const auto found = find_program(kQemu);
  if (found) return found;
  return fail_with(Errc::kNotFound, "no QEMU on this machine (Debian package qemu-system-x86)",
                   kQemu);
}

Result<VirtualMachine> VirtualMachine::start(VmOptions options, const Clock& clock) {
  TRY(check_options(options));
  const std::string qemu = TRY(find_qemu());
  TempDirectory directory = TRY(TempDirectory::make("guest"));
  const std::filesystem::path initramfs = TRY(write_initramfs(directory, options.initramfs));
  Process process = TRY(Process::start({.arguments = qemu_arguments(options, qemu, initramfs)}));
  return VirtualMachine(std::move(directory), std::move(process), options, clock);
}

void VirtualMachine::take_lines(const std::vector<std::string>& lines) {
  const Nanoseconds now = age();
  for (const std::string& line : lines) {
    GuestEvent event = protocol_.accept(parse_console_line(line));
    event.time = now;
    if (event.kind == GuestEventKind::kBooted) has_booted_ = true;
    if (event.kind == GuestEventKind::kOff) off_at_ = now;
    events_.push_back(std::move(event));
  }
}

// The machine is gone, or is to go: reaps it and makes the last event.
Result<void> VirtualMachine::finish() {
  take_lines(console_.finish());
  std::optional<ExitStatus> status = process_.wait(Nanoseconds(kReapLimit));
  if (!status) status = process_.stop(Nanoseconds(0));
  has_ended_ = true;
  if (!has_booted_) {
    return fail_with(Errc::kIo, "virtual machine: ended before the guest had booted",
                     console_.last_lines(1), static_cast<std::uint64_t>(status->code));
  }
  events_.push_back(
      {.kind = GuestEventKind::kExited, .text = "", .code = status->code, .time = age()});
  return {};
}

Result<void> VirtualMachine::check_limits() {
  if (!has_booted_ && age() >= boot_limit_) {
    return fail_with(Errc::kTimeout, "virtual machine: the guest has not booted in time",
                     console_.last_lines(1), static_cast<std::uint64_t>(seconds_of(boot_limit_)));
  }
  // A kernel without ACPI halts instead of going off.
  if (off_at_ && age() - *off_at_ >= kOffLimit) {
    process_.stop(std::chrono::seconds(1));
    return finish();
  }
  return {};
}

Result<std::optional<GuestEvent>> VirtualMachine::poll(Nanoseconds limit) {
  const Nanoseconds end = clock_->now() + std::max(limit, Nanoseconds(0));
  for (;;) {
    if (!events_.empty()) {
      GuestEvent event = std::move(events_.front());
      events_.pop_front();
      return std::optional<GuestEvent>(std::move(event));
    }
    if (has_ended_) return std::optional<GuestEvent>();
    Nanoseconds wait = end - clock_->now();
    if (!has_booted_) wait = std::min(wait, boot_limit_ - age());
    if (off_at_) wait = std::min(wait, *off_at_ + kOffLimit - age());
    wait = std::max(wait, Nanoseconds(0));
    const std::string output = TRY(process_.read_output(wait));
    if (output.empty() && process_.is_output_at_end()) {
      TRY(finish());
      continue;
    }
    // Output without an end of its line keeps coming and is no event: the limits hold all the same.
    take_lines(console_.feed(output));
    TRY(check_limits());
    if (events_.empty() && clock_->now() >= end) return std::optional<GuestEvent>();
  }
}

void VirtualMachine::stop(Nanoseconds grace) {
  if (!has_ended_) process_.stop(grace);
  has_ended_ = true;
}

bool VirtualMachine::stop() {
  stop(kStopGrace);
  return true;
}

bool VirtualMachine::cut_power() {
  if (!has_ended_) process_.send_signal(SIGKILL);
  stop(Nanoseconds(0));
  return true;
}

}  // namespace powercut::lab
