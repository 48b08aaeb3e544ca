// KVM or TCG: whether guests really run on this machine's KVM.
//
// That /dev/kvm opens says little: in nested machines QEMU may abort at a register that the host
// does not know, or the kernel's decompressor never ends.  So the very kernel is booted once with a
// bounded wait, and the answer is kept in CACHE/kvm-ID.txt for this boot of the machine, this QEMU
// and this kernel.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "lab/sources/vm.h"

namespace powercut::lab {

struct KvmProbe {
  bool works = false;
  bool was_cached = false;
  std::string reason;  // why not; empty if it works
};

inline constexpr auto kKvmProbeLimit = std::chrono::seconds(8);

// What an answer in the cache holds for.
struct KvmProbeKey {
  std::string boot_id;
  std::string qemu_version;
  std::string kernel_sha256;
};
std::string format_probe(const KvmProbeKey& key, const KvmProbe& probe);
// Errors: kNotFound: the text is of another key; kCorrupt.
Result<KvmProbe> parse_probe(std::string_view text, const KvmProbeKey& key);

// Boots the kernel under KVM with a job that only says `booted`.  Takes at most kKvmProbeLimit and
// two seconds.  Errors: kNotFound: no QEMU, no guest program; kAborted: interrupted; kIo.  A KVM
// that does not work is no error, nor is an answer that could not be kept.
Result<KvmProbe> kvm_works(const KernelImage& kernel, const std::filesystem::path& guest_program,
                           const std::filesystem::path& cache_dir, const Clock& clock);

struct AcceleratorChoice {
  Accelerator accelerator = Accelerator::kTcg;  // never kAuto
  std::string reason;  // why it is not KVM, when that was tried just now; print it once
};
// kTcg and kKvm stay as they are; kAuto becomes kKvm where that works.
Result<AcceleratorChoice> choose_accelerator(Accelerator wanted, const KernelImage& kernel,
                                             const std::filesystem::path& guest_program,
                                             const std::filesystem::path& cache_dir,
                                             const Clock& clock);

}  // namespace powercut::lab
