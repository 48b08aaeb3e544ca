// Hostile recordings of format 2, begun at the event that the first byte names: each event, with
// its data.
#include <algorithm>

#include "lab/record/bytes_store.h"
#include "lab/record/recording_reader.h"

namespace {

using namespace powercut;

Result<std::uint64_t> read_all(Bytes bytes, std::uint64_t first) {
  constexpr int kEventsMax = 2000;
  const lab::BytesStore store(bytes);
  const auto reader = TRY(lab::RecordingReader::open(store, std::uint64_t{16} << 20));
  if (reader->facts().disk_bytes > std::uint64_t{16} << 20) return std::uint64_t{0};
  if (first != 0) TRY(reader->start_at(first));
  std::uint64_t sum = 0;
  for (int i = 0; i < kEventsMax; ++i) {
    const lab::RecordedEvent* const event = TRY(reader->next());
    if (event == nullptr) break;
    for (const std::uint8_t byte : event->data) sum += byte;
  }
  return sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  ignore_error(read_all(Bytes(data, size).subspan(1), data[0]), "the fuzzer looks for crashes");
  return 0;
}
