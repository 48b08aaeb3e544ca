#include "cli/command.h"

namespace powercut::cli {

void add_journal(CommandLine& line) {
  CLI::App* const command =
      line.app.add_subcommand("journal", "What is in a journal: show, verify, replay");
  command->require_subcommand(1);
}

}  // namespace powercut::cli
