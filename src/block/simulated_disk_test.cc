#include "block/simulated_disk.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string>

#include "base/simulation.h"
#include "base/task.h"

namespace powercut {
namespace {

constexpr std::uint64_t kBlock = 4096;

std::vector<std::uint8_t> filled(std::uint8_t value, std::uint64_t length = kBlock) {
  return std::vector<std::uint8_t>(length, value);
}

// A disk of `blocks` blocks, all zero.
std::vector<std::uint8_t> blank(std::uint64_t blocks) {
  return std::vector<std::uint8_t>(blocks * kBlock);
}

// "012...": the first byte of each block of an image, as a letter; '?' where a block is not all of
// one value.
std::string letters(Bytes image) {
  std::string text;
  for (std::uint64_t at = 0; at < image.size(); at += kBlock) {
    const Bytes block = image.subspan(at, kBlock);
    const bool is_even = std::memcmp(block.data(), block.data() + 1, block.size() - 1) == 0;
    text += is_even ? static_cast<char>('0' + block[0]) : '?';
  }
  return text;
}

// All images that many cuts leave now.
std::set<std::string> cuts(const SimulatedDisk& disk) {
  std::set<std::string> found;
  Prng prng(99);
  for (int i = 0; i < 300; ++i) found.insert(letters(disk.crash(prng)));
  return found;
}

using Images = std::set<std::string>;

TEST(SimulatedDisk, ACutLosesWhatWasNotFlushed) {
  SimulatedDisk disk(blank(2), {});
  ASSERT_TRUE(disk.write(0, filled(1)));
  EXPECT_EQ(cuts(disk), (Images{"00", "10"}));
  ASSERT_TRUE(disk.flush());
  EXPECT_EQ(cuts(disk), (Images{"10"}));
  EXPECT_EQ(disk.cached_count(), 0u);
  ASSERT_TRUE(disk.write(kBlock, filled(2)));
  ASSERT_TRUE(disk.write(0, filled(3)));
  EXPECT_EQ(cuts(disk), (Images{"10", "12", "30", "32"}));
  std::vector<std::uint8_t> seen(2 * kBlock);
  ASSERT_TRUE(disk.read(0, seen));
  EXPECT_EQ(letters(seen), "32");
}

TEST(SimulatedDisk, ForcedWritesStay) {
  SimulatedDisk disk(blank(3), {});
  ASSERT_TRUE(disk.write(0, filled(1)));
  ASSERT_TRUE(disk.write(kBlock, filled(2), Durability::kFua));
  EXPECT_EQ(cuts(disk), (Images{"020", "120"}));
  ASSERT_TRUE(disk.write(0, filled(3), Durability::kFua));  // what was cached there is older
  EXPECT_EQ(cuts(disk), (Images{"320"}));
  ASSERT_TRUE(disk.write_zeroes(0, kBlock, Durability::kFua));
  EXPECT_EQ(cuts(disk), (Images{"020"}));
}

TEST(SimulatedDisk, LaterWritesOfABlockWin) {
  SimulatedDisk disk(blank(1), {});
  ASSERT_TRUE(disk.write(0, filled(1)));
  ASSERT_TRUE(disk.write(0, filled(2)));
  EXPECT_EQ(cuts(disk), (Images{"0", "1", "2"}));
  ASSERT_TRUE(disk.discard(0, kBlock));
  ASSERT_TRUE(disk.flush());
  EXPECT_EQ(cuts(disk), (Images{"0"}));
}

TEST(SimulatedDisk, BlocksOfOneRequestAreLostOneByOne) {
  SimulatedDisk disk(blank(2), {});
  ASSERT_TRUE(disk.write(0, filled(1, 2 * kBlock)));
  EXPECT_EQ(cuts(disk), (Images{"00", "01", "10", "11"}));
}

TEST(SimulatedDisk, TearsBlocksWhereItsUnitIsSmaller) {
  SimulatedDisk disk(blank(1), {.atomic_bytes = 512});
  ASSERT_TRUE(disk.write(0, filled(1)));
  EXPECT_EQ(cuts(disk), (Images{"0", "1", "?"}));
  Prng prng(1);
  for (int i = 0; i < 100; ++i) {
    const auto image = disk.crash(prng);
    for (std::uint64_t at = 0; at < kBlock; at += 512) {  // a unit is whole
      EXPECT_TRUE(std::all_of(image.begin() + static_cast<std::ptrdiff_t>(at),
                              image.begin() + static_cast<std::ptrdiff_t>(at) + 512,
                              [&](auto byte) { return byte == image[at]; }));
    }
  }
}

TEST(SimulatedDisk, AFullCacheWritesItsOldest) {
  SimulatedDisk disk(blank(3), {.cached_bytes_max = 2 * kBlock});
  for (std::uint8_t i = 0; i < 3; ++i) ASSERT_TRUE(disk.write(i * kBlock, filled(1)));
  EXPECT_EQ(cuts(disk), (Images{"100", "101", "110", "111"}));
}

// Notes each event, and what a cut at it could leave.
class Notes final : public BlockObserver {
 public:
  void on_submitted(const BlockRequest& request) override { add("wzdf", request); }
  void on_completed(const BlockRequest& request) override { add("WZDF", request); }
  std::string text;

