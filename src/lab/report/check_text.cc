#include "lab/report/check_text.h"

#include <fmt/format.h>

#include "lab/report/text.h"

namespace powercut::lab {

std::string check_finding_text(const CheckFinding& finding) {
  std::string text = fmt::format("  {} {}: ", judge_name(finding.judge), finding.rule);
  if (finding.sequence) text += fmt::format("request {}: ", *finding.sequence);
  return text + finding.words + "\n";
}

std::string causes_text(const std::vector<Cause>& causes) {
  constexpr std::size_t kShown = 20;
  std::string text;
  for (std::size_t i = 0; i < causes.size() && i < kShown; ++i) {
    text += "  cause     " + causes[i].describe();
    if (!causes[i].consequences.empty()) text += "; gone with " + causes[i].repair;
    text += "\n";
  }
  if (causes.size() > kShown) {
    text += fmt::format("            and {} more\n", grouped(causes.size() - kShown));
  }
  return text;
}

std::string order_text(const OrderVerification& verification) {
  constexpr std::size_t kShown = 20;
  const OrderCounters& counters = verification.counters;
  std::string text;
  if (!verification.trouble.empty()) {
    text += "  order     not checked: " + verification.trouble + "\n";
  }
  for (std::size_t i = 0; i < verification.findings.size() && i < kShown; ++i) {
    text += check_finding_text(verification.findings[i]);
  }
  if (verification.findings.size() > kShown) {
    text += fmt::format("  ... and {} more\n", grouped(verification.findings.size() - kShown));
  }
  text += fmt::format(
      "  order     {} transactions, {} versions of blocks; {} written home, {} passed by the tail "
      "in {} moves; {} findings\n",
      grouped(counters.transaction_count), grouped(counters.version_count),
      grouped(counters.home_write_count), grouped(counters.settled_count),
      grouped(counters.tail_count), grouped(counters.finding_count));
  if (counters.unreadable_count != 0) {
    text +=
        fmt::format("            {} transactions could not be read: less is judged behind them\n",
                    grouped(counters.unreadable_count));
  }
  return text;
}

}  // namespace powercut::lab
