#include <fmt/format.h>
#include <unistd.h>

#include "cli/command.h"
#include "host/machine.h"
#include "lab/report/explore_text.h"
#include "lab/report/text.h"

namespace powercut::cli {
namespace {

struct ExploreWords {
  std::string recording, judges, keep = "all", extract, recover_as = "linux", check, mount_options;
  std::optional<std::uint32_t> crash;
  std::uint64_t states_max = 1'000'000, seed = 1, compare_every = 2000;
  std::uint64_t examine_every = 1, examined_max = 1000;
  double seconds = 0, examine_seconds = 60;
  std::uint32_t atomic_bytes = 0, lied_flushes = 0;
  bool as_json = false;
};

Result<std::vector<lab::JudgeName>> judges_of(const std::string& words) {
  if (words.empty()) return lab::explore_judges();
  std::vector<lab::JudgeName> judges;
  for (std::size_t at = 0; at <= words.size();) {
    const std::size_t end = std::min(words.find(',', at), words.size());
    const std::string name = words.substr(at, end - at);
    const auto judge = lab::judge_of(name);
    if (!judge) return fail_with(Errc::kInvalid, "no such judge", name);
    judges.push_back(*judge);
    at = end + 1;
  }
  return judges;
}

Result<lab::ExploreOptions> options_of(const ExploreWords& words) {
  lab::ExploreOptions options;
  options.judges = TRY(judges_of(words.judges));
  if (!words.check.empty()) {
    options.check_command = words.check;
    options.mount_options = words.mount_options;
    const bool is_named =
        std::ranges::find(options.judges, lab::JudgeName::kCommand) != options.judges.end();
    if (!is_named) options.judges.push_back(lab::JudgeName::kCommand);
  }
  options.explorer.examine_every = std::max<std::uint64_t>(1, words.examine_every);
  options.explorer.examined_max = words.examined_max;
  options.explorer.examine_time_max =
      std::chrono::duration_cast<Nanoseconds>(std::chrono::duration<double>(words.examine_seconds));
  const auto rules = recover_as_of(words.recover_as);
  if (!rules) return fail_with(Errc::kInvalid, "--recover-as: unknown", words.recover_as);
  options.explorer.recover_as = *rules;
  options.explorer.seed = words.seed;
  options.explorer.states_max = words.states_max;
  options.explorer.compare_every = words.compare_every;
  options.explorer.model = {words.lied_flushes, words.atomic_bytes};
  if (words.seconds > 0) {
    options.explorer.time_max =
        std::chrono::duration_cast<Nanoseconds>(std::chrono::duration<double>(words.seconds));
  }
  options.memory_max = memory_bytes() / 2;
  if (words.crash) options.one = lab::StateId{*words.crash, words.keep};
  options.extract = words.extract;
  if (!words.extract.empty() && !words.crash) {
    return fail(Errc::kInvalid, "--extract goes with --crash: one state");
  }
  return options;
}

// The command again, but for the words that choose a state.
std::string repeat_of(const ExploreWords& words) {
  std::string text = "powercut explore " + shell_word(words.recording);
  if (words.recover_as != "linux") text += " --recover-as " + words.recover_as;
  if (!words.judges.empty()) text += " --judges " + words.judges;
  if (!words.check.empty()) text += " --check " + shell_word(words.check);
  if (!words.mount_options.empty()) text += " --mount-options " + shell_word(words.mount_options);
  if (words.atomic_bytes != 0) text += fmt::format(" --atomic {}", words.atomic_bytes);
  if (words.lied_flushes != 0) text += fmt::format(" --lying-flushes {}", words.lied_flushes);
  return text;
}

class Progress {
 public:
  explicit Progress(bool is_quiet) : is_shown_(!is_quiet && is_terminal(STDERR_FILENO)) {}
  bool operator()(const lab::ExplorerCounts& counts) {
    const Nanoseconds now = clock_.now();
    if (is_shown_ && now - last_ > std::chrono::milliseconds(200)) {
      last_ = now;
      print_note("\r\x1b[K" + lab::explore_progress_text(counts));
    }
    return !was_interrupted();
  }
  void clear() const {
    if (is_shown_) print_note("\r\x1b[K");
  }

 private:
  const SteadyClock clock_;
  const bool is_shown_;
  Nanoseconds last_{0};
};

int explore(const ExploreWords& words) {
  const auto options = options_of(words);
  if (!options) return print_error(options.error());
  const auto file = File::open(words.recording, File::Access::kRead);
  if (!file) return print_error(file.error());
  const auto recording = lab::read_recording(*file, memory_bytes() / 4);
  if (!recording) return print_error(recording.error());
  catch_interrupts();
  const SteadyClock clock;
  Progress progress(words.as_json);
  const auto result =
      lab::explore(*recording, *options, clock,
                   [&progress](const lab::ExplorerCounts& counts) { return progress(counts); });
  progress.clear();
  if (!result) {
    const int code = print_error(result.error());
    return result.error().code == Errc::kAborted ? kOurBug : code;
  }
  const std::string repeat = repeat_of(words);
  print(words.as_json ? lab::exploration_json(*result, repeat)
                      : lab::exploration_text(words.recording, *result, repeat));
  return result->has_findings() ? kFindings : kNothingFound;
}

}  // namespace

void add_explore(CommandLine& line) {
  auto words = std::make_shared<ExploreWords>();
  CLI::App* const command = line.app.add_subcommand(
      "explore", "Recovers and judges the states that a power cut could have left of a recording");
  command->add_option("recording", words->recording, "the file")->required();
  command->add_option("--judges", words->judges,
                      "names with commas between them: tag,order,recover,structure,content "
                      "(default), differential (as root)");
  command->add_option("--check", words->check,
                      "as root: a shell command that runs in each recovered tree; it says with its "
                      "exit status whether the tree is as it should be");
  command->add_option("--mount-options", words->mount_options, "of the mounts for --check");
  command->add_option("--examine-every", words->examine_every,
                      "differential and --check look at one of so many judged states");
  command->add_option("--examine-max", words->examined_max, "and at so many states at most");
  command->add_option("--examine-seconds", words->examine_seconds, "and for so long");
  command->add_option("--states", words->states_max, "at most so many states");
  command->add_option("--seconds", words->seconds, "at most so long");
  command->add_option("--seed", words->seed, "of what is drawn at random");
  command->add_option("--atomic", words->atomic_bytes, "a write can be torn at so many bytes")
      ->check(CLI::IsMember({512, 1024, 2048, 4096}));
  command->add_option("--lying-flushes", words->lied_flushes,
                      "a flush takes effect only after so many more");
  command->add_option("--recover-as", words->recover_as,
                      "whose rules: linux, linux-6.12, linux-6.1, e2fsck");
  command->add_option("--compare-every", words->compare_every,
                      "one of so many states is recovered the slow way too; 0: none");
  command->add_option("--crash", words->crash, "only this crash point: events before the cut");
  command->add_option("--keep", words->keep,
                      "with --crash: the writes that got there: all, none, or 1-4,7");
  command->add_option("--extract", words->extract,
                      "with --crash: the disk of that state, not recovered, to a new file");
  command->add_flag("--json", words->as_json, "one JSON document");
  command->callback([&line, words] { line.exit_code = explore(*words); });
}

}  // namespace powercut::cli