 private:
  void add(const char* names, const BlockRequest& request) {
    text += names[static_cast<std::size_t>(request.kind)] + std::to_string(request.number) + " ";
  }
};

TEST(SimulatedDisk, TellsItsObserver) {
  Notes notes;
  SimulatedDisk disk(blank(3), {.faults = {.faults = {{DiskOperation::kWrite, 3}}}}, &notes);
  ASSERT_TRUE(disk.write(0, filled(1)));
  ASSERT_TRUE(disk.write_zeroes(0, 10));
  EXPECT_FALSE(disk.discard(0, 10));
  ASSERT_TRUE(disk.flush());
  EXPECT_EQ(notes.text, "w1 W1 z2 Z2 d3 f4 F4 ");
  EXPECT_EQ(disk.event_count(), 7u);
}

// In a simulation, writes that are given together complete in any order, and a flush covers only
// those that were completed before it came in.
TEST(SimulatedDisk, CompletesWhatIsGivenTogetherInAnyOrder) {
  std::set<std::string> orders;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Notes notes;
    SimulatedDisk disk(blank(3), {}, &notes);
    const SimulationResult result = Simulation({.seed = seed}).run([&] {
      const auto one = filled(1), two = filled(2), three = filled(3);
      const BlockWrite writes[] = {{0, one, {}}, {kBlock, two, {}}, {2 * kBlock, three, {}}};
      CHECK(disk.write_all(writes).has_value(), "written");
    });
    ASSERT_FALSE(result.has_finding()) << result.what;
    EXPECT_EQ(notes.text.substr(0, 9), "w1 w2 w3 ");
    orders.insert(notes.text.substr(9));
    Prng prng(seed);
    EXPECT_EQ(cuts(disk).size(), 8u);
  }
  EXPECT_EQ(orders.size(), 6u);
}

TEST(SimulatedDisk, AFlushCoversOnlyWhatWasCompletedBeforeIt) {
  bool is_lost_in_one = false, is_covered_in_one = false;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Notes notes;
    SimulatedDisk disk(blank(1), {}, &notes);
    const SimulationResult result = Simulation({.seed = seed}).run([&] {
      Task writer =
          Task::start("writer", [&] { CHECK(disk.write(0, filled(1)).has_value(), "written"); });
      CHECK(disk.flush().has_value(), "flushed");
    });
    ASSERT_FALSE(result.has_finding()) << result.what;
    const bool is_covered = notes.text.find("W") < notes.text.find("f");
    EXPECT_EQ(cuts(disk), is_covered ? (Images{"1"}) : (Images{"0", "1"})) << notes.text;
    is_covered_in_one = is_covered_in_one || is_covered;
    // Completed while the flush was under way.
    is_lost_in_one = is_lost_in_one || (!is_covered && notes.text.ends_with("F2 "));
  }
  EXPECT_TRUE(is_covered_in_one);
  EXPECT_TRUE(is_lost_in_one);
}

