#include "cli/command.h"
#include "lab/sources/guest/hot_store.h"

namespace powercut::cli {

void add_workload(CommandLine& line) {
  CLI::App* const command =
      line.app.add_subcommand("workload", "Loads: hot-store (stores into mapped pages, and sync)");
  CLI::App* const hot_store =
      command->add_subcommand("hot-store", std::string(lab::kHotStoreUsage));
  command->require_subcommand(1);
  hot_store->prefix_command();
  hot_store->callback(
      [&line, hot_store] { line.exit_code = lab::hot_store_main(hot_store->remaining()); });
}

}  // namespace powercut::cli
