#include <fmt/format.h>

#include "cli/command.h"
#include "cli/explore_words.h"
#include "cli/suite_words.h"
#include "cli/work_line.h"
#include "host/machine.h"
#include "lab/report/explore_text.h"
#include "lab/report/suites.h"

namespace powercut::cli {
namespace {

struct Words {
  std::string recording, keep = "all", extract, mount_options;
  ExploreWords explore;
  SuiteWords suite;
  std::optional<std::uint32_t> crash;
  double seconds = 0;
  bool as_json = false;
};

Result<lab::ExploreOptions> options_of(const Words& words) {
  lab::ExploreOptions options = TRY(words.explore.options(words.seconds));
  options.mount_options = words.mount_options;
  if (words.crash) options.one = lab::StateId{*words.crash, words.keep};
  options.extract = words.extract;
  if (!words.extract.empty() && !words.crash) {
    return fail(Errc::kInvalid, "--extract goes with --crash: one state");
  }
  return options;
}

// The command again, but for the words that choose a state.
std::string repeat_of(const Words& words) {
  std::string text = "powercut explore " + shell_word(words.recording) + words.explore.repeated();
  if (!words.mount_options.empty()) text += " --mount-options " + shell_word(words.mount_options);
  return text;
}

int explore(const Words& words) {
  const auto options = options_of(words);
  if (!options) return print_error(options.error());
  const SteadyClock clock;
  WorkLine progress("explore", words.as_json);
  const auto result = lab::explore_file(
      words.recording, memory_bytes() / 4, *options, clock,
      [&progress](const lab::ExplorerCounts& counts) {
        return progress.show([&counts] { return lab::explore_progress_text(counts); });
      });
  progress.clear();
  if (!result) {
    const int code = print_error(result.error());
    return result.error().code == Errc::kAborted ? kOurBug : code;
  }
  const std::string repeat = repeat_of(words);
  print(words.as_json ? lab::exploration_json(*result, repeat)
                      : lab::exploration_text(words.recording, *result, repeat));
  const int code = result->has_findings() ? kFindings : kNothingFound;
  return words.suite.write(lab::exploration_suite(*result, repeat), code);
}

}  // namespace

void add_explore(CommandLine& line) {
  auto words = std::make_shared<Words>();
  CLI::App* const command = line.app.add_subcommand(
      "explore", "Recovers and judges the states that a power cut could have left of a recording");
  command->add_option("recording", words->recording, "the file")->required();
  words->explore.add_to(*command);
  command->add_option("--mount-options", words->mount_options, "of the mounts for --check");
  command->add_option("--seconds", words->seconds,
                      "at most so long; the crash points that are looked at lie evenly");
  command->add_option("--crash", words->crash, "only this crash point: events before the cut");
  command->add_option("--keep", words->keep,
                      "with --crash: the writes that got there: all, none, or 1-4,7");
  command->add_option("--extract", words->extract,
                      "with --crash: the disk of that state, not recovered, to a new file");
  words->suite.add_to(*command);
  command->add_flag("--json", words->as_json, "one JSON document");
  command->callback([&line, words] { line.exit_code = explore(*words); });
}

}  // namespace powercut::cli
