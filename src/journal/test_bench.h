// A journal on a disk in memory, for tests: the log behind the blocks it protects, no file system.
// What goes wrong in it ends the test program.
#pragma once

#include <map>
#include <memory>

#include "block/memory_device.h"
#include "buffer/buffer_cache.h"
#include "journal/journal.h"
#include "recovery/recovery.h"

namespace powercut {

inline constexpr std::uint32_t kBenchBlockBytes = 1024;
inline constexpr std::uint32_t kBenchHomeBlocks = 512;

struct JournalBench {
  std::uint32_t log_blocks = 256;
  Tid first_tid{1};
  JournalOptions options{.commit_interval = Nanoseconds(0), .has_service = false};
  MemoryDevice device{std::uint64_t{kBenchBlockBytes} * (kBenchHomeBlocks + 1024)};
  SteadyClock clock;
  ManualWallClock wall_clock{std::chrono::seconds(1'700'000'000)};

  JournalMap map() const {
    auto made = JournalMap::make({{LogBlock(0), BlockNo(kBenchHomeBlocks), log_blocks}},
                                 kBenchBlockBytes, kBenchHomeBlocks + 1024, kBenchHomeBlocks);
    return std::move(made).value();
  }

  // `on` is what the journal writes to: the device, or something around it.
  std::unique_ptr<Journal> open(BlockDevice& on, CommitParticipant* participant = nullptr) {
    JournalSuperblock superblock;
    superblock.block_bytes = kBenchBlockBytes;
    superblock.log_block_count = log_blocks;
    superblock.first = LogBlock(1);
    superblock.sequence = first_tid;
    superblock.uuid = {1, 2, 3, 4, 5, 6, 7, 8};
    std::vector<std::uint8_t> block(kBenchBlockBytes);
    superblock.encode(block);
    device.write(kBenchHomeBlocks * kBenchBlockBytes, block).value();
    JournalPlace place{&on, map(), superblock, true, first_tid};
    return Journal::open(std::move(place), clock, wall_clock, participant, options).value();
  }
};

// Every home block as a recovery of `image` leaves it.
inline std::map<std::uint64_t, std::vector<std::uint8_t>> recovered_home(
    const JournalBench& bench, const std::vector<std::uint8_t>& image, RecoveryEnd* end = nullptr) {
  const MemoryDevice device(image);
  const JournalMap map = bench.map();
  const RecoveryPlan plan = plan_recovery(device, map).value();
  std::map<std::uint64_t, std::vector<std::uint8_t>> home;
  if (end != nullptr) *end = plan.end;
  const RecoveredView view(device, map, plan);
  for (std::uint64_t block = 0; block < kBenchHomeBlocks; ++block) {
    std::vector<std::uint8_t> bytes(kBenchBlockBytes);
    view.read(block * kBenchBlockBytes, bytes).value();
    home.emplace(block, std::move(bytes));
  }
  return home;
}

}  // namespace powercut
