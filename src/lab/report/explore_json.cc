#include "lab/verify/json_form.h"

#include "lab/report/explore_text.h"
#include "lab/verify/finding_json.h"

namespace powercut::lab {
namespace {

Json whole_finding_json(const CheckFinding& finding) {
  Json json = {
      {"judge", judge_name(finding.judge)}, {"rule", finding.rule}, {"words", finding.words}};
  json["block"] = finding.block ? Json(finding.block->value()) : Json(nullptr);
  json["inode"] = finding.inode ? Json(finding.inode->value()) : Json(nullptr);
  json["tid"] = finding.tid ? Json(finding.tid->value()) : Json(nullptr);
  json["sequence"] = finding.sequence ? Json(*finding.sequence) : Json(nullptr);
  return json;
}

Json counts_json(const ExplorerCounts& counts) {
  return {{"crash_points", counts.crash_points},
          {"explored", counts.explored},
          {"explored_completely", counts.whole},
          {"log2_states", counts.log2_states},
          {"log2_states_max", counts.log2_states_max},
          {"log_runs", counts.runs},
          {"log_outcomes", counts.outcomes},
          {"walked", counts.walked},
          {"distinct", counts.distinct},
          {"distinct_recovered", counts.recovered},
          {"judged", counts.judged},
          {"bad", counts.bad},
          {"compared", counts.compared},
          {"second_cuts", counts.second_cuts},
          {"examined", counts.examined},
          {"examine_seconds", counts.examine_seconds},
          {"seconds", counts.seconds}};
}

Json bad_states_json(const std::vector<GroupedFinding>& groups, const std::string& repeat) {
  Json findings = Json::array();
  for (const GroupedFinding& group : groups) {
    Json each = whole_finding_json(group.finding);
    each["states"] = group.state_count;
    each["crash"] = group.first.crash_point;
    each["keep"] = group.first.writes;
    each["repeat"] = repeat + " " + state_words(group.first);
    findings.push_back(std::move(each));
  }
  return findings;
}

}  // namespace

std::string online_json(const OnlineResult& result, const std::string& repeat) {
  return json_document({{"repeat", repeat},
                        {"counts", counts_json(result.counts)},
                        {"windows", result.windows},
                        {"event_ranges", result.ranges},
                        {"trouble", result.trouble},
                        {"findings", bad_states_json(result.findings, repeat)}});
}

std::string exploration_json(const ExploreResult& result, const std::string& repeat) {
  Json json = {{"repeat", repeat},
               {"disk_bytes", result.disk_bytes},
               {"block_bytes", result.block_bytes},
               {"recording_is_cut", result.is_cut},
               {"left_out_events", result.left_out_events},
               {"judges", Json::array()},
               {"counts", counts_json(result.counts)}};
  for (const JudgeName judge : result.judges) json["judges"].push_back(judge_name(judge));
  if (result.differential) {
    json["differential"] = {{"mounted", result.differential->mount_count},
                            {"refused", result.differential->refusal_count},
                            {"compared", result.differential->compared_count},
                            {"checked", result.differential->check_count}};
  }
  json["findings"] = bad_states_json(result.findings, repeat);
  Json stream = Json::array();
  for (const CheckFinding& finding : result.stream_findings)
    stream.push_back(whole_finding_json(finding));
  json["stream_findings"] = std::move(stream);
  if (result.tag) {
    Json tag = Json::array();
    for (const Finding& finding : result.tag->findings) {
      tag.push_back(json_of_line(finding_to_json(finding)));
    }
    json["tag"] = {{"counters", json_of_line(counters_to_json(result.tag->counters))},
                   {"findings", std::move(tag)}};
  }
  return json_document(json);
}

}  // namespace powercut::lab
