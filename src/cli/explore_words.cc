#include "cli/explore_words.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/command.h"
#include "host/machine.h"

namespace powercut::cli {
namespace {

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

}  // namespace

void ExploreWords::add_to(CLI::App& command) {
  command.add_option("--judges", judges,
                     "names with commas between them: tag,order,recover,structure,content "
                     "(default), differential (as root)");
  command.add_option("--check", check,
                     "as root: a shell command that runs in each recovered tree; it says with its "
                     "exit status whether the tree is as it should be");
  command.add_option("--examine-every", examine_every,
                     "differential and --check look at one of so many judged states");
  command.add_option("--examine-max", examined_max, "and at so many states at most");
  command.add_option("--examine-seconds", examine_seconds, "and for so long");
  command.add_option("--states", states_max, "at most so many states");
  command.add_option("--seed", seed, "of what is drawn at random");
  command.add_option("--atomic", atomic_bytes, "a write can be torn at so many bytes")
      ->check(CLI::IsMember({512, 1024, 2048, 4096}));
  command.add_option("--lying-flushes", lied_flushes,
                     "a flush takes effect only after so many more");
  command.add_option("--recover-as", recover_as,
                     "whose rules: linux, linux-6.12, linux-6.1, e2fsck");
  command
      .add_option("--data", data,
                  "what the file system was mounted with (data=...); with `ordered` the order "
                  "judge looks at the data of files, too")
      ->check(CLI::IsMember({"journal", "ordered", "writeback"}));
  command.add_option("--compare-every", compare_every,
                     "one of so many states is recovered the slow way too; 0: none");
}

Result<lab::ExploreOptions> ExploreWords::options(double time_seconds) const {
  lab::ExploreOptions options;
  options.judges = TRY(judges_of(judges));
  if (!check.empty()) {
    options.check_command = check;
    const bool is_named =
        std::ranges::find(options.judges, lab::JudgeName::kCommand) != options.judges.end();
    if (!is_named) options.judges.push_back(lab::JudgeName::kCommand);
  }
  const auto rules = recover_as_of(recover_as);
  if (!rules) return fail_with(Errc::kInvalid, "--recover-as: unknown", recover_as);
  options.explorer.recover_as = *rules;
  options.data_mode = lab::data_mode_of(data).value_or(lab::DataMode::kUnknown);
  options.explorer.seed = seed;
  options.explorer.states_max = states_max;
  options.explorer.compare_every = compare_every;
  options.explorer.examine_every = std::max<std::uint64_t>(1, examine_every);
  options.explorer.examined_max = examined_max;
  options.explorer.examine_time_max = nanoseconds_of(examine_seconds);
  options.explorer.model = {lied_flushes, atomic_bytes};
  if (time_seconds > 0) options.explorer.time_max = nanoseconds_of(time_seconds);
  options.memory_max = memory_bytes() / 2;
  return options;
}

std::string ExploreWords::repeated() const {
  std::string text;
  if (recover_as != "linux") text += " --recover-as " + recover_as;
  if (!data.empty()) text += " --data " + data;
  if (!judges.empty()) text += " --judges " + judges;
  if (!check.empty()) text += " --check " + shell_word(check);
  if (atomic_bytes != 0) text += fmt::format(" --atomic {}", atomic_bytes);
  if (lied_flushes != 0) text += fmt::format(" --lying-flushes {}", lied_flushes);
  return text;
}

}  // namespace powercut::cli
