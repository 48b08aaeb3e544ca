// Partition tables of any disk: those of the input, which is read as a disk of up to 64 KiB.
// Whatever the bytes are: the search ends, and each partition lies in the disk.
#include <algorithm>

#include "block/memory_device.h"
#include "lab/image/partitions.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace powercut;
  const Bytes bytes = Bytes(data, std::min<std::size_t>(size, 65536));
  const MemoryDevice disk(std::vector<std::uint8_t>(bytes.begin(), bytes.end()));
  const auto partitions = lab::find_partitions(disk);
  if (!partitions) return 0;
  for (const lab::Partition& each : *partitions) {
    CHECK(each.offset_bytes < disk.size_bytes(), "a partition begins in the disk");
    CHECK(each.size_bytes != 0 && each.size_bytes <= disk.size_bytes() - each.offset_bytes,
          "a partition ends in the disk");
  }
  return 0;
}
