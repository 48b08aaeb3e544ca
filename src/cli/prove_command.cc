#include "cli/command.h"
#include "host/machine.h"
#include "lab/campaign/prove.h"
#include "lab/report/report_json.h"
#include "lab/report/text.h"

namespace powercut::cli {
namespace {

struct ProveWords {
  std::string image, kernel, modules_dir;
  bool as_json = false;
};

int prove(const ProveWords& words) {
  const SteadyClock clock;
  LiveLine live(0);
  auto environment = make_environment(clock, live);
  if (!environment) return print_error(environment.error());
  const auto note = lab::read_image_note(words.image);
  std::string name = words.kernel;
  if (name.empty() && note) name = note->kernel_name;
  lab::ProveOptions options;
  options.image = words.image;
  if (!name.empty() && name != "none") {
    const auto kernel = obtain_kernel_by_name(name, words.modules_dir);
    if (!kernel && kernel.error().code == Errc::kInvalid) return print_error(kernel.error());
    if (kernel) {
      options.kernel = *kernel;
    } else {
      print_no_kernel(kernel.error());
    }
  }
  const auto proof = lab::prove(options, *environment);
  if (!proof) return print_error(proof.error());
  print(words.as_json ? lab::proof_json(*proof) : lab::proof_text(*proof, note ? &*note : nullptr));
  return proof->is_damaged() ? kFindings : kNothingFound;
}

}  // namespace

void add_prove(CommandLine& line) {
  auto words = std::make_shared<ProveWords>();
  CLI::App* const command = line.app.add_subcommand(
      "prove", "Says what happens to a crashed image: our recovery, e2fsck, a real kernel's mount");
  command->add_option("image", words->image, "an image; it is not changed")->required();
  command->add_option("--kernel", words->kernel,
                      "who is to mount it; default: the kernel that wrote it; none: nobody");
  command->add_option("--modules", words->modules_dir, "for a bzImage: the folder of its modules");
  command->add_flag("--json", words->as_json, "one JSON document");
  command->callback([&line, words] { line.exit_code = prove(*words); });
}

}  // namespace powercut::cli
