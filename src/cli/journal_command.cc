#include "cli/journal_command.h"

#include <algorithm>

#include "cli/work_line.h"
#include "host/machine.h"
#include "lab/report/journal_json.h"
#include "lab/report/journal_text.h"

namespace powercut::cli {
namespace {

struct ShowWords {
  ImageWords where;
  std::string image;
  std::optional<std::uint32_t> tid;
  std::optional<std::uint64_t> block;
  std::uint64_t limit = 2000;
  bool lists_blocks = false, lists_old = false, as_json = false;
  std::string repeated() const {
    std::string text = "powercut journal show " + shell_word(image) + where.repeated();
    if (tid) text += " --tid " + std::to_string(*tid);
    if (block) text += " --block " + std::to_string(*block);
    return text + (lists_blocks ? " --blocks" : "");
  }
};

int show(const ShowWords& words) {
  const auto options = words.where.options_for(words.image);
  if (!options) return print_error(options.error());
  const auto image = open_image(*options);
  if (!image) return print_image_error(image.error(), *options);
  lab::StoryOptions wanted;
  if (words.tid) wanted.tid = Tid(*words.tid);
  if (words.block) wanted.block = BlockNo(*words.block);
  wanted.has_all_owners = words.lists_blocks;
  wanted.owners_max = words.limit;
  WorkLine line("journal");
  const auto story = lab::tell_journal(*image, wanted, line.watcher());
  line.clear();
  if (!story) return print_unread(story.error(), *options);
  if (words.as_json) {
    print(lab::story_json(*story, words.lists_blocks, words.repeated()));
  } else {
    lab::StoryTextOptions text;
    text.lists_blocks = words.lists_blocks;
    if (words.lists_old || words.lists_blocks) text.old_max = SIZE_MAX;
    text.repeat_command = words.repeated();
    print(lab::story_text(*story, text));
  }
  return story->is_damaged() ? kFindings : kNothingFound;
}

struct VerifyJournalWords {
  ImageWords where;
  std::vector<std::string> images;
  lab::CheckOptions check;
  bool as_json = false;
  std::string repeated() const {
    std::string text = "powercut journal verify";
    for (const std::string& image : images) text += " " + shell_word(image);
    return text + where.repeated() + (check.checks_old ? " --old" : "");
  }
};

Result<lab::JournalCheck> check_one(const VerifyJournalWords& words, const std::string& path) {
  const auto options = TRY(words.where.options_for(path));
  const auto image = open_image(options);
  if (!image) {
    if (!words.as_json) print_image_error(image.error(), options);
    return Failure{image.error()};
  }
  WorkLine line(path);
  auto check = lab::check_journal(*image, words.check, line.watcher());
  line.clear();
  if (!check && !words.as_json) print_error(check.error());
  return check;
}

// All images are looked at; what could not be read counts more than what was found.
int verify_journal(const VerifyJournalWords& words) {
  int code = kNothingFound;
  std::vector<lab::ImageCheck> checks;
  for (const std::string& image : words.images) {
    if (was_interrupted()) break;
    auto check = check_one(words, image);
    const int own = !check ? kEnvironment : check->findings.empty() ? kNothingFound : kFindings;
    code = std::max(code, own);
    if (check && !words.as_json) print(lab::check_text(*check, words.repeated()));
    if (words.as_json) checks.push_back({image, std::move(check)});
  }
  if (words.as_json) print(lab::checks_json(checks, words.repeated()));
  return was_interrupted() ? kEnvironment : code;
}

void add_show(CommandLine& line, CLI::App& journal) {
  auto words = std::make_shared<ShowWords>();
  CLI::App* const command = journal.add_subcommand(
      "show", "What is in it: superblock, transactions, what a recovery does with each block");
  command->add_option("image", words->image, "an ext4 image or device; only read")->required();
  CLI::Option* const tid = command->add_option(
      "--tid", words->tid, "this transaction, with its blocks and their owners");
  command->add_option("--block", words->block, "the history of one block of the file system")
      ->excludes(tid);
  command->add_flag("--blocks", words->lists_blocks, "all transactions with their blocks");
  command->add_flag("--old", words->lists_old, "all old transactions, not only the youngest");
  command->add_option("--limit", words->limit, "owners that are looked for at most");
  command->add_flag("--json", words->as_json, "one JSON document");
  words->where.add_to(*command);
  command->callback([&line, words] { line.exit_code = show(*words); });
}

void add_verify_journal(CommandLine& line, CLI::App& journal) {
  auto words = std::make_shared<VerifyJournalWords>();
  CLI::App* const command = journal.add_subcommand(
      "verify",
      "Checks every block in the log; a line for each that is damaged, as hunt prints it");
  command->add_option("image", words->images, "ext4 images or devices; only read")->required();
  command->add_flag("--old", words->check.checks_old,
                    "also transactions that are no longer in the log");
  command->add_option("--limit", words->check.identified_max,
                      "damaged blocks that are told in full at most");
  command->add_flag("--json", words->as_json, "one JSON document");
  words->where.add_to(*command);
  command->callback([&line, words] { line.exit_code = verify_journal(*words); });
}

}  // namespace

void add_journal(CommandLine& line) {
  CLI::App* const command =
      line.app.add_subcommand("journal", "What is in a journal: show, verify, replay");
  command->require_subcommand(1);
  add_show(line, *command);
  add_verify_journal(line, *command);
  add_journal_replay(line, *command);
}

}  // namespace powercut::cli
