// What ./run shows: a bad journal block caught in a real kernel, what it comes to, and a kernel
// without it.  Where no kernel is to be had: the same check on a recording that came with Powercut.
#include <fmt/format.h>

#include <algorithm>

#include "cli/command.h"
#include "host/machine.h"
#include "lab/campaign/hunt.h"
#include "lab/campaign/prove.h"
#include "lab/report/text.h"
#include "lab/verify/verify_recording.h"

namespace powercut::cli {
namespace {

constexpr auto kHuntLimit = std::chrono::seconds(60);
constexpr double kCleanSecondsMin = 20;

constexpr std::string_view kIntroduction =
    "In data=journal mode ext4 writes file data through its journal, with a checksum for each "
    "block.\n"
    "A program that maps a file can store to a page between the checksum and the write.  Then the\n"
    "journal holds a block that does not match, and after a power cut the file system does not "
    "mount.\n"
    "Powercut runs a stock kernel on a disk that it serves itself, and checks every block as it "
    "is\n"
    "written.\n\n";

struct DemoWords {
  std::string bad = "debian:6.1", good = "debian:6.12";
  std::string output, recording;
};

class Demo {
 public:
  explicit Demo(const DemoWords& words) : words_(words), live_(3) {}

  int show() {
    print(kIntroduction);
    auto environment = make_environment(clock_, live_);
    if (!environment) return print_error(environment.error());
    const auto bad = obtain_kernel_by_name(words_.bad, "");
    if (!bad) return show_recording(bad.error());
    const auto folder = make_results_folder(words_.output, "demo");
    if (!folder) return print_error(folder.error());
    const auto caught = hunt(*bad, *environment, *folder, lab::HuntLoad::kStore, kHuntLimit, true);
    if (!caught && was_interrupted()) return print_error(caught.error());
    if (!caught) return show_recording(caught.error());
    if (caught->findings.empty()) return say_nothing_was_found(*caught);
    explain_finding(*caught);
    if (was_interrupted()) return kFindings;
    prove_it(*caught, *environment);
    if (was_interrupted()) return kFindings;
    return show_clean_kernel(*caught, *environment, *folder);
  }

 private:
  Result<lab::RunOutcome> hunt(const lab::KernelImage& kernel,
                               const lab::LabEnvironment& environment,
                               const std::filesystem::path& folder, lab::HuntLoad load,
                               Nanoseconds seconds, bool until_first) {
    lab::RunOptions options = lab::hunt_options(kernel, load, seconds);
    options.until_first = until_first;
    const char* const kind = load == lab::HuntLoad::kCut ? "-cut.img" : ".img";
    options.keep = folder / (kernel.release + kind);
    print(lab::run_header_text(options, "hunt " + kernel.name));
    auto run = run_in_vm(options, environment);
    live_.clear();
    if (!run) return run;
    print(lab::run_text(*run));
    if (!run->findings.empty() && !run->kept.path.empty()) {
      const auto noted = lab::write_image_note(
          run->kept.path, {kernel.name, kernel.release, run->findings.front()});
      if (!noted) print_error(noted.error());
    }
    return run;
  }

  void explain_finding(const lab::RunOutcome& run) {
    const lab::Finding& first = run.findings.front();
    print(
        fmt::format("\n  Caught {:.1f} s after the load began, in commit {}: block {} of {} in "
                    "transaction {}.\n"
                    "  Its checksum says 0x{:08x}; what was written has 0x{:08x}.  The power was "
                    "cut there.\n\n",
                    seconds_of(first.when), first.commit_number, first.index, first.count,
                    first.tid.value(), first.stored, first.computed));
  }

  void prove_it(const lab::RunOutcome& run, const lab::LabEnvironment& environment) {
    if (run.kept.path.empty()) return print("  no image was kept, so there is nothing to prove\n");
    lab::ProveOptions options;
    options.image = run.kept.path;
    options.kernel = run.kernel;
    const auto proof = lab::prove(options, environment);
    if (!proof) {
      print_error(proof.error());
      return;
    }
    const lab::ImageNote note{run.kernel.name, run.kernel.release, run.findings.front()};
    print(lab::proof_text(*proof, &note) + "\n");
  }

