#include "tests/planted/states.h"

#include "lab/check/explorer.h"
#include "lab/check/structure_judge.h"
#include "tests/planted/survey.h"

namespace powercut::planted {

std::string seen_in_states(const lab::Recording& recording, const lab::Recording& lawful) {
  const Survey survey = survey_of(lawful);
  auto stream =
      lab::BlockStream::make(recording, survey.map->block_bytes(), std::uint64_t{1} << 30);
  if (!stream) return std::string("error: ") + stream.error().what;
  lab::StructureJudge structure;
  const SteadyClock clock;
  lab::ExplorerOptions options;
  options.states_max = 30'000;
  lab::Explorer explorer(*stream, *survey.map, {&structure}, clock, options);
  const auto explored = explorer.run([](const lab::ExplorerCounts&) { return true; });
  if (!explored) return std::string("error: ") + explored.error().what;
  std::string rules;
  for (const lab::GroupedFinding& group : explorer.findings()) {
    rules += (rules.empty() ? "" : "; ") + std::string(lab::judge_name(group.finding.judge)) + " " +
             group.finding.rule;
  }
  return rules;
}

}  // namespace powercut::planted
