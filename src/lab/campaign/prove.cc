#include "lab/campaign/prove.h"

#include <algorithm>
#include <charconv>

#include "block/store_device.h"
#include "lab/sources/disk_door.h"
#include "lab/sources/initramfs.h"
#include "lab/sources/vm.h"
#include "lab/verify/identify.h"

namespace powercut::lab {
namespace {

constexpr auto kE2fsckLimit = std::chrono::seconds(120);
constexpr auto kProofLimit = std::chrono::seconds(120);
constexpr std::size_t kLinesMax = 200;

std::vector<std::string> lines_with(const std::string& text,
                                    std::initializer_list<std::string_view> words) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size() && lines.size() < kLinesMax;) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    const bool is_wanted = std::ranges::any_of(
        words, [&](std::string_view word) { return line.find(word) != std::string_view::npos; });
    if (is_wanted) lines.emplace_back(line);
    at = end + 1;
  }
  return lines;
}

Result<void> ask_ourselves(Proof& proof, RecoverAs rules) {
  File file = TRY(File::open(proof.image, File::Access::kRead));
  const StoreDevice device(file);
  const Volume volume = TRY(Volume::open(device));
  const JournalMap map = TRY(locate_journal(volume));
  proof.block_bytes = map.block_bytes();
  proof.plan = TRY(plan_recovery(device, map, {.recover_as = rules}));
  for (const Damage& damage : proof.plan.damages) {
    std::string owner;
    if (damage.rule == RecoveryRule::kDataChecksum) {
      RecoveryOptions as_of;
      as_of.up_to = damage.tid;
      as_of.verify_data = false;
      as_of.recover_as = rules;
      const RecoveryPlan plan = TRY(plan_recovery(device, map, as_of));
      const RecoveredView view(device, map, plan);
      const auto seen = Volume::open(view);
      if (seen) owner = find_owner(*seen, damage.home).describe(map.block_bytes());
    }
    proof.owners.push_back(std::move(owner));
  }
  return {};
}

Result<E2fsckOpinion> ask_e2fsck(const std::filesystem::path& image,
                                 const std::filesystem::path& folder) {
  const auto copy = folder / "e2fsck.img";
  const File original = TRY(File::open(image, File::Access::kRead));
  TRY(copy_sparse(original, copy));
  ProcessOptions options;
  options.arguments = {"e2fsck", "-fy", copy.string()};
  options.environment = {{"LC_ALL", "C"}};
  const CommandOutcome outcome = TRY(run_command(options, kE2fsckLimit));
  std::error_code error;
  std::filesystem::remove(copy, error);
  E2fsckOpinion opinion;
  opinion.exit_code = outcome.status.code;
  opinion.lines = lines_with(outcome.output, {"ournal", "JBD2", "hecksum recovering"});
  opinion.damaged = blocks_named_in(opinion.lines);
  return opinion;
}

// A line of the kernel's log without the time in front of it.
std::string without_time(const std::string& line) {
  const std::size_t end = line.find("] ");
  const bool has_time = line.starts_with('[') && end != std::string::npos &&
                        line.find_first_not_of("[ .0123456789") == end;
  return has_time ? line.substr(end + 2) : line;
}

class KernelQuestion {
 public:
  KernelQuestion(const ProveOptions& options, const LabEnvironment& environment,
                 const std::filesystem::path& folder)
      : options_(options), environment_(environment), folder_(folder) {}

  Result<KernelOpinion> ask() {
    opinion_.kernel = *options_.kernel;
    GuestJob job;
    job.kind = JobKind::kMountOnly;
    VmOptions vm_options;
    vm_options.kernel = *options_.kernel;
    vm_options.initramfs =
        TRY(build_initramfs(*options_.kernel, job, {environment_.guest_program, {}, {}}));
    const auto accelerator =
        TRY(choose_accelerator(options_.accelerator, *options_.kernel, environment_.guest_program,
                               environment_.cache_dir, environment_.clock));
    vm_options.accelerator = accelerator.accelerator;
    DiskOptions door_options;
    door_options.folder = folder_;
    door_options.image = options_.image;
    DiskDoor door = TRY(DiskDoor::open(door_options));
    vm_options.disk_socket = door.socket();
    VirtualMachine vm = TRY(VirtualMachine::start(std::move(vm_options), environment_.clock));
    watch(vm, door);
    vm.stop();
    opinion_.damaged = blocks_named_in(opinion_.lines);
    return std::move(opinion_);
  }

