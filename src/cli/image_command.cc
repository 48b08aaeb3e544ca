#include "cli/command.h"

namespace powercut::cli {

void add_image(CommandLine& line) {
  CLI::App* const command =
      line.app.add_subcommand("image", "Reads an ext4 image without root and without a mount");
  command->require_subcommand(1);
}

}  // namespace powercut::cli
