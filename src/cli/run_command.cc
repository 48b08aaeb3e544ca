#include <fmt/core.h>

#include <algorithm>

#include "cli/explore_words.h"
#include "cli/run_series.h"
#include "host/machine.h"
#include "host/running.h"
#include "lab/campaign/host_run.h"
#include "lab/report/text.h"

namespace powercut::cli {
namespace {

struct RunWords {
  std::string kernel, preset;
  std::vector<std::string> command, bring;
  VmWords vm;
  ExploreWords explore;
  SuiteWords suite;
  double explore_seconds = 20;
  bool is_unexplored = false, is_online = false;
  double explore_share = 25;  // %
  // On the running kernel only.
  bool hands_over_device = false, is_allocated = false, is_unchecked = false;
  unsigned external_journal_mib = 0;
  double write_delay_us = 0;
  unsigned block_bytes = 512;

  std::string repeated() const {
    std::string text = vm.repeated();
    if (hands_over_device) text += " --device";
    if (external_journal_mib != 0) {
      text += fmt::format(" --external-journal {}", external_journal_mib);
    }
    if (is_allocated) text += " --allocate";
    if (is_unchecked) text += " --no-check";
    if (write_delay_us > 0) text += fmt::format(" --write-delay-us {}", write_delay_us);
    if (block_bytes != RunWords().block_bytes) text += fmt::format(" --sector {}", block_bytes);
    text += explore.repeated();
    if (explore_seconds != RunWords().explore_seconds) {
      text += fmt::format(" --explore-seconds {}", explore_seconds);
    }
    if (is_unexplored) text += " --no-explore";
    if (is_online) text += " --explore-online";
    if (explore_share != RunWords().explore_share) {
      text += fmt::format(" --explore-share {}", explore_share);
    }
    if (!preset.empty()) text += " --preset " + preset;
    for (const std::string& program : bring) text += " --bring " + shell_word(program);
    if (preset.empty()) text += " --";
    for (const std::string& word : command) text += " " + shell_word(word);
    return text;
  }
};

// How ext4 treats the data of files, mounted so.
std::string data_mode_in(const std::string& mount_options) {
  constexpr std::string_view kData = "data=";
  const std::size_t at = mount_options.rfind(kData);
  if (at == std::string::npos) return "ordered";
  const std::size_t begin = at + kData.size();
  const std::string mode = mount_options.substr(begin, mount_options.find(',', begin) - begin);
  return lab::data_mode_of(mode) ? mode : "";
}

// The commits are checked while they are written: once is enough, where they are.
Result<std::optional<RunExploration>> exploration_of(const RunWords& words, bool is_checked,
                                                     const std::string& mount_options) {
  if (words.is_unexplored) return std::optional<RunExploration>();
  ExploreWords explore = words.explore;
  if (explore.data.empty()) explore.data = data_mode_in(mount_options);
  RunExploration made{TRY(explore.options(words.explore_seconds)), explore.repeated()};
  if (is_checked) std::erase(made.options.judges, lab::JudgeName::kTag);
  made.options.mount_options = mount_options;
  if (!words.explore.check.empty() && !mount_options.empty()) {
    made.words += " --mount-options " + shell_word(mount_options);
  }
  return std::optional(std::move(made));
}

// What explores while the load runs, with the words of what explores behind it.
std::optional<lab::OnlineOptions> online_of(const RunWords& words,
                                            const std::optional<RunExploration>& exploration) {
  if (!words.is_online || !exploration) return std::nullopt;
  lab::OnlineOptions online;
  online.explore = exploration->options;
  online.share = words.explore_share / 100;
  // Many crash points a little rather than few of them long.
  constexpr std::uint64_t kStatesOfOutcome = 512;
  online.explore.explorer.walk = {kStatesOfOutcome, kStatesOfOutcome};
  return online;
}

int run_in_machine(const RunWords& words) {
  const auto kernel = obtain_kernel_by_name(words.kernel, words.vm.modules_dir);
  if (!kernel) return print_no_kernel(kernel.error());
  lab::RunOptions options;
  options.kernel = *kernel;
  options.commands = {words.command};
  if (!words.preset.empty()) {
    options.commands = {lab::classic_command(words.vm.cpus != 0 ? words.vm.cpus : options.cpus)};
  }
  options.programs = words.bring;
  options.load_limit = nanoseconds_of(words.vm.seconds);
  const std::string& mount_options =
      words.vm.mount_options.empty() ? options.mount_options : words.vm.mount_options;
  auto exploration = exploration_of(words, /*is_checked=*/true, mount_options);
  if (!exploration) return print_error(exploration.error());
  options.online = online_of(words, *exploration);
  RunSeries series;
  series.name = "powercut run";
  series.header = "run on " + words.kernel;
  series.repeat_command = "powercut run --kernel " + shell_word(words.kernel) + words.repeated();
  series.suite = words.suite;
  series.exploration = std::move(*exploration);
  return run_in_machine_and_print(std::move(options), words.vm, std::move(series));
}

Result<lab::HostRunOptions> host_options(const RunWords& words) {
  const Nanoseconds seconds = nanoseconds_of(words.vm.seconds);
  lab::HostRunOptions options;
  if (!words.preset.empty()) options = lab::classic_host_options(seconds);
  if (words.preset.empty()) options.command = words.command;
  options.load_limit = seconds;
  if (!words.vm.mount_options.empty()) options.mount_options = words.vm.mount_options;
  options.hands_over_device = words.hands_over_device;
  options.until_first = words.vm.until_first;
  options.disk_bytes = std::uint64_t{words.vm.disk_mib} << 20;
  options.block_bytes = words.block_bytes;
  options.journal_mib = words.vm.journal_mib;
  if (words.external_journal_mib != 0) {
    options.has_external_journal = true;
    options.journal_mib = words.external_journal_mib;
  }
  options.mkfs_options = words.vm.mkfs_options;
  options.is_allocated = words.is_allocated;
  options.is_judged = !words.is_unchecked;
  options.write_delay = nanoseconds_of(words.write_delay_us * 1e-6);
  options.record_bytes_max = words.vm.record_bytes_max();
  return options;
}

int run_here(const RunWords& words) {
  auto options = host_options(words);
  if (!options) return print_error(options.error());
  auto record = words.vm.recording_path();
  if (!record) return print_error(record.error());
  auto exploration = exploration_of(words, options->is_judged, options->mount_options);
  if (!exploration) return print_error(exploration.error());
  if (!words.hands_over_device) options->online = online_of(words, *exploration);
  RunSeries series;
  series.name = "powercut run";
  series.folder_name = "running-" + kernel_release();
  series.record = std::move(*record);
  series.suite = words.suite;
  // What is put on a raw disk need not be a file system of ours.
  if (!words.hands_over_device) series.exploration = std::move(*exploration);
  series.header = lab::host_run_header_text(*options, "run on the running kernel");
  series.repeat_command = "powercut run" + words.repeated();
  series.output = words.vm.output;
  series.run_count = words.vm.runs;
  series.as_json = words.vm.as_json;
  series.needs_guest = false;
  series.run = [&options](const RunPlaces& places, const lab::LabEnvironment& environment) {
    options->keep = places.keep;
    options->record = places.record;
    return lab::run_on_host(*options, environment);
  };
  return run_series_and_print(series);
}

int run(const RunWords& words) {
  if (words.command.empty() == words.preset.empty()) {
    print_note("powercut: run: give either a command, after --, or --preset\n");
    return kUsage;
  }
  return words.kernel.empty() ? run_here(words) : run_in_machine(words);
}

}  // namespace

void add_run(CommandLine& line) {
  auto words = std::make_shared<RunWords>();
  CLI::App* const command = line.app.add_subcommand(
      "run", "Runs a command on a fresh ext4 and checks every commit that it causes");
  words->vm.seconds = 60;
  CLI::Option* const kernel = command->add_option(
      "--kernel", words->kernel,
      "in a virtual machine: debian:6.1, debian:bookworm, deb:FILE, or a bzImage; default: on the "
      "running kernel, as root");
  words->vm.add_to(*command);
  for (const char* const name :
       {"--modules", "--cpus", "--memory", "--append", "--throttle-iops", "--accel"}) {
    command->get_option(name)->needs(kernel);
  }
  command
      ->add_option("--bring", words->bring,
                   "a program to bring into the guest besides COMMAND; again for more")
      ->allow_extra_args(false)
      ->needs(kernel);
  command
      ->add_option("--preset", words->preset,
                   "classic: the load of the report of 2020, data=journal and stress-ng --mmap")
      ->check(CLI::IsMember({"classic"}));
  command
      ->add_flag("--device", words->hands_over_device,
                 "no mkfs and no mount: the empty disk is $POWERCUT_DEVICE")
      ->excludes(kernel);
  command
      ->add_option("--write-delay-us", words->write_delay_us,
                   "time from a write's coming in to its completion")
      ->check(CLI::Range(0.0, 1e6))
      ->excludes(kernel);
  command->add_option("--sector", words->block_bytes, "the smallest unit of the disk, bytes")
      ->check(CLI::IsMember({512, 1024, 2048, 4096}))
      ->excludes(kernel);
  command
      ->add_option("--external-journal", words->external_journal_mib,
                   "the journal is a device of its own, of so many MiB and with a cache of its own")
      ->check(CLI::Range(5, 4096))
      ->excludes(kernel)
      ->excludes(command->get_option("--device"))
      ->excludes(command->get_option("--journal-size"));
  command
      ->add_flag("--allocate", words->is_allocated,
                 "take the disk's storage at the start, not as it is written")
      ->excludes(kernel);
  command
      ->add_flag("--no-check", words->is_unchecked,
                 "check no commit: to measure what the check costs")
      ->excludes(kernel);
  words->explore.add_to(*command);
  command->add_option("--explore-seconds", words->explore_seconds,
                      "how long the states are explored that a power cut could have left");
  CLI::Option* const none =
      command->add_flag("--no-explore", words->is_unexplored, "not at all, and record nothing");
  CLI::Option* const online =
      command
          ->add_flag("--explore-online", words->is_online,
                     "while the load runs, too: the newest part of what is recorded")
          ->excludes(none);
  command->add_option("--explore-share", words->explore_share, "of one processor, for that, in %")
      ->check(CLI::Range(1.0, 100.0))
      ->needs(online);
  words->suite.add_to(*command);
  command->add_option("command", words->command,
                      "COMMAND and its arguments, after --; ends at --seconds");
  command->callback([&line, words] { line.exit_code = run(*words); });
}

}  // namespace powercut::cli