 private:
  void watch(VirtualMachine& vm, DiskDoor& door) {
    bool has_ended = false;
    while (!has_ended) {
      if (vm.age() > kProofLimit) {
        opinion_.trouble = "the guest did not go off in time";
        return;
      }
      if (was_interrupted()) {
        opinion_.trouble = "interrupted";
        return;
      }
      // The report is read so that its pipe never fills; what is in it was known before.
      ignore_error(door.next(Nanoseconds{0}), "the guest's own words count here");
      const auto event = vm.poll(std::chrono::milliseconds(50));
      if (!event) {
        opinion_.trouble = error_words(event.error());
        return;
      }
      if (*event) has_ended = take(**event);
    }
  }

  bool take(const GuestEvent& event) {
    switch (event.kind) {
      case GuestEventKind::kMounted: opinion_.has_mounted = true; return false;
      case GuestEventKind::kMountFailed:
        opinion_.has_refused = true;
        opinion_.refusal = event.text;
        return false;
      case GuestEventKind::kPanic: opinion_.trouble = event.text; return true;
      case GuestEventKind::kExited: return true;
      default: break;
    }
    const bool is_of_interest = event.text.find("JBD2") != std::string::npos ||
                                event.text.find("EXT4-fs") != std::string::npos;
    const std::string line = without_time(event.text);
    const bool is_new = std::ranges::find(opinion_.lines, line) == opinion_.lines.end();
    if (is_of_interest && is_new && opinion_.lines.size() < kLinesMax) {
      opinion_.lines.push_back(line);
    }
    return false;
  }

  const ProveOptions& options_;
  const LabEnvironment& environment_;
  const std::filesystem::path& folder_;
  KernelOpinion opinion_;
};

}  // namespace

std::vector<BlockNo> Proof::damaged_blocks() const {
  std::vector<BlockNo> blocks;
  for (const Damage& damage : plan.damages) {
    if (damage.rule == RecoveryRule::kDataChecksum) blocks.push_back(damage.home);
  }
  std::ranges::sort(blocks);
  blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
  return blocks;
}

std::vector<BlockNo> blocks_named_in(const std::vector<std::string>& lines) {
  constexpr std::string_view kBefore = "Invalid checksum recovering data block ";
  std::vector<BlockNo> blocks;
  for (const std::string& line : lines) {
    const std::size_t at = line.find(kBefore);
    if (at == std::string::npos) continue;
    const char* const first = line.data() + at + kBefore.size();
    std::uint64_t number = 0;
    if (std::from_chars(first, line.data() + line.size(), number).ec == std::errc{}) {
      blocks.emplace_back(number);
    }
  }
  std::ranges::sort(blocks);
  blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
  return blocks;
}

Result<Proof> prove(const ProveOptions& options, const LabEnvironment& environment) {
  Proof proof;
  proof.image = options.image;
  const auto rules =
      options.kernel ? recover_as_of_release(options.kernel->release) : RecoverAs::kLinux;
  TRY(ask_ourselves(proof, rules));
  const TempDirectory folder = TRY(TempDirectory::make("prove"));
  auto e2fsck = ask_e2fsck(options.image, folder.path());
  if (e2fsck) {
    proof.e2fsck = std::move(*e2fsck);
  } else {
    proof.e2fsck_trouble = error_words(e2fsck.error());
  }
  if (!options.kernel) return proof;
  auto kernel = KernelQuestion(options, environment, folder.path()).ask();
  if (kernel) {
    proof.kernel = std::move(*kernel);
  } else {
    KernelOpinion& none = proof.kernel.emplace();
    none.kernel = *options.kernel;
    none.trouble = error_words(kernel.error());
  }
  return proof;
}

}  // namespace powercut::lab
