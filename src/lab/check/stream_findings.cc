#include "lab/check/stream_findings.h"

#include <algorithm>
#include <utility>

namespace powercut::lab {

std::string_view tag_rule_name(FindingKind kind) {
  switch (kind) {
    case FindingKind::kDataChecksum: return "data-checksum";
    case FindingKind::kTransactionChecksum: return "transaction-checksum";
    case FindingKind::kDescriptorChecksum: return "descriptor-checksum";
    case FindingKind::kDescriptorFormat: return "descriptor-format";
    case FindingKind::kRevokeChecksum: return "revoke-checksum";
    case FindingKind::kRevokeFormat: return "revoke-format";
    case FindingKind::kCommitChecksum: return "commit-checksum";
    case FindingKind::kCommitMissing: return "commit-missing";
    case FindingKind::kTidGap: return "tid-gap";
    case FindingKind::kSuperblock: return "journal-superblock";
  }
  return "?";
}

std::vector<StreamFinding> stream_findings(std::vector<Finding> tag,
                                           std::vector<CheckFinding> order) {
  std::vector<StreamFinding> all;
  for (CheckFinding& finding : order) all.push_back({std::move(finding), {}});
  for (Finding& finding : tag) {
    StreamFinding each;
    each.check.judge = JudgeName::kTag;
    each.check.rule = tag_rule_name(finding.kind);
    each.check.words = finding.describe();
    each.check.tid = finding.tid;
    each.check.sequence = finding.sequence;
    if (finding.kind == FindingKind::kDataChecksum) each.check.block = finding.home;
    each.tag = std::move(finding);
    all.push_back(std::move(each));
  }
  std::ranges::stable_sort(all, {}, [](const StreamFinding& each) { return each.check.sequence; });
  return all;
}

std::vector<StreamFinding> judge_stream(const Recording& recording, const Clock& clock,
                                        const OrderOptions& order) {
  return stream_findings(verify_recording(recording, clock).findings,
                         verify_order(recording, order).findings);
}

}  // namespace powercut::lab
