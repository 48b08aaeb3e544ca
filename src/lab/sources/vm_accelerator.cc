#include "lab/sources/vm_accelerator.h"

#include <algorithm>
#include <fstream>

#include "host/file.h"
#include "lab/sources/initramfs.h"

namespace powercut::lab {
namespace {

constexpr const char* kDevice = "/dev/kvm";
constexpr std::size_t kReasonBytesMax = 400;

std::string first_line(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

Result<KvmProbeKey> current_key(const KernelImage& kernel) {
  const std::string boot_id = TRY(read_text_file("/proc/sys/kernel/random/boot_id", 256));
  const std::string qemu = TRY(find_qemu());
  const CommandOutcome version =
      TRY(run_command({.arguments = {qemu, "--version"}}, std::chrono::seconds(20)));
  return KvmProbeKey{.boot_id = first_line(boot_id),
                     .qemu_version = first_line(version.output),
                     .kernel_sha256 = kernel.sha256};
}

// Boots once; the reason why the guest did not come up, empty if it did.
Result<std::string> boot_once(const KernelImage& kernel, const std::filesystem::path& guest_program,
                              const Clock& clock) {
  GuestJob job;
  job.kind = JobKind::kBootOnly;
  VmOptions options;
  options.kernel = kernel;
  options.initramfs = TRY(build_initramfs(kernel, job, {.guest_program = guest_program}));
  options.memory_mib = 512;
  options.accelerator = Accelerator::kKvm;
  options.boot_limit = kKvmProbeLimit;
  VirtualMachine machine = TRY(VirtualMachine::start(std::move(options), clock));
  for (;;) {
    const auto event = machine.poll(std::chrono::seconds(1));
    if (machine.has_booted()) return std::string();
    if (was_interrupted()) return fail(Errc::kAborted, "KVM probe: interrupted");
    if (!event) return error_words(event.error());
  }
}

}  // namespace

std::string format_probe(const KvmProbeKey& key, const KvmProbe& probe) {
  std::string reason = probe.reason.substr(0, kReasonBytesMax);
  std::ranges::replace(reason, '\n', ' ');
  return key.boot_id + "\n" + key.qemu_version + "\n" + key.kernel_sha256 + "\n" +
         (probe.works ? "yes" : "no") + "\n" + reason + "\n";
}

Result<KvmProbe> parse_probe(std::string_view text, const KvmProbeKey& key) {
  std::vector<std::string> lines;
  while (!text.empty() && lines.size() < 6) {
    lines.push_back(first_line(text));
    text.remove_prefix(std::min(lines.back().size() + 1, text.size()));
  }
  if (lines.size() != 5 || (lines[3] != "yes" && lines[3] != "no")) {
    return fail(Errc::kCorrupt, "KVM probe: form of the kept answer");
  }
  if (lines[0] != key.boot_id || lines[1] != key.qemu_version || lines[2] != key.kernel_sha256) {
    return fail(Errc::kNotFound, "KVM probe: the kept answer is of another boot, QEMU or kernel");
  }
  return KvmProbe{.works = lines[3] == "yes", .was_cached = true, .reason = lines[4]};
}

Result<KvmProbe> kvm_works(const KernelImage& kernel, const std::filesystem::path& guest_program,
                           const std::filesystem::path& cache_dir, const Clock& clock) {
  if (!std::fstream(kDevice, std::ios::in | std::ios::out | std::ios::binary).is_open()) {
    return KvmProbe{.works = false, .was_cached = false, .reason = "no access to /dev/kvm"};
  }
  const KvmProbeKey key = TRY(current_key(kernel));
  const std::filesystem::path kept = cache_dir / ("kvm-" + kernel.sha256.substr(0, 16) + ".txt");
  const auto text = read_text_file(kept, 4096);
  if (text) {
    auto probe = parse_probe(*text, key);
    if (probe) return probe;
  }
  KvmProbe probe;
  probe.reason = TRY(boot_once(kernel, guest_program, clock));
  probe.works = probe.reason.empty();
  ignore_error(make_directories(cache_dir), "the next step says it");
  ignore_error(write_file_atomically(kept, format_probe(key, probe)), "it is asked again then");
  return probe;
}

Result<AcceleratorChoice> choose_accelerator(Accelerator wanted, const KernelImage& kernel,
                                             const std::filesystem::path& guest_program,
                                             const std::filesystem::path& cache_dir,
                                             const Clock& clock) {
  if (wanted != Accelerator::kAuto) return AcceleratorChoice{.accelerator = wanted, .reason = {}};
  KvmProbe probe = TRY(kvm_works(kernel, guest_program, cache_dir, clock));
  if (probe.works) return AcceleratorChoice{.accelerator = Accelerator::kKvm, .reason = {}};
  return AcceleratorChoice{.accelerator = Accelerator::kTcg,
                           .reason = probe.was_cached ? std::string() : std::move(probe.reason)};
}

}  // namespace powercut::lab
