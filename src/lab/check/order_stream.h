// The order judge over a recording that need not fit memory.
#pragma once

#include "lab/check/order_recording.h"
#include "lab/record/recording_reader.h"

namespace powercut::lab {

// A judge over `disk`, whose findings go where they belong.
class OrderVerifier final : public CheckFindingSink {
 public:
  // `disk` is as it was before the first event, and must outlive it.
  OrderVerifier(const BlockView& disk, const OrderOptions& options)
      : judge_(disk, *this, options) {}
  void on_finding(const CheckFinding& finding) override;
  OrderJudge& judge() { return judge_; }
  // At the end of the stream.
  OrderVerification finish();

 private:
  OrderVerification verification_;
  OrderJudge judge_;
};

// Plays a fresh recording of format 2 or 3 to a judge.  Errors: as RecordingPlayer.
Result<OrderVerification> verify_order(RecordingReader& reader, const OrderOptions& options = {});

}  // namespace powercut::lab
