#include "lab/report/check_json.h"

#include "lab/verify/json_form.h"

namespace powercut::lab {
namespace {

Json finding_json(const CheckFinding& finding) {
  Json json = {
      {"judge", judge_name(finding.judge)}, {"rule", finding.rule}, {"words", finding.words}};
  if (finding.sequence) json["sequence"] = *finding.sequence;
  if (finding.block) json["block"] = finding.block->value();
  if (finding.inode) json["inode"] = finding.inode->value();
  if (finding.tid) json["tid"] = finding.tid->value();
  return json;
}

}  // namespace

std::string check_finding_to_json(const CheckFinding& finding) {
  return json_line(finding_json(finding));
}

std::string causes_to_json(const std::vector<Cause>& causes) {
  Json list = Json::array();
  for (const Cause& cause : causes) {
    Json consequences = Json::array();
    for (const StreamFinding& each : cause.consequences) {
      consequences.push_back(finding_json(each.check));
    }
    list.push_back({{"finding", finding_json(cause.finding.check)},
                    {"consequences", std::move(consequences)},
                    {"repair", cause.repair}});
  }
  return json_line(list);
}

std::string order_to_json(const OrderVerification& verification) {
  const OrderCounters& counters = verification.counters;
  Json list = Json::array();
  for (const CheckFinding& finding : verification.findings) list.push_back(finding_json(finding));
  const Json json = {{"counters",
                      {{"transactions", counters.transaction_count},
                       {"unreadable", counters.unreadable_count},
                       {"versions", counters.version_count},
                       {"home_writes", counters.home_write_count},
                       {"older_writes", counters.older_write_count},
                       {"direct_writes", counters.direct_write_count},
                       {"suspects", counters.suspect_count},
                       {"tail_moves", counters.tail_count},
                       {"passed", counters.settled_count},
                       {"findings", counters.finding_count}}},
                     {"trouble", verification.trouble},
                     {"findings", std::move(list)}};
  return json_line(json);
}

}  // namespace powercut::lab
