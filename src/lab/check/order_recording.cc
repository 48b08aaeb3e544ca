#include "lab/check/order_recording.h"

#include "lab/check/order_stream.h"

namespace powercut::lab {

OrderVerification verify_order(const Recording& recording, const OrderOptions& options) {
  RecordedView view(recording);
  for (const RecordedEvent& event : recording.events) {
    if (event.kind == EventKind::kBase) view.apply(event);
  }
  OrderOptions with_devices = options;
  with_devices.split = recording.split;
  OrderVerifier verifier(view, with_devices);
  play(recording, view, {&verifier.judge()});
  return verifier.finish();
}

}  // namespace powercut::lab
