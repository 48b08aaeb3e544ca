// Hostile recordings: read, and played to an observer that looks at every byte.
#include <algorithm>

#include "lab/record/recording_file.h"

namespace {

using namespace powercut;

class BytesStore final : public ByteStore {
 public:
  explicit BytesStore(Bytes bytes) : bytes_(bytes) {}
  std::uint64_t size_bytes() const override { return bytes_.size(); }
  Result<void> read_at(std::uint64_t offset, MutableBytes into) const override {
    CHECK(offset <= bytes_.size() && bytes_.size() - offset >= into.size(), "read past the end");
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
    return {};
  }
  Result<void> write_at(std::uint64_t, Bytes) override { return fail(Errc::kReadOnly, "fuzz"); }
  Result<void> punch(std::uint64_t, std::uint64_t) override {
    return fail(Errc::kReadOnly, "fuzz");
  }
  Result<void> sync() override { return {}; }

 private:
  Bytes bytes_;
};

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
  const BytesStore store(Bytes(data, size));
  const auto recording = lab::read_recording(store, std::uint64_t{16} << 20);
  if (!recording) return 0;
  lab::RecordedView view(*recording);
  Toucher toucher;
  lab::play(*recording, view, {&toucher});
  std::vector<std::uint8_t> bytes(std::min<std::uint64_t>(view.size_bytes(), 65536));
  ignore_error(view.read(0, bytes), "the fuzzer looks for crashes");
  return 0;
}
