#include "lab/check/order_recording.h"

#include <algorithm>

namespace powercut::lab {
namespace {

class Collector final : public CheckFindingSink {
 public:
  explicit Collector(std::vector<CheckFinding>& into) : into_(into) {}
  void on_finding(const CheckFinding& finding) override {
    if (into_.size() < OrderVerification::kFindingsMax) into_.push_back(finding);
  }

 private:
  std::vector<CheckFinding>& into_;
};

}  // namespace

OrderVerification verify_order(const Recording& recording, const OrderOptions& options) {
  OrderVerification verification;
  RecordedView view(recording);
  for (const RecordedEvent& event : recording.events) {
    if (event.kind == EventKind::kBase) view.apply(event);
  }
  Collector collector(verification.findings);
  OrderOptions with_devices = options;
  with_devices.split = recording.split;
  OrderJudge judge(view, collector, with_devices);
  play(recording, view, {&judge});
  judge.finish();
  // A suspect is reported when it is sure, which is later than its request.
  std::ranges::stable_sort(verification.findings, {}, &CheckFinding::sequence);
  verification.counters = judge.counters();
  verification.trouble = judge.trouble();
  return verification;
}

}  // namespace powercut::lab
