#include "cli/command.h"

namespace powercut::cli {
namespace {

struct RunWords {
  std::string kernel;
  std::vector<std::string> command, bring;
  VmWords vm;
};

int run(const RunWords& words) {
  const auto kernel = obtain_kernel_by_name(words.kernel, words.vm.modules_dir);
  if (!kernel) return print_no_kernel(kernel.error());
  lab::RunOptions options;
  options.kernel = *kernel;
  options.commands = {words.command};
  options.programs = words.bring;
  options.load_limit =
      std::chrono::duration_cast<Nanoseconds>(std::chrono::duration<double>(words.vm.seconds));
  if (const auto applied = words.vm.apply(options); !applied) return print_error(applied.error());
  std::string again = "powercut run --kernel " + shell_word(words.kernel) + words.vm.repeated();
  for (const std::string& program : words.bring) again += " --bring " + shell_word(program);
  again += " --";
  for (const std::string& word : words.command) again += " " + shell_word(word);
  return run_and_print(std::move(options), words.vm, "run on " + words.kernel, again);
}

}  // namespace

void add_run(CommandLine& line) {
  auto words = std::make_shared<RunWords>();
  CLI::App* const command = line.app.add_subcommand(
      "run", "Runs a command in a virtual machine and checks every commit that it causes");
  words->vm.seconds = 60;
  command
      ->add_option("--kernel", words->kernel,
                   "debian:6.1, debian:6.12, debian:bookworm, deb:FILE, or a bzImage")
      ->required();
  command
      ->add_option("--bring", words->bring,
                   "a program to bring into the guest besides COMMAND; again for more")
      ->allow_extra_args(false);
  words->vm.add_to(*command);
  command
      ->add_option("command", words->command,
                   "COMMAND and its arguments, after --; ends at --seconds")
      ->required();
  command->callback([&line, words] { line.exit_code = run(*words); });
}

}  // namespace powercut::cli
