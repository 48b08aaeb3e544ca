// The whole of the program but its main().
#pragma once

namespace powercut::cli {

// The exit status.
int run_command_line(int argument_count, char** arguments);

}  // namespace powercut::cli
