// The ring of any journal, walked and sorted.  The input is that of recovery_fuzz: byte 0 chooses
// whether the journal lies in one run or in two, the rest is the journal, in blocks of 1 KiB.
//
// Whatever the bytes are: every log block belongs to one find at most, a find lies inside the ring,
// the live ones are those of the plan, and each can be checked.
#include <algorithm>

#include "block/memory_device.h"
#include "lab/image/ring_sort.h"

namespace {

using namespace powercut;
using namespace powercut::lab;

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

void check_live(const std::vector<SortedFind>& finds, const RecoveryPlan& plan) {
  auto transaction = plan.transactions.begin();
  for (const SortedFind& find : finds) {
    if (find.standing != Standing::kLive) continue;
    CHECK(transaction != plan.transactions.end(), "as many live finds as transactions");
    CHECK(find.found.tid == transaction->tid && find.found.first == transaction->first &&
              find.found.last == transaction->commit,
          "a live find lies where its transaction does");
    CHECK(find.found.blocks.size() == transaction->blocks.size() &&
              find.found.revokes == transaction->revokes,
          "a live find holds what its transaction holds");
    for (std::size_t i = 0; i < transaction->blocks.size(); ++i) {
      CHECK(find.found.blocks[i].log == transaction->blocks[i].log &&
                find.found.blocks[i].home == transaction->blocks[i].home,
            "a live find's blocks are those of its transaction");
    }
    ++transaction;
  }
  CHECK(transaction == plan.transactions.end(), "as many transactions as live finds");
}

void check_places(const std::vector<SortedFind>& finds, const JournalRing& ring) {
  std::vector<bool> is_taken(kLogBlocks);
  const auto take = [&](LogBlock log) {
    CHECK(ring.holds(log), "a find lies in the ring");
    CHECK(!is_taken[log.value()], "a log block belongs to one find");
    is_taken[log.value()] = true;
  };
  for (const SortedFind& find : finds) {
    CHECK(ring.holds(find.found.first) && ring.holds(find.found.last), "a find lies in the ring");
    CHECK(find.found.length >= 1 && find.found.length <= ring.ring_blocks(),
          "a find is not longer than the ring");
    for (const FoundBlock& block : find.found.blocks) take(block.log);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const JournalMap map = map_of((data[0] & 1) != 0);
  MemoryDevice device(kDeviceBlocks * kBlockBytes);
  put_journal(device, map, Bytes(data, size).subspan(1));
  RecoveryOptions options;
  options.lists_fast_commits = true;
  const auto plan = plan_recovery(device, map, options);
  if (!plan) return 0;
  auto ring = JournalRing::make(device, map, plan->superblock);
  if (!ring) return 0;
  auto walk = RingWalk::make(*ring);
  CHECK(walk, "memory can be read");
  const auto finds = sort_ring(*walk, *ring, *plan);
  CHECK(finds, "memory can be read");
  check_places(*finds, *ring);
  check_live(*finds, *plan);
  for (const SortedFind& find : *finds) {
    if (!find.found.commit) continue;
    const TransactionSpan span{find.found.tid, find.found.first, find.found.last};
    const auto seen = walk->headers_in(find.found.first, find.found.length);
    CHECK(check_transaction(*ring, span, seen), "memory can be read");
  }
  return 0;
}
