#include "recovery/journal_map.h"

#include <gtest/gtest.h>

namespace powercut {
namespace {

JournalMap::Run run(std::uint32_t log, std::uint64_t device, std::uint32_t count) {
  return {LogBlock(log), BlockNo(device), count};
}

TEST(JournalMap, GoesThereAndBack) {
  const auto map = JournalMap::make({run(5, 40, 3), run(0, 80, 2), run(2, 82, 3)}, 1024, 100);
  ASSERT_TRUE(map);
  EXPECT_EQ(map->runs().size(), 2u);  // two of them go on one after another
  EXPECT_EQ(map->block_count(), 8u);
  EXPECT_EQ(map->lowest(), BlockNo(40));
  EXPECT_EQ(map->end(), BlockNo(85));
  const std::vector<std::uint64_t> expected = {80, 81, 82, 83, 84, 40, 41, 42};
  for (std::uint32_t log = 0; log < expected.size(); ++log) {
    EXPECT_EQ(map->device_block(LogBlock(log)), BlockNo(expected[log]));
    EXPECT_EQ(map->log_block(BlockNo(expected[log])), LogBlock(log));
  }
  for (const std::uint64_t other : {0u, 39u, 43u, 79u, 85u, 99u}) {
    EXPECT_FALSE(map->log_block(BlockNo(other))) << other;
  }
}

TEST(JournalMap, RefusesWhatIsNoJournal) {
  const struct {
    const char* what;
    std::vector<JournalMap::Run> runs;
    std::uint32_t block_bytes;
    Errc code;
  } cases[] = {
      {"nothing", {}, 1024, Errc::kCorrupt},
      {"block size", {run(0, 10, 5)}, 1000, Errc::kCorrupt},
      {"empty run", {run(0, 10, 5), run(5, 20, 0)}, 1024, Errc::kCorrupt},
      {"hole at the start", {run(1, 10, 5)}, 1024, Errc::kCorrupt},
      {"hole", {run(0, 10, 5), run(6, 20, 5)}, 1024, Errc::kCorrupt},
      {"overlap in the log", {run(0, 10, 5), run(4, 20, 5)}, 1024, Errc::kCorrupt},
      {"overlap on the device", {run(0, 10, 5), run(5, 14, 5)}, 1024, Errc::kCorrupt},
      {"past the device", {run(0, 96, 5)}, 1024, Errc::kCorrupt},
      {"far past the device", {run(0, ~std::uint64_t{0}, 5)}, 1024, Errc::kCorrupt},
  };
  for (const auto& each : cases) {
    const auto map = JournalMap::make(each.runs, each.block_bytes, 100);
    ASSERT_FALSE(map) << each.what;
    EXPECT_EQ(map.error().code, each.code) << each.what;
  }
  const std::uint32_t half = std::uint32_t{1} << 30;
  const auto long_one =
      JournalMap::make({run(0, 0, half), run(half, half, half), run(2 * half, 2ull * half, 1)},
                       1024, std::uint64_t{1} << 40);
  ASSERT_FALSE(long_one);
  EXPECT_EQ(long_one.error().code, Errc::kLimit);
}

}  // namespace
}  // namespace powercut
