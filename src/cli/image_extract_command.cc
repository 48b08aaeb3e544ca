// powercut image extract
#include <unistd.h>

#include <algorithm>

#include "cli/image_command.h"
#include "host/machine.h"
#include "lab/report/image_json.h"
#include "lab/report/image_text.h"

namespace powercut::cli {
namespace {

constexpr std::size_t kExtractTroublesShown = 50;
constexpr std::size_t kTroublesKept = 1000;
constexpr Nanoseconds kShowEvery = std::chrono::milliseconds(200);

struct ExtractWords : LookWords {
  std::string destination, bytes_max;
  bool keeps_owners = false, leaves_owners = false, keeps_xattrs = false, leaves_xattrs = false;
};

// Shows how it goes, on a terminal; tells troubles; ends it when the user interrupts.
class Watch final : public lab::ExtractObserver {
 public:
  Watch() : is_terminal_(is_terminal(STDERR_FILENO)), start_(clock_.now()), shown_(start_) {}

  void progress(const lab::ExtractCounts& counts) override {
    if (!is_terminal_) return;
    const Nanoseconds now = clock_.now();
    if (now - shown_ < kShowEvery) return;
    shown_ = now;
    is_line_shown_ = true;
    print_note("\r\x1b[K" + lab::extract_progress_text(counts, seconds_of(now - start_)));
  }

  void trouble(const lab::ExtractTrouble& trouble) override {
    if (troubles_.size() < kTroublesKept) troubles_.push_back(trouble);
    if (++count_ > kExtractTroublesShown + 1) return;
    clear();
    print_note("powercut: " + (count_ <= kExtractTroublesShown ? lab::extract_trouble_text(trouble)
                                                               : "... more are counted below\n"));
  }

  bool is_stopped() override { return was_interrupted(); }

  void clear() {
    if (is_line_shown_) print_note("\r\x1b[K");
    is_line_shown_ = false;
  }

  const std::vector<lab::ExtractTrouble>& troubles() const { return troubles_; }

 private:
  const SteadyClock clock_;
  const bool is_terminal_;
  const Nanoseconds start_;
  Nanoseconds shown_;
  bool is_line_shown_ = false;
  std::vector<lab::ExtractTrouble> troubles_;
  std::size_t count_ = 0;
};

int exit_code_of_outcome(const lab::ExtractOutcome& outcome, const Look& looked) {
  using lab::ExtractEnd;
  const bool has_failed = outcome.end == ExtractEnd::kDestinationFailed ||
                          outcome.end == ExtractEnd::kStopped || outcome.counts.failed != 0;
  if (has_failed) return kEnvironment;
  if (outcome.end == ExtractEnd::kTooMuchData) return exit_code_of(outcome.error);
  const bool is_damaged = outcome.counts.damaged != 0 || looked.seen.is_damaged();
  return is_damaged ? kFindings : kNothingFound;
}

int extract(const ExtractWords& words) {
  lab::ExtractOptions options;
  options.keeps_owners = words.keeps_owners || (is_root() && !words.leaves_owners);
  options.keeps_xattrs = !words.leaves_xattrs;
  if (!words.bytes_max.empty()) {
    const auto bytes = parse_offset(words.bytes_max);
    if (!bytes) {
      return print_error(
          fail_with(Errc::kInvalid, "--max-bytes: a number, or with K, M or G", words.bytes_max)
              .error);
    }
    options.bytes_max = *bytes;
  }
  int exit_code = kNothingFound;
  const auto looked = look(words, exit_code);
  if (!looked) return exit_code;
  const auto target =
      lab::resolve_path(looked->volume(), looked->path, lab::LastSymlink::kIsFollowed);
  if (!target) {
    Troubles troubles(*looked);
    troubles.add(looked->path, target.error());
    return troubles.exit_code();
  }
  catch_interrupts();
  Watch watch;
  const auto outcome =
      lab::extract(looked->volume(), *target, looked->path, words.destination, options, watch);
  watch.clear();
  if (!outcome) return print_error(outcome.error());
  print(words.as_json ? lab::extract_json(*outcome, watch.troubles())
                      : lab::extract_text(*outcome, words.destination));
  return exit_code_of_outcome(*outcome, *looked);
}

}  // namespace

void add_image_extract(CLI::App& image, CommandLine& line) {
  auto words = std::make_shared<ExtractWords>();
  CLI::App* const command =
      image.add_subcommand("extract", "Writes a tree of the image to a directory of this machine");
  words->add_to(*command, "image:path");
  command->add_option("destination", words->destination, "a new directory, or one that is empty")
      ->required();
  CLI::Option* const owner = command->add_flag(
      "--owner", words->keeps_owners,
      "owners, set-user-id bits, capabilities and devices, too; default for root");
  command->add_flag("--no-owner", words->leaves_owners, "none of these; default for all others")
      ->excludes(owner);
  CLI::Option* const xattrs = command->add_flag("--xattrs", words->keeps_xattrs,
                                                "extended attributes and ACLs, too; default");
  command->add_flag("--no-xattrs", words->leaves_xattrs, "without these")->excludes(xattrs);
  command->add_option("--max-bytes", words->bytes_max,
                      "write at most so much data (holes are none); default: as much as the file "
                      "system has room for");
  command->callback([&line, words] { line.exit_code = extract(*words); });
}

}  // namespace powercut::cli
