#include "lab/check/cause.h"

#include <fmt/format.h>

#include <set>
#include <tuple>

namespace powercut::lab {
namespace {

using Key = std::tuple<JudgeName, std::string, std::uint64_t, std::uint64_t>;

Key key_of(const StreamFinding& finding) {
  const std::uint64_t place = finding.check.judge == JudgeName::kTag
                                  ? finding.tag.log_block.value()
                                  : finding.check.sequence.value_or(0);
  return {finding.check.judge, finding.check.rule, finding.check.sequence.value_or(0), place};
}

// What is found in the repaired stream, with the requests named as before.
std::set<Key> keys_after(const EditedRecording& edited, const Clock& clock,
                         const OrderOptions& order) {
  std::set<Key> keys;
  for (StreamFinding& finding : judge_stream(edited.recording, clock, order)) {
    const std::uint64_t sequence = finding.check.sequence.value_or(0);
    if (sequence < edited.original.size()) finding.check.sequence = edited.original[sequence];
    keys.insert(key_of(finding));
  }
  return keys;
}

}  // namespace

std::string Cause::describe() const {
  std::string text =
      fmt::format("{} {}, request {}: {}", judge_name(finding.check.judge), finding.check.rule,
                  finding.check.sequence.value_or(0), finding.check.words);
  if (!consequences.empty()) {
    text += fmt::format(" (and {} that follow{} from it)", consequences.size(),
                        consequences.size() == 1 ? "s" : "");
  }
  return text;
}

std::vector<Cause> find_causes(const Recording& recording, std::vector<StreamFinding> findings,
                               const Clock& clock, const CauseOptions& options) {
  std::vector<Cause> causes;
  while (!findings.empty()) {
    Cause cause;
    cause.finding = findings.front();
    std::vector<StreamFinding> left;
    auto repaired = causes.size() < options.repairs_max && findings.size() > 1
                        ? repair(recording, cause.finding)
                        : std::nullopt;
    const std::set<Key> still =
        repaired ? keys_after(repaired->edited, clock, options.order) : std::set<Key>();
    for (std::size_t i = 1; i < findings.size(); ++i) {
      const bool is_gone = repaired && !still.contains(key_of(findings[i]));
      (is_gone ? cause.consequences : left).push_back(std::move(findings[i]));
    }
    if (repaired) cause.repair = std::move(repaired->words);
    causes.push_back(std::move(cause));
    findings = std::move(left);
  }
  return causes;
}

}  // namespace powercut::lab
