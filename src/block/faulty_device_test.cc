#include "block/faulty_device.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "block/memory_device.h"

namespace powercut {
namespace {

// One letter a request: '.' it succeeds, 'x' it fails.
std::string outcomes(FaultyDevice& device, int count, bool flushes) {
  const std::vector<std::uint8_t> data(16, 1);
  std::string text;
  for (int i = 0; i < count; ++i) {
    const auto outcome = flushes ? device.flush() : device.write(0, data);
    text += outcome ? '.' : 'x';
  }
  return text;
}

TEST(FaultyDevice, FailsAtTheRequestsOfItsPlan) {
  MemoryDevice disk(4096);
  FaultyDevice device(disk, {.faults = {{DiskOperation::kWrite, 2},
                                        {DiskOperation::kWrite, 4},
                                        {DiskOperation::kFlush, 3, true}}});
  EXPECT_EQ(outcomes(device, 6, false), ".x.x..");
  EXPECT_EQ(outcomes(device, 5, true), "..xxx");
  EXPECT_EQ(device.struck_count(), 5u);
  std::vector<std::uint8_t> seen(16);
  EXPECT_TRUE(device.read(0, seen));
  EXPECT_EQ(device.size_bytes(), 4096u);
}

TEST(FaultyDevice, WhatFailsIsNotDone) {
  MemoryDevice disk(64);
  FaultyDevice device(disk, {.faults = {{DiskOperation::kWrite, 3}, {DiskOperation::kRead, 1}}});
  const std::vector<std::uint8_t> data(16, 1);
  const BlockWrite writes[] = {{0, data, {}}, {16, data, {}}, {32, data, {}}, {48, data, {}}};
  const auto outcome = device.write_all(writes);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::kIo);
  EXPECT_EQ(outcome.error().where, 32u);
  EXPECT_EQ(disk.bytes()[31], 1);
  EXPECT_EQ(disk.bytes()[32], 0);
  EXPECT_EQ(disk.bytes()[48], 0);
  std::vector<std::uint8_t> seen(16, 9);
  EXPECT_FALSE(device.read(0, seen));
  EXPECT_EQ(seen[0], 9);
  ASSERT_TRUE(device.write_all(writes));
  ASSERT_TRUE(device.write_zeroes(0, 16));
  ASSERT_TRUE(device.discard(16, 16));
  EXPECT_EQ(disk.bytes()[0], 0);
}

TEST(FaultyDevice, FailsByChanceTheSameForASeed) {
  MemoryDevice disk(64);
  const FaultPlan plan{.writes_per_million = 300'000};
  FaultyDevice one(disk, plan, 7), same(disk, plan, 7), other(disk, plan, 8);
  const std::string first = outcomes(one, 200, false);
  EXPECT_EQ(outcomes(same, 200, false), first);
  EXPECT_NE(outcomes(other, 200, false), first);
  EXPECT_GT(one.struck_count(), 30u);  // 60 is the mean
  EXPECT_LT(one.struck_count(), 90u);
  EXPECT_EQ(outcomes(one, 100, true).find('x'), std::string::npos);
}

}  // namespace
}  // namespace powercut
