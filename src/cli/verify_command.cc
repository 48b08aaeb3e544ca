#include <algorithm>
#include <optional>
#include <span>

#include "cli/command.h"
#include "host/machine.h"
#include "lab/report/check_text.h"
#include "lab/report/report_json.h"
#include "lab/report/text.h"
#include "lab/verify/verify_recording.h"

namespace powercut::cli {
namespace {

struct VerifyWords {
  std::string recording;
  std::vector<std::string> judges = {"tag", "order"};
  std::string data;
  bool as_json = false;
  bool asks(std::string_view judge) const { return std::ranges::find(judges, judge) != judges.end(); }
};

void print_text(const VerifyWords& words, const lab::Verification* tag,
                const lab::OrderVerification* order) {
  if (tag != nullptr) {
    print(lab::verification_text(words.recording, *tag));
  } else {
    print("verify " + words.recording + "\n");
  }
  if (order != nullptr) print(lab::order_text(*order));
}

int verify(const VerifyWords& words) {
  const auto file = File::open(words.recording, File::Access::kRead);
  if (!file) return print_error(file.error());
  const auto recording = lab::read_recording(*file, memory_bytes() / 4);
  if (!recording) return print_error(recording.error());
  const SteadyClock clock;
  std::optional<lab::Verification> tag;
  std::optional<lab::OrderVerification> order;
  if (words.asks("tag")) tag = lab::verify_recording(*recording, clock);
  const lab::OrderOptions options{lab::data_mode_of(words.data).value_or(lab::DataMode::kUnknown)};
  if (words.asks("order")) order = lab::verify_order(*recording, options);
  if (words.as_json) {
    lab::DiskStatus status;
    if (tag) status.counters = tag->counters;
    if (tag) status.trouble = tag->trouble;
    const std::span<const lab::Finding> none;
    print(lab::verification_json(tag ? &status : nullptr, tag ? std::span(tag->findings) : none,
                                 order ? &*order : nullptr));
  } else {
    print_text(words, tag ? &*tag : nullptr, order ? &*order : nullptr);
  }
  if ((tag && !tag->findings.empty()) || (order && !order->findings.empty())) return kFindings;
  const bool has_trouble = (tag && !tag->trouble.empty()) || (order && !order->trouble.empty());
  return has_trouble ? kEnvironment : kNothingFound;
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
      ->check(CLI::IsMember({"tag", "order"}))
      ->capture_default_str();
  command
      ->add_option("--data", words->data,
                   "what the file system was mounted with (data=...); with `ordered` the order "
                   "judge looks at the data of files, too")
      ->check(CLI::IsMember({"journal", "ordered", "writeback"}));
  command->add_flag("--json", words->as_json, "one JSON document");
  command->callback([&line, words] { line.exit_code = verify(*words); });
}

}  // namespace powercut::cli
