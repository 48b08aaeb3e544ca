#include "lab/check/order_stream.h"

#include <algorithm>

#include "lab/record/recording_player.h"

namespace powercut::lab {

void OrderVerifier::on_finding(const CheckFinding& finding) {
  if (verification_.findings.size() >= OrderVerification::kFindingsMax) return;
  verification_.findings.push_back(finding);
}

OrderVerification OrderVerifier::finish() {
  judge_.finish();
  // A suspect is reported when it is sure, which is later than its request.
  std::ranges::stable_sort(verification_.findings, {}, &CheckFinding::sequence);
  verification_.counters = judge_.counters();
  verification_.trouble = judge_.trouble();
  return std::move(verification_);
}

Result<OrderVerification> verify_order(RecordingReader& reader, const OrderOptions& options) {
  const auto player = TRY(RecordingPlayer::make(reader));
  TRY(player->read_base());
  OrderOptions with_devices = options;
  with_devices.split = reader.facts().split;
  OrderVerifier verifier(player->disk(), with_devices);
  TRY(player->play({&verifier.judge()}));
  return verifier.finish();
}

}  // namespace powercut::lab