  int show_clean_kernel(const lab::RunOutcome& caught, const lab::LabEnvironment& environment,
                        const std::filesystem::path& folder) {
    const auto good = obtain_kernel_by_name(words_.good, "");
    if (!good) {
      print_note("powercut: unknown: no second kernel to compare with\n");
      print_error(good.error());
      return kFindings;
    }
    const double seconds = std::max(kCleanSecondsMin, caught.first_finding_seconds().value_or(0));
    const auto limit = nanoseconds_of(seconds);
    const auto clean = hunt(*good, environment, folder, lab::HuntLoad::kStore, limit, false);
    if (!clean) {
      print_error(clean.error());
      return kFindings;
    }
    print(lab::counts_text(std::span(&*clean, 1)));
    const char* const said = !clean->findings.empty() ? "SHOWED IT TOO"
                             : !clean->is_whole()     ? "was not looked at to the end"
                                                      : "showed nothing under the same load";
    print(fmt::format("\n  {} has the race (Linux 5.10 to 6.3 have); {} {}.\n\n",
                      caught.kernel.release, clean->kernel.release, said));
    if (!was_interrupted()) show_cut(*good, environment, folder);
    print(
        fmt::format("  How often, and how sure: powercut hunt {} --seconds 60 --runs 10\n"
                    "  Results and the images:  {}\n",
                    words_.bad, folder.string()));
    return kFindings;
  }

  // The second way, which the newer kernel has, too.
  void show_cut(const lab::KernelImage& kernel, const lab::LabEnvironment& environment,
                const std::filesystem::path& folder) {
    print(
        "Another way needs no map: a file is cut (ftruncate) in the middle of a block while it\n"
        "commits.\n\n");
    const auto run = hunt(kernel, environment, folder, lab::HuntLoad::kCut, kHuntLimit, true);
    if (!run) {
      print_error(run.error());
      return;
    }
    if (run->findings.empty()) {
      print("  nothing was found in the time given\n\n");
      return;
    }
    explain_finding(*run);
    if (!was_interrupted()) prove_it(*run, environment);
  }

  int say_nothing_was_found(const lab::RunOutcome& run) {
    if (run.ending == lab::Ending::kInterrupted) return kEnvironment;
    print("  nothing was found in the time given");
    print(run.trouble.empty() ? "; try: powercut hunt debian:6.1 --seconds 120\n"
                              : ": " + run.trouble + "\n" + run.console_tail + "\n");
    return run.is_whole() ? kNothingFound : kEnvironment;
  }

  int show_recording(const Error& why) {
    print_note("powercut: unknown: no kernel can be run here:\n  " + lab::error_text(why));
    print(
        "\nThe check is shown on a recording that came with Powercut: the disk writes of a "
        "virtual\n"
        "machine with Linux 6.1, cut short at the first bad block.\n\n");
    const auto file = File::open(words_.recording, File::Access::kRead);
    if (!file) return print_error(file.error());
    const auto recording = lab::read_recording(*file, memory_bytes() / 4);
    if (!recording) return print_error(recording.error());
    const auto verification = lab::verify_recording(*recording, clock_);
    print(lab::verification_text(words_.recording, verification));
    return verification.findings.empty() ? kNothingFound : kFindings;
  }

  const DemoWords& words_;
  const SteadyClock clock_;
  LiveLine live_;
};

// In the source tree that the program was built in, or where an installation puts it.
std::string shipped_recording() {
  std::error_code error;
  for (const char* const place :
       {"../../share/first-find.pcrec", "../share/powercut/first-find.pcrec"}) {
    const auto candidate = (program_directory() / place).lexically_normal();
    if (std::filesystem::exists(candidate, error)) return candidate.string();
  }
  return "share/first-find.pcrec";
}

}  // namespace

void add_demo(CommandLine& line) {
  auto words = std::make_shared<DemoWords>();
  CLI::App* const command = line.app.add_subcommand(
      "demo", "What ./run shows: a bad journal block caught, its proof, and a kernel without it");
  command->add_option("--bad", words->bad, "the kernel to catch");
  command->add_option("--good", words->good, "the kernel to compare with");
  command->add_option("--output", words->output, "folder for the results");
  words->recording = shipped_recording();
  command->add_option("--recording", words->recording, "what is shown where no kernel can be had");
  command->callback([&line, words] { line.exit_code = Demo(*words).show(); });
}

}  // namespace powercut::cli
