// Hostile recordings: read, and played to an observer that looks at every byte.
#include <algorithm>

#include "lab/record/bytes_store.h"
#include "lab/record/recording_file.h"

namespace {

using namespace powercut;

class Toucher final : public lab::DiskObserver {
 public:
  void on_submitted(const lab::Request& request, Nanoseconds) override {
    for (const std::uint8_t byte : request.data) sum += byte;
  }
  void on_completed(const lab::Request& request, Nanoseconds) override { sum += request.length; }
  void on_power_cycle(Nanoseconds) override { ++sum; }
  std::uint64_t sum = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const lab::BytesStore store(Bytes(data, size));
  const auto recording = lab::read_recording(store, std::uint64_t{16} << 20);
  if (!recording) return 0;
  lab::RecordedView view(*recording);
  Toucher toucher;
  lab::play(*recording, view, {&toucher});
  std::vector<std::uint8_t> bytes(std::min<std::uint64_t>(view.size_bytes(), 65536));
  ignore_error(view.read(0, bytes), "the fuzzer looks for crashes");
  return 0;
}
