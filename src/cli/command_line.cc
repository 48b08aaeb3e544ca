#include "cli/command_line.h"

#include "cli/command.h"

namespace powercut::cli {

int run_command_line(int argument_count, char** arguments) {
  if (const auto part = run_as_part(argument_count, arguments)) return *part;
  CommandLine line;
  line.app.require_subcommand(1);
  line.app.footer(
      "Exit status: 0 nothing found, 1 findings, 2 usage, 3 environment or I/O, 4 a bug of ours.");
  add_demo(line);
  add_hunt(line);
  add_run(line);
  add_prove(line);
  add_verify(line);
  add_record(line);
  add_explore(line);
  add_journal(line);
  add_image(line);
  add_workload(line);
  add_mark(line);
  try {
    line.app.parse(argument_count, arguments);
  } catch (const CLI::ParseError& error) {
    return line.app.exit(error) == 0 ? kNothingFound : kUsage;
  } catch (const std::exception& error) {
    print_note(std::string("powercut: a bug of ours: ") + error.what() + "\n");
    return kOurBug;
  }
  return line.exit_code;
}

}  // namespace powercut::cli