// At every event of a run the power goes: what was said to be durable is there, and the requests
// after it fail.
TEST(SimulatedDisk, ThePowerGoesAtAnyEvent) {
  std::uint64_t event = 1;
  bool was_whole = false;
  for (; !was_whole; ++event) {
    ASSERT_LT(event, 100u);
    SimulatedDisk disk(blank(4), {.crash_at_event = event});
    std::uint8_t durable = 0;
    const SimulationResult result = Simulation({.seed = event}).run([&] {
      for (std::uint8_t i = 1; i <= 4; ++i) {
        const std::uint64_t at = (i - 1) * kBlock;
        if (!disk.write(at, filled(i)) || !disk.flush()) return;
        durable = i;
      }
    });
    ASSERT_FALSE(result.has_finding()) << result.what;
    was_whole = !disk.is_off();
    EXPECT_EQ(disk.crash_image().has_value(), disk.is_off());
    if (was_whole) break;
    EXPECT_LT(durable, 4);
    const std::string image = letters(*disk.crash_image());
    const std::string all = "1234";
    EXPECT_EQ(image.substr(0, durable), all.substr(0, durable));
    const char next = image[durable];  // the one under way is there or not
    EXPECT_TRUE(next == '0' || next == all[durable]) << image;
    EXPECT_EQ(disk.write(0, filled(9)).error().code, Errc::kIo);
    EXPECT_EQ(disk.flush().error().code, Errc::kIo);
    std::vector<std::uint8_t> buffer(1);
    EXPECT_EQ(disk.read(0, buffer).error().code, Errc::kIo);
  }
  EXPECT_EQ(event, 17u);  // four writes and four flushes, submitted and completed
}

TEST(SimulatedDisk, ThePowerCanGoSoManyEventsFromNow) {
  SimulatedDisk disk(blank(2), {});
  ASSERT_TRUE(disk.write(0, filled(1)));
  disk.crash_after(3);
  ASSERT_TRUE(disk.write(0, filled(2)));
  EXPECT_FALSE(disk.is_off());
  EXPECT_EQ(disk.flush().error().code, Errc::kIo);
  EXPECT_TRUE(disk.is_off());
  EXPECT_EQ(disk.event_count(), 5u);
  EXPECT_TRUE(disk.crash_image().has_value());
}

TEST(SimulatedDisk, FailsAsPlanned) {
  SimulatedDisk disk(blank(2), {.faults = {.faults = {{DiskOperation::kWrite, 2},
                                                      {DiskOperation::kFlush, 1},
                                                      {DiskOperation::kRead, 1, true}}}});
  ASSERT_TRUE(disk.write(0, filled(1)));
  EXPECT_EQ(disk.flush().error().code, Errc::kIo);
  EXPECT_EQ(cuts(disk), (Images{"00", "10"}));  // that flush covered nothing
  const auto failed = disk.write(kBlock, filled(2));
  EXPECT_EQ(failed.error().code, Errc::kIo);
  EXPECT_EQ(failed.error().where, kBlock);
  ASSERT_TRUE(disk.write(kBlock, filled(3)));
  ASSERT_TRUE(disk.flush());
  EXPECT_EQ(cuts(disk), (Images{"13"}));
  std::vector<std::uint8_t> buffer(1);
  EXPECT_FALSE(disk.read(0, buffer));
  EXPECT_FALSE(disk.read(0, buffer));
  EXPECT_EQ(disk.struck_count(), 4u);
}

TEST(SimulatedDisk, AFailedWriteMayBeThereInParts) {
  std::set<std::string> found;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SimulatedDisk disk(blank(2),
                       {.seed = seed, .faults = {.faults = {{DiskOperation::kWrite, 1}}}});
    EXPECT_FALSE(disk.write(0, filled(1, 2 * kBlock)));
    ASSERT_TRUE(disk.flush());
    const Images images = cuts(disk);
    EXPECT_EQ(images.size(), 1u);  // what it left was flushed
    found.insert(images.begin(), images.end());
  }
  EXPECT_EQ(found, (Images{"00", "01", "10", "11"}));
}

TEST(SimulatedDisk, ACrashCanBeWrittenOntoAnother) {
  SimulatedDisk disk(blank(2), {});
  ASSERT_TRUE(disk.write(0, filled(1), Durability::kFua));
  ASSERT_TRUE(disk.write(kBlock, filled(2)));
  for (std::uint64_t seed = 1; seed < 20; ++seed) {
    MemoryDevice onto(blank(2));
    ASSERT_TRUE(disk.durable().read(0, onto.bytes()));
    Prng one(seed), other(seed);
    ASSERT_TRUE(disk.crash_onto(onto, one));
    EXPECT_EQ(letters(onto.bytes()), letters(disk.crash(other)));
  }
}

TEST(SimulatedDiskDeathTest, UnitsHaveASize) {
  EXPECT_DEATH(SimulatedDisk(blank(1), {.atomic_bytes = 256}), "an atomic size");
  EXPECT_DEATH(SimulatedDisk(blank(1), {.atomic_bytes = 1000}), "an atomic size");
  EXPECT_DEATH(SimulatedDisk(blank(1), {.atomic_bytes = 8192}), "an atomic size");
}

}  // namespace
}  // namespace powercut
