// Hostile logs of dm-log-writes: each entry, and the ends of its data.
#include <algorithm>

#include "lab/record/bytes_store.h"
#include "lab/record/log_writes.h"

namespace {

using namespace powercut;

Result<std::uint64_t> read_all(const lab::BytesStore& log) {
  constexpr int kEntriesMax = 10'000;
  lab::LogWritesReader reader = TRY(lab::LogWritesReader::open(log));
  std::uint64_t sum = 0;
  for (int i = 0; i < kEntriesMax; ++i) {
    const auto entry = TRY(reader.next());
    if (!entry) break;
    sum += entry->mark.size();
    if (entry->is_mark || entry->is_discard || entry->length == 0) continue;
    std::vector<std::uint8_t> ends(1);
    TRY(log.read_at(entry->data_at, ends));
    TRY(log.read_at(entry->data_at + entry->length - 1, ends));
    sum += ends[0];
  }
  return sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const lab::BytesStore log(Bytes(data, size));
  ignore_error(read_all(log), "the fuzzer looks for crashes");
  ignore_error(lab::disk_bytes_of_log(log), "the fuzzer looks for crashes");
  return 0;
}
