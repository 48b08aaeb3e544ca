#include "cli/command.h"
#include "host/machine.h"
#include "lab/sources/guest/hot_cut.h"
#include "lab/sources/guest/hot_store.h"
#include "lab/sources/guest/mark_client.h"
#include "lab/sources/guest/workload.h"

namespace powercut::cli {
namespace {

CLI::App* add_kind(CLI::App& command, const std::string& name, const std::string& usage) {
  CLI::App* const kind = command.add_subcommand(name, usage);
  kind->prefix_command();
  return kind;
}

}  // namespace

void add_workload(CommandLine& line) {
  CLI::App* const command = line.app.add_subcommand(
      "workload",
      "Loads: hot-store (stores into mapped pages, and sync); hot-cut (files that are cut while "
      "they commit); mmap, write, append, "
      "rename, mixed (files that say what they hold, and promise it in marks)");
  command->require_subcommand(1);
  CLI::App* const hot_store = add_kind(*command, "hot-store", std::string(lab::kHotStoreUsage));
  hot_store->callback(
      [&line, hot_store] { line.exit_code = lab::hot_store_main(hot_store->remaining()); });
  CLI::App* const hot_cut = add_kind(*command, "hot-cut", std::string(lab::kHotCutUsage));
  hot_cut->callback([&line, hot_cut] { line.exit_code = lab::hot_cut_main(hot_cut->remaining()); });
  for (const char* const name : {"mmap", "write", "append", "rename", "mixed"}) {
    CLI::App* const kind = add_kind(*command, name, std::string(lab::kWorkloadUsage));
    kind->callback([&line, kind, name] {
      std::vector<std::string> words = kind->remaining();
      words.insert(words.begin(), name);
      line.exit_code = lab::workload_main(words, environment_value(lab::kMarksVariable));
    });
  }
}

void add_mark(CommandLine& line) {
  CLI::App* const command = line.app.add_subcommand(
      "mark", "Inside a load: puts TEXT into the stream of the disk's requests");
  command->prefix_command();
  command->callback([&line, command] {
    line.exit_code = lab::mark_main(environment_value(lab::kMarksVariable), command->remaining());
  });
}

}  // namespace powercut::cli
