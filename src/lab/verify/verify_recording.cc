#include "lab/verify/verify_recording.h"

#include <algorithm>

namespace powercut::lab {
namespace {

class Collector final : public FindingSink {
 public:
  explicit Collector(Verification& into) : into_(into) {}
  void on_finding(const Finding& finding) override {
    if (into_.findings.size() < Verification::kFindingsMax) into_.findings.push_back(finding);
  }
  void on_no_longer_replayable(Tid tid, Nanoseconds replayable) override {
    for (auto finding = into_.findings.rbegin(); finding != into_.findings.rend(); ++finding) {
      if (finding->tid == tid && !finding->replayable) finding->replayable = replayable;
    }
  }

 private:
  Verification& into_;
};

}  // namespace

Verification verify_recording(const Recording& recording, const Clock& clock) {
  Verification verification;
  verification.is_cut = recording.is_cut;
  RecordedView view(recording);
  const auto is_base = [](const RecordedEvent& event) { return event.kind == EventKind::kBase; };
  for (const RecordedEvent& event : recording.events) {
    if (is_base(event)) view.apply(event);
  }
  Collector collector(verification);
  JudgeOptions options;
  options.identify_share = 1;  // nothing waits for it here
  options.identify_free = std::chrono::seconds(60);
  options.measures_time = false;
  TagJudge judge(view, clock, collector, options);
  play(recording, view, {&judge});
  Nanoseconds last{0};
  const auto first_request = std::ranges::find_if_not(recording.events, is_base);
  if (!recording.events.empty()) last = recording.events.back().when;
  judge.finish(last);
  // Times since the first request mean more than those of a clock that is gone.
  for (Finding& finding : verification.findings) {
    if (first_request != recording.events.end()) finding.when -= first_request->when;
  }
  verification.counters = judge.counters();
  verification.trouble = judge.trouble();
  return verification;
}

}  // namespace powercut::lab
