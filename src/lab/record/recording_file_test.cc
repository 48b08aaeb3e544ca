#include "lab/record/recording_file.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/prng.h"
#include "block/memory_device.h"
#include "host/machine.h"
#include "lab/record/recorded_disk.h"

namespace powercut::lab {
namespace {

class RecordingFileTest : public ::testing::Test {
 protected:
  // A disk of ten and a half pages that is written at random while it is recorded.
  void record(std::uint64_t bytes_max) {
    Prng prng(31);
    prng.fill(MutableBytes(disk_.bytes()).first(3 * 4096));
    auto writer = RecordingWriter::create(folder_ / "rec", disk_, bytes_max).value();
    ManualClock clock;
    RecordedDisk recorded(disk_, clock, {writer.get()});
    for (int step = 0; step < 300; ++step) {
      clock.advance(std::chrono::milliseconds(1));
      const std::uint64_t offset = prng.below(disk_.size_bytes());
      const std::uint64_t length =
          prng.below(std::min<std::uint64_t>(9000, disk_.size_bytes() - offset)) + 1;
      std::vector<std::uint8_t> data(length);
      prng.fill(data);
      const auto durability = prng.chance(1, 2) ? Durability::kFua : Durability::kCached;
      switch (prng.below(5)) {
        case 0: ASSERT_TRUE(recorded.write_zeroes(offset, length, durability)); break;
        case 1: ASSERT_TRUE(recorded.flush()); break;
        default: ASSERT_TRUE(recorded.write(offset, data, durability)); break;
      }
    }
    recorded.power_cycle();
    ASSERT_TRUE(recorded.mark("the end"));
    ignore_error(writer->close(), "the trouble is looked at");
    trouble_ = writer->trouble();
  }
  Result<Recording> read() {
    const auto file = File::open(folder_ / "rec", File::Access::kRead);
    return read_recording(*file, std::uint64_t{64} << 20);
  }

  TempDirectory temp_ = TempDirectory::make("recording-file-test").value();
  const std::filesystem::path folder_ = temp_.path();
  MemoryDevice disk_{10 * 4096 + 2048};
  std::string trouble_;
};

// Writes down what it is told, as text.
class Diary final : public DiskObserver {
 public:
  void on_submitted(const Request& request, Nanoseconds when) override { note('s', request, when); }
  void on_completed(const Request& request, Nanoseconds when) override { note('c', request, when); }
  void on_power_cycle(Nanoseconds) override { text += "p\n"; }
  void on_mark(std::string_view mark, Nanoseconds when) override {
    text += "m " + std::string(mark) + " " + std::to_string(when.count()) + "\n";
  }
  std::string text;

