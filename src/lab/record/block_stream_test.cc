#include "lab/record/block_stream.h"

#include <gtest/gtest.h>

#include "block/memory_device.h"
#include "host/machine.h"
#include "lab/record/recorded_disk.h"
#include "lab/record/recording_test_support.h"

namespace powercut::lab {
namespace {

std::vector<std::uint8_t> filled(std::size_t size, std::uint8_t with) {
  return std::vector<std::uint8_t>(size, with);
}

TEST(ContentPool, KeepsEachContentOnceUpToItsLimit) {
  ContentPool pool(1024, 3 * 1024);
  EXPECT_EQ(pool.add(filled(1024, 0)).value(), kZeroContent);
  const ContentId one = pool.add(filled(1024, 1)).value();
  const ContentId two = pool.add(filled(1024, 2)).value();
  EXPECT_EQ(one, ContentId(1));
  EXPECT_EQ(two, ContentId(2));
  EXPECT_EQ(pool.add(filled(1024, 1)).value(), one);
  EXPECT_EQ(pool.bytes(two)[1023], 2);
  EXPECT_EQ(pool.add(filled(1024, 3)).error().code, Errc::kLimit);
  EXPECT_EQ(pool.size(), 3u);
}

class BlockStreamTest : public ::testing::Test {
 protected:
  // What `use` does to a disk of four blocks of 4096 bytes, as a stream.
  template <class Use>
  BlockStream stream_of(Use use) {
    const auto path = folder_.path() / "rec";
    MemoryDevice memory(4 * 4096);
    EXPECT_TRUE(memory.write(4096, filled(4096, 9)));
    ManualClock clock;
    auto writer = RecordingWriter::create(path, memory, 1u << 20).value();
    RecordedDisk disk(memory, clock, {writer.get()});
    use(disk);
    EXPECT_TRUE(writer->close());
    const auto file = File::open(path, File::Access::kRead).value();
    recording_ = read_recording(file, 1u << 24).value();
    return BlockStream::make(recording_, 4096, 1u << 24).value();
  }
  TempDirectory folder_ = TempDirectory::make("block-stream-test").value();
  Recording recording_;
};

TEST_F(BlockStreamTest, GivesRequestsAsWholeBlocks) {
  const BlockStream stream = stream_of([](RecordedDisk& disk) {
    EXPECT_TRUE(disk.write(4096 + 512, filled(4096, 7), Durability::kFua));
    EXPECT_TRUE(disk.mark("here"));
    EXPECT_TRUE(disk.discard(0, 4096));
    EXPECT_TRUE(disk.flush());
    disk.power_cycle();
  });
  ASSERT_EQ(stream.block_count(), 4u);
  EXPECT_EQ(stream.base()[0], kZeroContent);
  EXPECT_EQ(stream.pool().bytes(stream.base()[1])[0], 9);
  std::string kinds;
  for (const StreamEvent& event : stream.events()) {
    kinds += "scmp"[static_cast<int>(event.kind)];
    kinds += std::to_string(event.write_count);
  }
  EXPECT_EQ(kinds, "s2c2m0s1c1s0c0p0");
  const auto writes = stream.writes(stream.events()[0]);
  EXPECT_TRUE(stream.events()[0].is_fua);
  EXPECT_EQ(writes[0].block, BlockNo(1));
  EXPECT_EQ(stream.pool().bytes(writes[0].content)[511], 9);
  EXPECT_EQ(stream.pool().bytes(writes[0].content)[512], 7);
  EXPECT_EQ(stream.pool().bytes(writes[1].content)[511], 7);
  EXPECT_EQ(stream.pool().bytes(writes[1].content)[512], 0);
  EXPECT_EQ(stream.mark(stream.events()[2]), "here");
  EXPECT_EQ(stream.writes(stream.events()[3])[0].content, kZeroContent);
}

// What a stream says, in words that do not depend on the numbers that contents have in it.
std::string said(const BlockStream& stream) {
  std::string text;
  for (const ContentId id : stream.base())
    text += std::to_string(stream.pool().hash(id).low) + "\n";
  for (const StreamEvent& event : stream.events()) {
    text += std::to_string(static_cast<int>(event.kind)) + (event.is_fua ? "f" : "") +
            std::to_string(event.sequence);
    for (const BlockWrite& write : stream.writes(event)) {
      text += " " + std::to_string(write.block.value()) + "=" +
              std::to_string(stream.pool().hash(write.content).low);
    }
    text += "\n";
  }
  return text;
}

TEST_F(BlockStreamTest, AStreamOfAReaderIsThatOfTheWholeRecording) {
  const auto path = folder_.path() / "random";
  MemoryDevice memory(16 * 4096);
  const auto writer = RecordingWriter::create(path, memory, 1u << 30).value();
  RandomUse use(memory, {writer.get()}, 3);
  use.steps(400);
  EXPECT_TRUE(writer->close());
  const File file = File::open(path, File::Access::kRead).value();
  const Recording recording = read_recording(file, 1u << 26).value();
  for (const std::uint32_t block_bytes : {1024u, 4096u, 8192u}) {
    const auto whole = BlockStream::make(recording, block_bytes, 1u << 26);
    const auto reader = RecordingReader::open(file, 1u << 20).value();
    const auto streamed = BlockStream::make(*reader, block_bytes, 1u << 26, {});
    ASSERT_TRUE(streamed) << streamed.error().what;
    EXPECT_EQ(said(*streamed), said(*whole)) << block_bytes;
    // A window ends where it should, and begins with what was under way.
    const auto again = RecordingReader::open(file, 1u << 20).value();
    const auto window = BlockStream::make(*again, block_bytes, 1u << 26, {200, 300});
    ASSERT_TRUE(window) << window.error().what;
    EXPECT_GE(window->events().size(), 100u);
    const auto& first = whole->events()[200];
    const auto& same = window->events()[window->events().size() - 100];
    EXPECT_EQ(first.sequence, same.sequence);
    EXPECT_EQ(first.when, same.when);
  }
}

TEST_F(BlockStreamTest, ADiskThatIsNoWholeNumberOfBlocksIsRefused) {
  Recording recording;
  recording.disk_bytes = 4096 + 512;
  EXPECT_EQ(BlockStream::make(recording, 4096, 1u << 20).error().code, Errc::kInvalid);
}

}  // namespace
}  // namespace powercut::lab
