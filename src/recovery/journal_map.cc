#include "recovery/journal_map.h"

#include <algorithm>
#include <bit>

namespace powercut {
namespace {

constexpr std::uint64_t kBlocksMax = std::uint64_t{1} << 31;

Result<void> check_run(const JournalMap::Run& run, std::uint64_t device_blocks) {
  if (run.count == 0) return fail(Errc::kCorrupt, "journal map: empty run", run.log.value());
  if (run.device.value() > device_blocks || device_blocks - run.device.value() < run.count) {
    return fail(Errc::kCorrupt, "journal map: run past the device", run.device.value());
  }
  return {};
}

// `by_log` is sorted by log block.  Runs that go on where the one before ended become one.
Result<std::vector<JournalMap::Run>> joined_runs(const std::vector<JournalMap::Run>& by_log) {
  std::vector<JournalMap::Run> result;
  std::uint64_t expected = 0;
  for (const JournalMap::Run& run : by_log) {
    if (run.log.value() > expected) return fail(Errc::kCorrupt, "journal map: hole", expected);
    if (run.log.value() < expected) {
      return fail(Errc::kCorrupt, "journal map: two runs hold one log block", run.log.value());
    }
    expected += run.count;
    if (expected > kBlocksMax) return fail(Errc::kLimit, "journal map: too many blocks", expected);
    const bool goes_on =
        !result.empty() && result.back().device + result.back().count == run.device;
    if (goes_on) {
      result.back().count += run.count;
    } else {
      result.push_back(run);
    }
  }
  return result;
}

}  // namespace

Result<JournalMap> JournalMap::make(std::vector<Run> runs, std::uint32_t block_bytes,
                                    std::uint64_t device_blocks,
                                    std::optional<std::uint64_t> home_blocks) {
  if (!std::has_single_bit(block_bytes) || block_bytes < 1024 || block_bytes > 65536) {
    return fail(Errc::kCorrupt, "journal map: block size is no power of 2 from 1 to 64 KiB",
                block_bytes);
  }
  if (runs.empty()) return fail(Errc::kCorrupt, "journal map: no blocks");
  for (const Run& run : runs) TRY(check_run(run, device_blocks));
  std::ranges::sort(runs, {}, &Run::log);
  JournalMap map;
  map.block_bytes_ = block_bytes;
  map.home_blocks_ = home_blocks.value_or(device_blocks);
  map.by_log_ = TRY(joined_runs(runs));
  map.block_count_ = map.by_log_.back().log.value() + map.by_log_.back().count;
  map.by_device_ = map.by_log_;
  std::ranges::sort(map.by_device_, {}, &Run::device);
  for (std::size_t i = 1; i < map.by_device_.size(); ++i) {
    if (map.by_device_[i].device < map.by_device_[i - 1].device + map.by_device_[i - 1].count) {
      return fail(Errc::kCorrupt, "journal map: two log blocks in one device block",
                  map.by_device_[i].device.value());
    }
  }
  map.lowest_ = map.by_device_.front().device;
  map.end_ = map.by_device_.back().device + map.by_device_.back().count;
  return map;
}

const JournalMap::Run& JournalMap::run_of(LogBlock log) const {
  CHECK(log.value() < block_count_, "log block past the end of the journal");
  return *std::prev(std::ranges::upper_bound(by_log_, log, {}, &Run::log));
}

BlockNo JournalMap::device_block(LogBlock log) const {
  const Run& run = run_of(log);
  return run.device + (log - run.log);
}

std::uint32_t JournalMap::run_length(LogBlock log) const {
  const Run& run = run_of(log);
  return run.count - (log - run.log);
}

std::optional<LogBlock> JournalMap::log_block(BlockNo device) const {
  if (device < lowest_ || device >= end_) return std::nullopt;
  const auto after = std::ranges::upper_bound(by_device_, device, {}, &Run::device);
  const Run& run = *std::prev(after);
  const std::uint64_t inside = device - run.device;
  if (inside >= run.count) return std::nullopt;
  return run.log + static_cast<std::uint32_t>(inside);
}

}  // namespace powercut
