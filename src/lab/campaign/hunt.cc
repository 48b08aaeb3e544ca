#include "lab/campaign/hunt.h"

#include <algorithm>

namespace powercut::lab {
namespace {

std::vector<const ExplorerCounts*> counts_of_states(const RunOutcome& run) {
  std::vector<const ExplorerCounts*> counts;
  if (run.online) counts.push_back(&run.online->counts);
  if (run.explored) counts.push_back(&run.explored->counts);
  return counts;
}

}  // namespace

HuntCounts count(std::span<const RunOutcome> runs) {
  HuntCounts counts;
  for (const RunOutcome& run : runs) {
    const JudgeCounters& seen = run.disk.counters;
    // An incomplete run with a mismatch has shown what it was to show.
    const bool is_counted = run.is_whole() || seen.finding_count > 0;
    counts.run_count += is_counted ? 1 : 0;
    counts.incomplete_count += is_counted ? 0 : 1;
    counts.bad_run_count += seen.finding_count > 0 ? 1 : 0;
    counts.commit_count += seen.commit_count;
    counts.tid_count += seen.tid_count;
    counts.block_count += seen.block_count;
    counts.verified_count += seen.verified_count;
    counts.finding_count += seen.finding_count;
    counts.bad_transaction_count += seen.bad_transaction_count;
    counts.load_seconds += run.load_seconds();
    if (run.explored || run.online) {
      ++counts.explored_run_count;
      counts.explored_bad_run_count += run.has_bad_states() ? 1 : 0;
    }
    for (const ExplorerCounts* const states : counts_of_states(run)) {
      counts.judged_count += states->judged;
      counts.bad_state_count += states->bad;
    }
    for (const Finding& finding : run.findings) {
      if (finding.kind != FindingKind::kDataChecksum) continue;
      ++counts.position_known_count;
      counts.last_block_count += finding.index == finding.count ? 1 : 0;
      counts.last_five_count += finding.index + 5 > finding.count ? 1 : 0;
    }
  }
  counts.bad_run_share = proportion_interval(counts.bad_run_count, counts.run_count);
  counts.clean_bound = clean_bound(counts.run_count);
  counts.explored_bad_share =
      proportion_interval(counts.explored_bad_run_count, counts.explored_run_count);
  counts.explored_clean_bound = clean_bound(counts.explored_run_count);
  return counts;
}

ReplayableTimes replayable_times(std::span<const RunOutcome> runs) {
  std::vector<double> seconds;
  for (const RunOutcome& run : runs) {
    for (const Finding& finding : run.findings) {
      if (finding.replayable) seconds.push_back(seconds_of(*finding.replayable));
    }
  }
  if (seconds.empty()) return {};
  std::ranges::sort(seconds);
  return {seconds.size(), seconds.front(), seconds[seconds.size() / 2], seconds.back()};
}

}  // namespace powercut::lab