 private:
  void note(char what, const Request& request, Nanoseconds when) {
    text += what + std::to_string(request.sequence) + " " +
            std::to_string(static_cast<int>(request.kind)) +
            (request.durability == Durability::kFua ? "f " : " ") + std::to_string(request.offset) +
            "+" + std::to_string(request.length) + " " + std::to_string(when.count()) + "\n";
  }
};

TEST_F(RecordingFileTest, GivesBackTheDiskAndTheRequests) {
  record(std::uint64_t{1} << 30);
  EXPECT_EQ(trouble_, "");
  const auto recording = read();
  ASSERT_TRUE(recording) << recording.error().what;
  EXPECT_FALSE(recording->is_cut);
  EXPECT_EQ(recording->disk_bytes, disk_.size_bytes());
  RecordedView view(*recording);
  Diary diary;
  play(*recording, view, {&diary});
  std::vector<std::uint8_t> seen(disk_.size_bytes());
  ASSERT_TRUE(view.read(0, seen));
  EXPECT_TRUE(std::ranges::equal(seen, disk_.bytes()));
  EXPECT_EQ(std::ranges::count(diary.text, '\n'), 602);
  EXPECT_NE(diary.text.find("s300 "), std::string::npos);
  EXPECT_NE(diary.text.find("c300 "), std::string::npos);
  EXPECT_TRUE(diary.text.ends_with("p\nm the end 300000000\n"));
}

// A recorder that was killed leaves a file that ends anywhere.
TEST_F(RecordingFileTest, AFileCutAnywhereIsReadUpToItsLastWholeFrame) {
  record(std::uint64_t{1} << 30);
  const auto whole_events = read()->events.size();
  const auto size = std::filesystem::file_size(folder_ / "rec");
  for (const std::uint64_t cut : {size - 1, size / 2, std::uint64_t{33}, std::uint64_t{140}}) {
    std::filesystem::resize_file(folder_ / "rec", cut);
    const auto recording = read();
    ASSERT_TRUE(recording) << cut;
    EXPECT_TRUE(recording->is_cut) << cut;
    EXPECT_LT(recording->events.size(), whole_events) << cut;
  }
  std::filesystem::resize_file(folder_ / "rec", 31);
  EXPECT_FALSE(read());
}

// One content after another, as a journal and a checkpoint write them: each is stored once.
TEST_F(RecordingFileTest, EachContentIsStoredOnce) {
  MemoryDevice disk(std::uint64_t{1} << 20);
  const auto writer =
      RecordingWriter::create(folder_ / "rec", disk, std::uint64_t{1} << 30).value();
  ManualClock clock;
  RecordedDisk recorded(disk, clock, {writer.get()});
  std::vector<std::uint8_t> data(16 * 4096);
  Prng(5).fill(data);
  for (int turn = 0; turn < 100; ++turn) {
    ASSERT_TRUE(
        recorded.write(static_cast<std::uint64_t>(turn % 16) * 65536, data, Durability::kCached));
  }
  ASSERT_TRUE(writer->close());
  EXPECT_LT(std::filesystem::file_size(folder_ / "rec"), data.size() + 8192);
  EXPECT_EQ(read()->events.size(), 200u);
}

// Cut at every byte of the last frames, and at many before.
TEST_F(RecordingFileTest, EveryCutLeavesABeginning) {
  record(std::uint64_t{1} << 20);
  const auto file = File::open(folder_ / "rec", File::Access::kRead).value();
  std::vector<std::uint8_t> bytes(file.size_bytes());
  ASSERT_TRUE(file.read_at(0, bytes));
  std::size_t last_count = 0;
  const std::size_t near_end = bytes.size() - 120;
  for (std::size_t cut = 32; cut <= bytes.size();
       cut += cut < near_end ? std::min<std::size_t>(19'999, near_end - cut) : 1) {
    auto part = File::in_memory("cut", cut).value();
    ASSERT_TRUE(part.write_at(0, Bytes(bytes).first(cut)));
    const auto recording = read_recording(part, std::uint64_t{64} << 20);
    ASSERT_TRUE(recording) << cut << ": " << recording.error().what;
    ASSERT_GE(recording->events.size(), last_count) << cut;
    last_count = recording->events.size();
  }
  EXPECT_EQ(last_count, read()->events.size());
}

// Two devices in one recording: where the second begins, and which of them a flush is for.
TEST_F(RecordingFileTest, TwoDevicesStayTwo) {
  constexpr DeviceSplit kSplit{4 * 4096};
  const std::uint64_t second_bytes = disk_.size_bytes() - kSplit.second_at;
  const auto writer = RecordingWriter::create(folder_ / "rec", disk_, 1u << 20, kSplit).value();
  ManualClock clock;
  RecordedDisk recorded(disk_, clock, {writer.get()});
  const std::vector<std::uint8_t> data(4096, 7);
  ASSERT_TRUE(recorded.write(0, data, Durability::kCached));
  Request flush{RequestKind::kFlush, Durability::kCached, 0, kSplit.second_at, second_bytes, {}};
  recorded.submit(flush);
  ASSERT_TRUE(recorded.complete(flush));
  ASSERT_TRUE(writer->close());
  const auto recording = read();
  ASSERT_TRUE(recording) << recording.error().what;
  EXPECT_EQ(recording->split, kSplit);
  const RecordedEvent& last = recording->events[recording->events.size() - 2];
  EXPECT_EQ(last.request, RequestKind::kFlush);
  EXPECT_EQ(last.offset, kSplit.second_at);
  EXPECT_EQ(last.length, second_bytes);
}

// What lies on no single device, and a flush of a part, break the format.
TEST_F(RecordingFileTest, ARequestIsOfOneDevice) {
  const auto refusal = [&](const DeviceSplit& split, Request request, const char* name) {
    const auto writer = RecordingWriter::create(folder_ / name, disk_, 1u << 20, split).value();
    request.sequence = 1;
    const std::vector<std::uint8_t> data(request.length, 1);
    if (request.kind == RequestKind::kWrite) request.data = data;
    writer->on_submitted(request, Nanoseconds(1));
    EXPECT_TRUE(writer->close());
    const auto file = File::open(folder_ / name, File::Access::kRead).value();
    const auto read = read_recording(file, std::uint64_t{64} << 20);
    return read ? std::string() : std::string(read.error().what);
  };
  const std::string none = "recording: a request that is not of one device";
  const Request across{RequestKind::kWrite, Durability::kCached, 0, 4096, 8192, {}};
  EXPECT_EQ(refusal({8192}, across, "across"), none);
  EXPECT_EQ(refusal({}, across, "one device"), "");
  const Request part{RequestKind::kFlush, Durability::kCached, 0, 0, 4096, {}};
  EXPECT_EQ(refusal({8192}, part, "part"), none);
  EXPECT_EQ(refusal({4096}, part, "whole"), "");
  EXPECT_EQ(refusal({}, part, "part of one"), none);
  EXPECT_NE(refusal({disk_.size_bytes()}, across, "behind the end"), "");
  EXPECT_NE(refusal({1000}, across, "no unit"), "");
}

// The one that came with Powercut before there was format 2.
TEST(OldRecording, IsReadAsItWas) {
  const auto file = File::open(POWERCUT_SOURCE_DIR "/share/first-find.pcrec", File::Access::kRead);
  ASSERT_TRUE(file);
  const auto recording = read_recording(*file, std::uint64_t{256} << 20);
  ASSERT_TRUE(recording) << recording.error().what;
  EXPECT_FALSE(recording->is_cut);
  EXPECT_EQ(recording->events.size(), 1294u);
}

TEST_F(RecordingFileTest, AFlippedBitEndsItThereOrIsRefused) {
  record(std::uint64_t{1} << 30);
  const auto size = std::filesystem::file_size(folder_ / "rec");
  Prng prng(32);
  for (int turn = 0; turn < 50; ++turn) {
    const std::uint64_t at = 32 + prng.below(size - 32);
    auto file = File::open(folder_ / "rec", File::Access::kReadWrite).value();
    std::vector<std::uint8_t> byte(1);
    ASSERT_TRUE(file.read_at(at, byte));
    byte[0] ^= 4;
    ASSERT_TRUE(file.write_at(at, byte));
    const auto recording = read_recording(file, std::uint64_t{64} << 20);
    EXPECT_TRUE(!recording || recording->is_cut) << at;
    byte[0] ^= 4;
    ASSERT_TRUE(file.write_at(at, byte));
  }
}

}  // namespace
}  // namespace powercut::lab
