#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "cli/command.h"
#include "cli/suite_words.h"
#include "host/machine.h"
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

int verify(const VerifyWords& words) {
  const auto file = File::open(words.recording, File::Access::kRead);
  if (!file) return print_error(file.error());
  const auto recording = lab::read_recording(*file, memory_bytes() / 4);
  if (!recording) return print_error(recording.error());
  const SteadyClock clock;
  lab::CauseOptions options;
  options.order.data = lab::data_mode_of(words.data).value_or(lab::DataMode::kUnknown);
  std::optional<lab::Verification> tag;
  std::optional<lab::OrderVerification> order;
  if (words.asks("tag")) tag = lab::verify_recording(*recording, clock);
  if (words.asks("order")) order = lab::verify_order(*recording, options.order);
  lab::VerifiedStream verified;
  verified.tag = tag ? &*tag : nullptr;
  verified.order = order ? &*order : nullptr;
  if (tag && order) {
    verified.causes = lab::find_causes(
        *recording, lab::stream_findings(tag->findings, order->findings), clock, options);
  }
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
