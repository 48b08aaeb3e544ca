#include <fmt/format.h>

#include "cli/command.h"
#include "host/machine.h"
#include "lab/report/report_json.h"
#include "lab/report/text.h"
#include "lab/verify/verify_recording.h"

namespace powercut::cli {
namespace {

struct VerifyWords {
  std::string recording;
  bool as_json = false;
};

int verify(const VerifyWords& words) {
  const auto file = File::open(words.recording, File::Access::kRead);
  if (!file) return print_error(file.error());
  const auto recording = lab::read_recording(*file, memory_bytes() / 4);
  if (!recording) return print_error(recording.error());
  const SteadyClock clock;
  const auto verification = lab::verify_recording(*recording, clock);
  lab::DiskStatus status;
  status.counters = verification.counters;
  status.trouble = verification.trouble;
  if (words.as_json) {
    print(lab::verification_json(status, verification.findings));
  } else {
    print(lab::verification_text(words.recording, verification));
  }
  if (!verification.findings.empty()) return kFindings;
  return verification.trouble.empty() ? kNothingFound : kEnvironment;
}

}  // namespace

void add_verify(CommandLine& line) {
  auto words = std::make_shared<VerifyWords>();
  CLI::App* const command =
      line.app.add_subcommand("verify", "Checks every commit of a recording (made with --record)");
  command->add_option("recording", words->recording, "the file")->required();
  command->add_flag("--json", words->as_json, "one JSON document");
  command->callback([&line, words] { line.exit_code = verify(*words); });
}

}  // namespace powercut::cli
