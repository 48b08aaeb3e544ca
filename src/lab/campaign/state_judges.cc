#include "lab/campaign/state_judges.h"

#include "lab/check/content_judge.h"
#include "lab/check/structure_judge.h"

namespace powercut::lab {

StateJudges::StateJudges(const std::vector<JudgeName>& names) {
  for (const JudgeName name : names) {
    switch (name) {
      case JudgeName::kStructure: judges_.push_back(std::make_unique<StructureJudge>()); break;
      case JudgeName::kContent: judges_.push_back(std::make_unique<ContentJudge>()); break;
      case JudgeName::kTag:
      case JudgeName::kOrder:
      case JudgeName::kRecover:
      case JudgeName::kDifferential:
      case JudgeName::kCommand: break;
    }
  }
}

std::vector<StateJudge*> StateJudges::all() const {
  std::vector<StateJudge*> judges;
  for (const auto& judge : judges_) judges.push_back(judge.get());
  return judges;
}

}  // namespace powercut::lab
