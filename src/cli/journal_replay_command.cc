#include "cli/journal_command.h"
#include "cli/work_line.h"
#include "lab/report/journal_json.h"
#include "lab/report/journal_text.h"

namespace powercut::cli {
namespace {

struct ReplayWords {
  ImageWords where;
  std::string image, output;
  bool is_in_place = false, is_dry_run = false, as_json = false;
  std::string repeated() const {
    return "powercut journal replay " + shell_word(image) + where.repeated();
  }
};

int replay(const ReplayWords& words) {
  const auto options = words.where.options_for(words.image);
  if (!options) return print_error(options.error());
  lab::ReplayOptions wanted{lab::ReplayMode::kDryRun, words.output};
  if (words.is_in_place) wanted.mode = lab::ReplayMode::kInPlace;
  if (!words.output.empty()) wanted.mode = lab::ReplayMode::kCopy;
  // In place a use is an error, which says the same.
  const auto image = words.is_in_place ? lab::ImageFile::open(*options) : open_image(*options);
  if (!image) return print_image_error(image.error(), *options);
  WorkLine line("replay");
  const auto outcome = lab::replay_journal(*image, wanted, line.watcher());
  line.clear();
  if (!outcome) return print_unread(outcome.error(), *options);
  print(words.as_json ? lab::replay_json(*outcome, words.repeated())
                      : lab::replay_text(*outcome, words.repeated()));
  return outcome->is_damaged() ? kFindings : kNothingFound;
}

}  // namespace

int print_unread(const Error& error, const lab::ImageOptions& options) {
  const int code = print_image_error(error, options);
  return lab::is_damage(error) ? kFindings : code;
}

void add_journal_replay(CommandLine& line, CLI::App& journal) {
  auto words = std::make_shared<ReplayWords>();
  CLI::App* const command = journal.add_subcommand(
      "replay", "Recovers the file system from its journal, as the next mount would");
  command->add_option("image", words->image, "an ext4 image or device")->required();
  CLI::Option_group* const where = command->add_option_group("where to", "default: --dry-run");
  where->add_option("--output", words->output, "into a copy of the image, which is not there yet");
  where->add_flag("--in-place", words->is_in_place, "in the image itself");
  where->add_flag("--dry-run", words->is_dry_run, "nowhere: only say what would be done");
  where->require_option(0, 1);
  command->add_flag("--json", words->as_json, "one JSON document");
  words->where.add_to(*command);
  command->callback([&line, words] { line.exit_code = replay(*words); });
}

}  // namespace powercut::cli
