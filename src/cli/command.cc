#include "cli/command.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>

#include "host/machine.h"
#include "host/running.h"
#include "lab/report/explore_text.h"
#include "lab/report/text.h"

namespace powercut::cli {

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void print_note(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
}

int print_error(const Error& error) {
  print_note("powercut: " + lab::error_text(error));
  return error.code == Errc::kInvalid ? kUsage : kEnvironment;
}

int print_no_kernel(const Error& error) {
  if (error.code != Errc::kInvalid) print_note("powercut: unknown: there is no kernel to run\n");
  return print_error(error);
}

void LiveLine::show(const lab::RunProgress& progress) {
  if (progress.finding != nullptr) {
    if (findings_left_ == 0) return;
    clear();
    print(lab::finding_text(*progress.finding));
    print(lab::witness_text(progress.witness));
    if (--findings_left_ == 0) print("  ... more are counted below\n");
    return;
  }
  if (progress.bad_state != nullptr) {
    if (findings_left_ == 0) return;
    --findings_left_;
    clear();
    print(lab::bad_state_text(*progress.bad_state));
    return;
  }
  const std::string text = lab::progress_text(progress);
  if (is_terminal(STDERR_FILENO)) {
    print_note("\r\x1b[K" + text);
    is_shown_ = true;
    return;
  }
  constexpr double kPlainEvery = 10;
  if (progress.phase != plain_phase_) plain_seconds_ = 0;
  plain_phase_ = progress.phase;
  if (progress.phase_seconds - plain_seconds_ < kPlainEvery) return;
  plain_seconds_ = progress.phase_seconds;
  print_note(text + "\n");
}

void LiveLine::clear() {
  if (is_shown_) print_note("\r\x1b[K");
  is_shown_ = false;
}

Result<lab::LabEnvironment> make_environment(const Clock& clock, LiveLine& live) {
  std::error_code error;
  const auto guest = program_directory() / "powercut-guest";
  if (!std::filesystem::exists(guest, error)) {
    return fail_with(Errc::kNotFound, "the guest's program is not beside ours; build it",
                     guest.string());
  }
  lab::LabEnvironment environment = make_host_environment(clock, live);
  environment.cache_dir = TRY(cache_directory());
  environment.guest_program = guest;
  return environment;
}

lab::LabEnvironment make_host_environment(const Clock& clock, LiveLine& live) {
  catch_interrupts();
  return {clock, {}, {}, own_program(), [&live](const lab::RunProgress& progress) {
            live.show(progress);
          }};
}

Result<lab::KernelImage> obtain_kernel_by_name(const std::string& name,
                                               const std::string& modules_dir) {
  const auto spec = TRY(lab::KernelSpec::parse(name));
  const auto cache = TRY(cache_directory());
  return lab::obtain_kernel(spec, modules_dir, cache, [](std::string_view step) {
    print_note("  " + std::string(step) + "\n");
  });
}

Result<std::filesystem::path> make_results_folder(const std::string& wanted,
                                                  const std::string& name) {
  constexpr int kFoldersMax = 10'000;
  if (!wanted.empty()) {
    TRY(make_directories(wanted));
    return std::filesystem::absolute(wanted);
  }
  std::string safe;
  for (const char letter : name) {
    const bool is_plain = std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '.';
    safe += is_plain ? letter : '-';
  }
  if (safe.size() > 60) safe = safe.substr(safe.size() - 60);
  TRY(make_directories("powercut-results"));
  for (int number = 1; number <= kFoldersMax; ++number) {
    const auto folder =
        std::filesystem::absolute(fmt::format("powercut-results/{}-{}", safe, number));
    std::error_code error;
    if (std::filesystem::create_directory(folder, error)) return folder;
    if (error) return os_failure("cannot make the results' folder", folder.string(), error.value());
  }
  return fail(Errc::kLimit, "too many folders in powercut-results; remove old ones");
}

void VmWords::add_to(CLI::App& command) {
  command.add_option("--modules", modules_dir, "for a bzImage: the folder of its modules");
  command.add_option("--seconds", seconds, "how long the load runs")
      ->check(CLI::Range(1.0, 86400.0));
  command.add_option("--runs", runs, "boots, one after another")->check(CLI::Range(1, 100000));
  command.add_flag("--until-first", until_first, "cut the power at the first finding of each run");
  command.add_option("--cpus", cpus, "processors of the guest")->check(CLI::Range(1, 64));
  command.add_option("--memory", memory_mib, "memory of the guest, MiB")
      ->check(CLI::Range(64, 65536));
  // One word each time: an option that takes all that follow would take `--` from the command.
  command.add_option("--append", append, "a word for the kernel's command line; again for more")
      ->allow_extra_args(false);
  command
      .add_option("--throttle-iops", throttle_iops, "writes a second that the disk takes; 0: all")
      ->check(CLI::Range(0, 1'000'000));
  command.add_option("--accel", accelerator, "auto, tcg or kvm")
      ->check(CLI::IsMember({"auto", "tcg", "kvm"}));
  command.add_option("--size", disk_mib, "of the disk, MiB")->check(CLI::Range(16, 1 << 20));
  command.add_option("--journal-size", journal_mib, "of the journal, MiB")
      ->check(CLI::Range(4, 40000));
  command.add_option("--mount-options", mount_options,
                     "default: data=journal; on the running kernel: its own");
  command.add_option("--mkfs-options", mkfs_options, "a word for mke2fs; again for more")
      ->allow_extra_args(false);
  command.add_option("--output", output, "folder for the results");
  command.add_option("--record", record, "write a recording of all requests to this file");
  command.add_option("--max-recording", record_max_mib,
                     "of the recording, MiB (4096, or 512 where it is only explored); its oldest "
                     "part goes into its base");
  command.add_flag("--json", as_json, "one JSON document on standard output");
}

Result<void> VmWords::apply(lab::RunOptions& options) const {
  if (cpus != 0) options.cpus = cpus;
  if (memory_mib != 0) options.memory_mib = memory_mib;
  if (throttle_iops >= 0) options.throttle_iops = static_cast<unsigned>(throttle_iops);
  if (!mount_options.empty()) options.mount_options = mount_options;
  options.append.insert(options.append.end(), append.begin(), append.end());
  options.accelerator = accelerator == "tcg"   ? lab::Accelerator::kTcg
                        : accelerator == "kvm" ? lab::Accelerator::kKvm
                                               : lab::Accelerator::kAuto;
  options.until_first = until_first;
  options.disk_bytes = std::uint64_t{disk_mib} << 20;
  options.journal_mib = journal_mib;
  options.mkfs_options = mkfs_options;
  options.record_bytes_max = record_bytes_max();
  return {};
}

Result<std::filesystem::path> VmWords::recording_path() const {
  if (record.empty()) return std::filesystem::path();
  if (runs > 1) return fail(Errc::kInvalid, "--record goes with one run");
  std::error_code error;
  if (std::filesystem::exists(record, error)) {
    return fail_with(Errc::kExists, "the recording's file is there already", record);
  }
  return std::filesystem::absolute(record);
}

std::uint64_t VmWords::record_bytes_max() const {
  constexpr std::uint64_t kKeptMib = 4096, kExploredMib = 512;
  if (record_max_mib != 0) return record_max_mib << 20;
  return (record.empty() ? kExploredMib : kKeptMib) << 20;
}

std::string shell_word(const std::string& word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%^";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char letter : word) {
    if (letter == '\'') {
      quoted += "'\\''";
    } else {
      quoted += letter;
    }
  }
  return quoted + "'";
}

std::string VmWords::repeated() const {
  std::string text = fmt::format(" --seconds {}", seconds);
  const auto add_text = [&text](const char* option, const std::string& value) {
    text += fmt::format(" {}{}", option, shell_word(value));
  };
  if (!modules_dir.empty()) add_text("--modules=", modules_dir);
  if (until_first) text += " --until-first";
  if (runs > 1) text += fmt::format(" --runs {}", runs);
  if (cpus != 0) text += fmt::format(" --cpus {}", cpus);
  if (memory_mib != 0) text += fmt::format(" --memory {}", memory_mib);
  if (throttle_iops >= 0) text += fmt::format(" --throttle-iops {}", throttle_iops);
  if (accelerator != "auto") add_text("--accel=", accelerator);
  const VmWords usual;
  if (disk_mib != usual.disk_mib) text += fmt::format(" --size {}", disk_mib);
  if (journal_mib != usual.journal_mib) text += fmt::format(" --journal-size {}", journal_mib);
  if (!mount_options.empty()) add_text("--mount-options=", mount_options);
  for (const std::string& word : append) add_text("--append=", word);
  for (const std::string& word : mkfs_options) add_text("--mkfs-options=", word);
  return text;
}

}  // namespace powercut::cli
