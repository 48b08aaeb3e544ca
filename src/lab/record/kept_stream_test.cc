#include "lab/record/kept_stream.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/simulation.h"
#include "base/task.h"
#include "block/simulated_disk.h"
#include "host/file.h"
#include "lab/record/recording_player.h"
#include "lab/record/recording_writer.h"
#include "lab/record/simulated_stream.h"
#include "tests/support/e2fs_image.h"

namespace powercut::lab {
namespace {

// What two tasks did to a simulated disk, recorded in a file and played from it, leaves what is on
// the disk; its events come in the order in which they came.
TEST(KeptStream, ASimulationIsRecordedBehindIt) {
  KeptStream kept;
  const SimulatedClock clock;
  SimulatedStream stream(clock, {&kept});
  SimulatedDisk disk(std::vector<std::uint8_t>(1 << 18, 3), {}, &stream);
  MemoryDevice first(std::vector<std::uint8_t>(1 << 18, 3));
  const SimulationResult result = Simulation({.seed = 6}).run([&] {
    const auto write = [&] {
      Prng& prng = Simulation::random();
      for (int i = 0; i < 20; ++i) {
        std::vector<std::uint8_t> data(4096);
        prng.fill(data);
        CHECK(disk.write(prng.below(60) * 4096, data).has_value(), "written");
        CHECK(disk.write_zeroes(prng.below(60) * 4096, 4096).has_value(), "zeroed");
        if (prng.chance(1, 4)) CHECK(disk.flush().has_value(), "flushed");
        stream.mark("round");
      }
    };
    Task one = Task::start("one", write);
    Task other = Task::start("other", write);
  });
  ASSERT_FALSE(result.has_finding()) << result.what;

  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "recording";
  {
    const auto writer = RecordingWriter::create(path, first, 1 << 30).value();
    kept.tell({writer.get()});
    ASSERT_TRUE(writer->close());
  }
  const File file = File::open(path, File::Access::kRead).value();
  const auto reader = RecordingReader::open(file).value();
  const auto player = RecordingPlayer::make(*reader).value();
  ASSERT_TRUE(player->read_base());
  KeptStream again;
  ASSERT_TRUE(player->play({&again}));
  EXPECT_EQ(again.event_count(), kept.event_count());
  std::vector<std::uint8_t> played(disk.size_bytes()), now(disk.size_bytes());
  ASSERT_TRUE(player->disk().read(0, played));
  ASSERT_TRUE(disk.content().read(0, now));
  EXPECT_TRUE(std::ranges::equal(played, now));
}

TEST(KeptStreamDeathTest, HasABound) {
  const std::vector<std::uint8_t> data(4096);
  KeptStream kept(4096);
  kept.on_submitted({.sequence = 1, .length = 4096, .data = data}, Nanoseconds(1));
  EXPECT_DEATH(kept.on_submitted({.sequence = 2, .length = 4096, .data = data}, Nanoseconds(2)),
               "a stream longer than what may be kept");
  EXPECT_DEATH(kept.on_submitted({.sequence = 3, .data = {}}, Nanoseconds(2)), "without a gap");
  EXPECT_DEATH(kept.on_completed({.sequence = 2, .data = {}}, Nanoseconds(2)),
               "follows its submission");
}

}  // namespace
}  // namespace powercut::lab
