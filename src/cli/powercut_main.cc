// powercut: words in, one library call, text or JSON out.
#include "cli/command_line.h"

int main(int argument_count, char** arguments) {
  return powercut::cli::run_command_line(argument_count, arguments);
}
