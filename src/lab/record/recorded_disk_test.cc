#include "lab/record/recorded_disk.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "block/memory_device.h"

namespace powercut::lab {
namespace {

// Writes one letter a moment: w z d f for submissions, W Z D F for completions, p for power.
class Letters final : public DiskObserver {
 public:
  void on_submitted(const Request& request, Nanoseconds) override {
    text += " wzdf"[static_cast<int>(request.kind)];
    last_sequence = request.sequence;
  }
  void on_completed(const Request& request, Nanoseconds) override {
    text += " WZDF"[static_cast<int>(request.kind)];
  }
  void on_power_cycle(Nanoseconds) override { text += 'p'; }
  void on_mark(std::string_view, Nanoseconds) override { text += 'm'; }
  std::string text;
  std::uint64_t last_sequence = 0;
};

TEST(RecordedDisk, TellsBothMomentsOfEachRequest) {
  MemoryDevice memory(8192);
  ManualClock clock;
  Letters letters;
  RecordedDisk disk(memory, clock, {&letters});
  const std::vector<std::uint8_t> data(4096, 7);
  EXPECT_TRUE(disk.write(0, data, Durability::kFua));
  EXPECT_TRUE(disk.flush());
  EXPECT_TRUE(disk.write_zeroes(0, 4096, Durability::kCached));
  EXPECT_TRUE(disk.discard(0, 4096));
  disk.power_cycle();
  EXPECT_TRUE(disk.mark("x"));
  EXPECT_FALSE(disk.mark(std::string(kMarkBytesMax + 1, 'x')));
  EXPECT_EQ(letters.text, "wWfFzZdDpm");
}

TEST(RecordedDisk, AFailedRequestIsNeverCompleted) {
  MemoryDevice memory(4096);
  ManualClock clock;
  Letters letters;
  RecordedDisk disk(memory, clock, {&letters});
  EXPECT_FALSE(disk.write(4096, std::vector<std::uint8_t>(1), Durability::kCached));
  EXPECT_EQ(letters.text, "w");
  EXPECT_EQ(disk.failures().count, 1u);
  EXPECT_EQ(disk.failures().first.code, Errc::kInvalid);
}

TEST(RecordedDisk, NumbersSubmissionsWithoutAGapFromManyThreads) {
  MemoryDevice memory(1 << 16);
  SteadyClock clock;
  Letters letters;
  RecordedDisk disk(memory, clock, {&letters});
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t i = 0; i < 4; ++i) {
      threads.emplace_back([&disk, i] {
        const std::vector<std::uint8_t> data(4096, static_cast<std::uint8_t>(i));
        for (int turn = 0; turn < 200; ++turn) {
          EXPECT_TRUE(disk.write(i * 4096, data, Durability::kCached));
        }
      });
    }
  }
  EXPECT_EQ(letters.last_sequence, 800u);
  EXPECT_EQ(letters.text.size(), 1600u);
}

}  // namespace
}  // namespace powercut::lab
