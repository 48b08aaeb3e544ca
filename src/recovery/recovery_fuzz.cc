// Recovery of any journal.  The input is the journal, block by block (1 KiB each), in a small
// device with blocks before and after it; checksums are not looked at (base/fuzzing.h), but one
// whose last byte is 0xBD is wrong.  Byte 0 chooses `up_to` and whether the journal lies in one run
// or in two, byte 1 whose rules are followed.
//
// Whatever the bytes are: the plan ends, names only blocks that are there, can be applied, and the
// view shows the same as the device to which it was applied, and as a replay in log order.
#include <algorithm>

#include "base/stored_int.h"
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
      CHECK(block.home.value() < kDeviceBlocks, "what is replayed has a place");
      CHECK(map.log_block(block.home) != LogBlock(0), "the superblock is never written over");
    }
  }
  CHECK(block_count <= kLogBlocks, "no log block is used twice");
  CHECK(replay_count == plan.replay_count, "the plan counts what it replays");
  CHECK(plan.end != RecoveryEnd::kRefused || !plan.damages.empty(), "a refusal names its damage");
}

void replay_in_log_order(const RecoveryPlan& plan, const JournalMap& map, MemoryDevice& device) {
  std::vector<std::uint8_t> block(kBlockBytes);
  for (const LoggedTransaction& transaction : plan.transactions) {
    for (const LoggedBlock& each : transaction.blocks) {
      if (each.verdict != BlockVerdict::kReplay) continue;
      CHECK(device.read(map.device_block(each.log).value() * kBlockBytes, block), "it is read");
      if (each.is_escaped) store(MutableBytes(block), 0, Be32(kJournalMagic));
      CHECK(device.write(each.home.value() * kBlockBytes, block), "it is written");
    }
  }
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
  if (size < 2) return 0;
  const JournalMap map = map_of((data[0] & 1) != 0);
  MemoryDevice device(kDeviceBlocks * kBlockBytes);
  put_journal(device, map, Bytes(data, size).subspan(2));
  RecoveryOptions options;
  if ((data[0] & 2) != 0) options.up_to = Tid(data[0] >> 2);
  options.verify_data = (data[0] & 128) == 0;
  options.recover_as = kAllRecoverAs[data[1] % kAllRecoverAs.size()];
  options.lists_fast_commits = (data[1] & 128) != 0;
  const auto plan = plan_recovery(device, map, options);
  if (!plan) return 0;
  check_plan(*plan, map);
  OverlayDevice target(device);
  const auto outcome = apply_recovery(*plan, device, map, target);
  CHECK(outcome.has_value() == !plan->fast_commits.has_value(), "a plan can be applied");
  if (!outcome) return 0;
  check_home(RecoveredView(device, map, *plan), target, map);
  MemoryDevice slow = device;
  replay_in_log_order(*plan, map, slow);
  check_home(slow, target, map);
  if (!plan->empties_log) return 0;
  const auto after = plan_recovery(target, map);
  CHECK(after && after->end == RecoveryEnd::kNothingToDo, "an emptied log is empty");
  return 0;
}
