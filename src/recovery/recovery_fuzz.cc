// Recovery of any journal.  The input is the journal, block by block (1 KiB each), in a small
// device with blocks before and after it; checksums are not looked at (base/fuzzing.h).  Byte 0
// chooses `up_to` and whether the journal lies in one run or in two.
//
// Whatever the bytes are: the plan ends, names only blocks that are there, can be applied, and the
// view shows the same as the device to which it was applied.
#include <algorithm>

#include "block/memory_device.h"
#include "block/overlay_device.h"
#include "recovery/recovery.h"

namespace {

using namespace powercut;

constexpr std::uint32_t kBlockBytes = 1024;
constexpr std::uint32_t kLogBlocks = 24;
constexpr std::uint64_t kDeviceBlocks = 40;

JournalMap map_of(bool is_split) {
  constexpr std::uint32_t kHalf = kLogBlocks / 2;
  std::vector<JournalMap::Run> runs = {{LogBlock(0), BlockNo(4), kLogBlocks}};
  if (is_split) {
    runs = {{LogBlock(0), BlockNo(20), kHalf}, {LogBlock(kHalf), BlockNo(4), kHalf}};
  }
  auto map = JournalMap::make(runs, kBlockBytes, kDeviceBlocks);
  CHECK(map, "the map of the fuzz target");
  return *std::move(map);
}

void put_journal(MemoryDevice& device, const JournalMap& map, Bytes journal) {
  for (std::uint32_t log = 0; log < kLogBlocks && !journal.empty(); ++log) {
    const Bytes block = journal.first(std::min<std::size_t>(kBlockBytes, journal.size()));
    const std::uint64_t offset = map.device_block(LogBlock(log)).value() * kBlockBytes;
    CHECK(device.write(offset, block), "the journal fits");
    journal = journal.subspan(block.size());
  }
}

void check_plan(const RecoveryPlan& plan, const JournalMap& map) {
  std::uint64_t block_count = 0, replay_count = 0;
  for (const LoggedTransaction& transaction : plan.transactions) {
    for (const LoggedBlock& block : transaction.blocks) {
      ++block_count;
      CHECK(block.log >= plan.superblock.first && block.log < plan.superblock.ring_end(),
            "a logged block lies in the ring");
      if (block.verdict != BlockVerdict::kReplay) continue;
      ++replay_count;
      CHECK(block.home.value() < kDeviceBlocks && !map.log_block(block.home),
            "what is replayed is a block of the file system");
    }
  }
  CHECK(block_count <= kLogBlocks, "no log block is used twice");
  CHECK(replay_count == plan.replay_count, "the plan counts what it replays");
  CHECK(plan.end != RecoveryEnd::kRefused || !plan.damages.empty(), "a refusal names its damage");
}

void check_home(const BlockView& seen, const BlockView& applied, const JournalMap& map) {
  std::vector<std::uint8_t> a(kBlockBytes), b(kBlockBytes);
  for (std::uint64_t block = 0; block < kDeviceBlocks; ++block) {
    if (map.log_block(BlockNo(block))) continue;
    CHECK(seen.read(block * kBlockBytes, a) && applied.read(block * kBlockBytes, b), "both read");
    CHECK(a == b, "the view shows what is written");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const JournalMap map = map_of((data[0] & 1) != 0);
  MemoryDevice device(kDeviceBlocks * kBlockBytes);
  put_journal(device, map, Bytes(data, size).subspan(1));
  RecoveryOptions options;
  if ((data[0] & 2) != 0) options.up_to = Tid(data[0] >> 2);
  options.verify_data = (data[0] & 128) == 0;
  const auto plan = plan_recovery(device, map, options);
  if (!plan) return 0;
  check_plan(*plan, map);
  OverlayDevice target(device);
  CHECK(apply_recovery(*plan, device, map, target), "a plan can be applied");
  check_home(RecoveredView(device, map, *plan), target, map);
  if (plan->end != RecoveryEnd::kClean) return 0;
  const auto after = plan_recovery(target, map);
  CHECK(after && after->end == RecoveryEnd::kNothingToDo,
        "after a clean recovery the log is empty");
  return 0;
}
