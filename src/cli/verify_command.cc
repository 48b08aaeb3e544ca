#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "cli/command.h"
#include "cli/suite_words.h"
#include "host/machine.h"
#include "lab/check/order_stream.h"
#include "lab/report/check_text.h"
#include "lab/report/suites.h"
#include "lab/report/text.h"
#include "lab/verify/verify_recording.h"

namespace powercut::cli {
namespace {

struct VerifyWords {
  std::string recording;
  std::vector<std::string> judges = {"tag", "order"};
  std::string data;
  SuiteWords suite;
  bool as_json = false;
  bool asks(std::string_view judge) const {
    return std::ranges::find(judges, judge) != judges.end();
  }
};

void print_text(const std::string& name, const lab::VerifiedStream& verified) {
  if (verified.tag != nullptr) {
    print(lab::verification_text(name, *verified.tag));
  } else {
    print("verify " + name + "\n");
  }
  if (verified.order != nullptr) print(lab::order_text(*verified.order));
  print(lab::causes_text(verified.causes));
}

int exit_code(const lab::VerifiedStream& verified) {
  const bool has_findings = (verified.tag != nullptr && !verified.tag->findings.empty()) ||
                            (verified.order != nullptr && !verified.order->findings.empty());
  if (has_findings) return kFindings;
  const bool has_trouble = (verified.tag != nullptr && !verified.tag->trouble.empty()) ||
                           (verified.order != nullptr && !verified.order->trouble.empty());
  return has_trouble ? kEnvironment : kNothingFound;
}

struct Verified {
  std::optional<lab::Verification> tag;
  std::optional<lab::OrderVerification> order;
  std::vector<lab::Cause> causes;
};

// Event by event, so that a recording of any length fits; one of the first format is read as a
// whole.
Result<Verified> judge(const File& file, const VerifyWords& words, const Clock& clock,
                       const lab::CauseOptions& options) {
  Verified verified;
  const auto reader = TRY(lab::RecordingReader::open(file));
  if (reader->facts().format == 1) {
    const auto recording = TRY(lab::read_recording(file, memory_bytes() / 4));
    if (words.asks("tag")) verified.tag = lab::verify_recording(recording, clock);
    if (words.asks("order")) verified.order = lab::verify_order(recording, options.order);
    return verified;
  }
  if (words.asks("tag")) verified.tag = TRY(lab::verify_recording(*reader, clock));
  if (words.asks("order")) {
    const auto again = TRY(lab::RecordingReader::open(file));
    verified.order = TRY(lab::verify_order(*again, options.order));
  }
  return verified;
}

// Which finding follows from which is found out by playing the recording with one of them mended:
// that needs it in memory.  Where it is too long, each finding is a cause of its own.
Result<void> find_causes(const File& file, const Clock& clock, lab::CauseOptions options,
                         Verified& verified) {
  if (!verified.tag || !verified.order) return {};
  auto findings = lab::stream_findings(verified.tag->findings, verified.order->findings);
  lab::Recording whole;
  if (findings.size() > 1) {
    auto read = lab::read_recording(file, memory_bytes() / 4);
    if (!read && read.error().code != Errc::kLimit) return Failure{read.error()};
    if (!read) options.repairs_max = 0;
    if (read) whole = std::move(*read);
  }
  verified.causes = lab::find_causes(whole, std::move(findings), clock, options);
  return {};
}

int verify(const VerifyWords& words) {
  const auto file = File::open(words.recording, File::Access::kRead);
  if (!file) return print_error(file.error());
  const SteadyClock clock;
  lab::CauseOptions options;
  options.order.data = lab::data_mode_of(words.data).value_or(lab::DataMode::kUnknown);
  auto judged = judge(*file, words, clock, options);
  if (!judged) return print_error(judged.error());
  if (const auto found = find_causes(*file, clock, options, *judged); !found) {
    return print_error(found.error());
  }
  lab::VerifiedStream verified;
  verified.tag = judged->tag ? &*judged->tag : nullptr;
  verified.order = judged->order ? &*judged->order : nullptr;
  verified.causes = std::move(judged->causes);
  if (words.as_json) {
    print(lab::verification_json(verified));
  } else {
    print_text(words.recording, verified);
  }
  const std::string repeat =
      fmt::format("powercut verify {} --judges {}{}", shell_word(words.recording),
                  fmt::join(words.judges, ","), words.data.empty() ? "" : " --data " + words.data);
  return words.suite.write(lab::verification_suite(verified, repeat), exit_code(verified));
}

}  // namespace

void add_verify(CommandLine& line) {
  auto words = std::make_shared<VerifyWords>();
  CLI::App* const command =
      line.app.add_subcommand("verify", "Checks every commit of a recording (made with --record)");
  command->add_option("recording", words->recording, "the file")->required();
  command
      ->add_option("--judges", words->judges,
                   "tag: each journal block against its checksum; order: what must be durable "
                   "before what")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::IsMember({"tag", "order"}))
      ->capture_default_str();
  command
      ->add_option("--data", words->data,
                   "what the file system was mounted with (data=...); with `ordered` the order "
                   "judge looks at the data of files, too")
      ->check(CLI::IsMember({"journal", "ordered", "writeback"}));
  words->suite.add_to(*command);
  command->add_flag("--json", words->as_json, "one JSON document");
  command->callback([&line, words] { line.exit_code = verify(*words); });
}

}  // namespace powercut::cli
