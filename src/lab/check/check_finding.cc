#include "lab/check/check_finding.h"

#include <array>

namespace powercut::lab {
namespace {

struct NamedJudge {
  JudgeName judge;
  std::string_view name;
};
constexpr std::array<NamedJudge, 7> kJudges = {{
    {JudgeName::kTag, "tag"},
    {JudgeName::kOrder, "order"},
    {JudgeName::kRecover, "recover"},
    {JudgeName::kStructure, "structure"},
    {JudgeName::kContent, "content"},
    {JudgeName::kDifferential, "differential"},
    {JudgeName::kCommand, "command"},
}};

}  // namespace

std::string_view judge_name(JudgeName judge) {
  return kJudges[static_cast<std::size_t>(judge)].name;
}

std::optional<JudgeName> judge_of(std::string_view name) {
  for (const NamedJudge& each : kJudges) {
    if (each.name == name) return each.judge;
  }
  return std::nullopt;
}

CheckFinding finding_of(JudgeName judge, std::string rule, std::string words) {
  CheckFinding finding;
  finding.judge = judge;
  finding.rule = std::move(rule);
  finding.words = std::move(words);
  return finding;
}

}  // namespace powercut::lab
