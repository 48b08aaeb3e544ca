// Recordings whose checksums are right and whose numbers are not.
#include "lab/record/frame_file.h"

#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "lab/record/bytes_store.h"
#include "lab/record/recording_reader.h"

namespace powercut::lab {
namespace {

// A recording of a disk of four units, made of frames.
class Made {
 public:
  Made() {
    disk::RecordingHeader2 header;
    header.disk_bytes = 4 * 4096;
    header.checksum =
        crc32c(~0u, bytes_of(header).first(offsetof(disk::RecordingHeader2, checksum)));
    append(bytes_of(header));
  }
  void add(const RawFrame& frame) {
    std::vector<std::uint8_t> stored;
    ASSERT_TRUE(encode_frame(frame, stored));
    last_frame_ = bytes_.size();
    append(stored);
  }
  // Changes a number in the last frame's header, whose checksum is made right again.
  template <class T>
  void change(std::size_t offset, T to) {
    store(bytes_, last_frame_ + offset, to);
    constexpr std::size_t kUnchecked = offsetof(disk::FrameHeader2, kind);
    const Bytes checked =
        Bytes(bytes_).subspan(last_frame_ + kUnchecked, sizeof(disk::FrameHeader2) - kUnchecked);
    store(bytes_, last_frame_ + offsetof(disk::FrameHeader2, checksum), Le32(crc32c(~0u, checked)));
  }
  // The error of reading all of it; none: it was read.
  std::optional<Errc> read() const {
    const BytesStore store(bytes_);
    const auto read = read_all(store);
    return read ? std::nullopt : std::optional(read.error().code);
  }

 private:
  static Result<void> read_all(const BytesStore& store) {
    const auto reader = TRY(RecordingReader::open(store));
    while (TRY(reader->next()) != nullptr) continue;
    return {};
  }
  void append(Bytes bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  std::vector<std::uint8_t> bytes_;
  std::size_t last_frame_ = 0;
};

RecordedEvent write_at(std::uint64_t sequence, std::uint64_t offset, std::uint64_t length) {
  RecordedEvent event;
  event.kind = EventKind::kSubmitted;
  event.sequence = sequence;
  event.offset = offset;
  event.length = length;
  return event;
}

RecordedEvent completion(std::uint64_t sequence) {
  RecordedEvent event;
  event.kind = EventKind::kCompleted;
  event.sequence = sequence;
  return event;
}

const std::vector<std::uint8_t> kContent(4096, 7);

// One write of one content, and its completion.
RawFrame good_frame() {
  RawFrame frame;
  frame.define(ContentNumber(1), hash_of(kContent), kContent);
  const ContentNumber number(1);
  frame.add(write_at(1, 0, 4096), std::span(&number, 1));
  frame.add(completion(1), {});
  return frame;
}

TEST(HostileRecording, TheGoodOneIsRead) {
  Made made;
  made.add(good_frame());
  EXPECT_EQ(made.read(), std::nullopt);
}

TEST(HostileRecording, NumbersOfAHeaderThatAreNotSo) {
  const auto with = [](std::size_t offset, auto value) {
    Made made;
    made.add(good_frame());
    made.change(offset, value);
    return made.read();
  };
  constexpr std::size_t kEventsRaw = offsetof(disk::FrameHeader2, events) + 4;
  constexpr std::size_t kContentsRaw = offsetof(disk::FrameHeader2, contents) + 4;
  EXPECT_EQ(with(offsetof(disk::FrameHeader2, kind), Le32(3)), Errc::kCorrupt);
  EXPECT_EQ(with(offsetof(disk::FrameHeader2, event_count), Le32(0xFFFFFFFF)), Errc::kCorrupt);
  EXPECT_EQ(with(offsetof(disk::FrameHeader2, event_count), Le32(1)), Errc::kCorrupt);
  EXPECT_EQ(with(offsetof(disk::FrameHeader2, first_event), Le64(1)), Errc::kCorrupt);
  EXPECT_EQ(with(offsetof(disk::FrameHeader2, first_sequence), Le64(2)), Errc::kCorrupt);
  EXPECT_EQ(with(offsetof(disk::FrameHeader2, definition_count), Le32(0xFFFFFFFF)), Errc::kCorrupt);
  EXPECT_EQ(with(offsetof(disk::FrameHeader2, definition_count), Le32(0)), Errc::kCorrupt);
  EXPECT_EQ(with(kEventsRaw, Le32(0xFFFFFFFF)), Errc::kCorrupt);
  EXPECT_EQ(with(kEventsRaw, Le32(4u << 20)), Errc::kCorrupt);
  EXPECT_EQ(with(kContentsRaw, Le32(4u << 20)), Errc::kCorrupt);
  EXPECT_EQ(with(kContentsRaw, Le32(0)), Errc::kCorrupt);
}

TEST(HostileRecording, EventsThatDoNotFitWhatCameBefore) {
  const auto with = [](const RecordedEvent& event, std::uint32_t number) {
    Made made;
    made.add(good_frame());
    RawFrame frame;
    frame.first_event = 2;
    frame.first_sequence = 2;
    const ContentNumber content(number);
    const bool has_content = event.kind != EventKind::kCompleted;
    frame.add(event, std::span(&content, has_content ? 1 : 0));
    made.add(frame);
    return made.read();
  };
  EXPECT_EQ(with(write_at(2, 4096, 4096), 1), std::nullopt);
  EXPECT_EQ(with(write_at(2, 4096, 4096), 0), std::nullopt);
  EXPECT_EQ(with(write_at(2, 4096, 4096), 2), Errc::kCorrupt);   // no such content
  EXPECT_EQ(with(write_at(2, 4096, 512), 1), Errc::kCorrupt);    // of another length
  EXPECT_EQ(with(write_at(2, 4096, 8192), 1), Errc::kCorrupt);   // two pieces, one content
  EXPECT_EQ(with(write_at(3, 4096, 4096), 1), Errc::kCorrupt);   // sequence
  EXPECT_EQ(with(write_at(2, 16384, 4096), 1), Errc::kCorrupt);  // past the disk
  EXPECT_EQ(with(write_at(2, ~0ull - 100, 4096), 1), Errc::kCorrupt);
  EXPECT_EQ(with(completion(1), 0), Errc::kCorrupt);  // for the second time
  EXPECT_EQ(with(completion(9), 0), Errc::kCorrupt);
}

TEST(HostileRecording, AContentDefinedTwiceOrAtAnotherAddress) {
  Made twice;
  twice.add(good_frame());
  RawFrame frame;
  frame.first_event = 2;
  frame.first_sequence = 2;
  frame.define(ContentNumber(1), hash_of(kContent), kContent);
  frame.add(completion(1), {});
  twice.add(frame);
  EXPECT_EQ(twice.read(), Errc::kCorrupt);

  Made elsewhere;
  RawFrame lying;
  lying.define(ContentNumber(1), {1, 2}, kContent);
  lying.add(completion(1), {});
  elsewhere.add(lying);
  EXPECT_EQ(elsewhere.read(), Errc::kCorrupt);
}

}  // namespace
}  // namespace powercut::lab
