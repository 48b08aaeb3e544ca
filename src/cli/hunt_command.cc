#include "cli/run_series.h"

namespace powercut::cli {
namespace {

struct HuntWords {
  std::string kernel, load = "store";
  VmWords vm;
  SuiteWords suite;
};

int hunt(const HuntWords& words) {
  const auto kernel = obtain_kernel_by_name(words.kernel, words.vm.modules_dir);
  if (!kernel) return print_no_kernel(kernel.error());
  const auto seconds = nanoseconds_of(words.vm.seconds);
  const bool is_cut = words.load == "cut";
  lab::RunOptions options =
      lab::hunt_options(*kernel, is_cut ? lab::HuntLoad::kCut : lab::HuntLoad::kStore, seconds);
  RunSeries series;
  series.name = "powercut hunt";
  series.header = "hunt " + words.kernel +
                  (is_cut ? ": files that are cut while they commit"
                          : ": the race of mapped pages and commits, amplified");
  series.repeat_command = "powercut hunt " + shell_word(words.kernel) +
                          (is_cut ? " --load cut" : "") + words.vm.repeated();
  series.suite = words.suite;
  return run_in_machine_and_print(std::move(options), words.vm, std::move(series));
}

}  // namespace

void add_hunt(CommandLine& line) {
  auto words = std::make_shared<HuntWords>();
  CLI::App* const command = line.app.add_subcommand(
      "hunt", "Looks for journal blocks that change while they commit, on a real kernel");
  words->vm.seconds = 30;
  command
      ->add_option("kernel", words->kernel,
                   "debian:6.1, debian:6.12, debian:bookworm, deb:FILE, or a bzImage")
      ->required();
  command
      ->add_option("--load", words->load,
                   "store: stores into mapped pages while they commit; cut: files cut while they "
                   "commit")
      ->check(CLI::IsMember({"store", "cut"}))
      ->capture_default_str();
  words->vm.add_to(*command);
  words->suite.add_to(*command);
  command->callback([&line, words] { line.exit_code = hunt(*words); });
}

}  // namespace powercut::cli
